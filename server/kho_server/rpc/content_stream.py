"""Content as messages: digest first, then pieces with their checksums."""

from collections.abc import AsyncGenerator

import google_crc32c

from kho.v1 import content_pb2
from kho_server.archive.handing_out import HandingOut, Parcel


def content_header(parcel: Parcel) -> content_pb2.ContentHeader:
    """Return what comes before the first byte."""
    return content_pb2.ContentHeader(
        access_id=str(parcel.record.access_id),
        digest=str(parcel.part.digest),
        size_bytes=parcel.part.digest.size_bytes,
        media_type=parcel.part.media_type,
        version=parcel.version,
    )


async def content_data(handing_out: HandingOut, parcel: Parcel) -> AsyncGenerator[content_pb2.ContentData, None]:
    """Yield the bytes of a parcel."""
    offset = parcel.offset
    async for piece in handing_out.content(parcel):
        yield content_pb2.ContentData(offset=offset, data=piece, crc32c=google_crc32c.value(piece))
        offset += len(piece)
