"""Ranges of complete parts, for renditions that are sent as recipes."""

import asyncio
from collections.abc import AsyncIterator

from kho_storage.errors import BlobCorrupt
from kho_storage.parts import BlobSource

_PIECE_BYTES = 256 * 1024


async def read_range(source: BlobSource, offset: int, length: int) -> AsyncIterator[bytes]:
    """Yield a range of a source in pieces of at most 256 KiB; a local file is read only where asked.

    BlobCorrupt: the source ends before the range does.
    """
    if source.local is not None:
        path = source.local
        while length > 0:
            piece = await asyncio.to_thread(_read, str(path), offset, min(length, _PIECE_BYTES))
            if not piece:
                raise BlobCorrupt(source.digest.sha256)
            yield piece
            offset += len(piece)
            length -= len(piece)
        return
    position = 0
    async for piece in source.read():
        begin, end = max(offset - position, 0), min(offset + length - position, len(piece))
        if begin < end:
            yield piece[begin:end]
        position += len(piece)
        if position >= offset + length:
            return


def _read(path: str, offset: int, length: int) -> bytes:
    with open(path, "rb") as file:  # noqa: PTH123 - a plain read in a thread
        file.seek(offset)
        return file.read(length)
