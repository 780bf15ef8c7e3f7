"""Content as messages: digest first, then pieces with their checksums."""

from collections.abc import AsyncIterator

import google_crc32c

from kho.v1 import content_pb2
from kho_server.archive.handing_out import Parcel


def content_header(parcel: Parcel) -> content_pb2.ContentHeader:
    """Return what comes before the first byte."""
    return content_pb2.ContentHeader(
        access_id=str(parcel.record.access_id),
        digest=str(parcel.part.digest),
        size_bytes=parcel.part.digest.size_bytes,
        media_type=parcel.part.media_type,
        version=parcel.version,
    )


async def content_data(parcel: Parcel, pieces: AsyncIterator[bytes]) -> AsyncIterator[content_pb2.ContentData]:
    """Yield the pieces of a parcel with their places and checksums."""
    offset = parcel.offset
    async for piece in pieces:
        yield content_pb2.ContentData(offset=offset, data=piece, crc32c=google_crc32c.value(piece))
        offset += len(piece)
