"""Reading a file of known size in pieces, on threads.

Measured (400 kB file, 8 readers at a time): 0.21-0.26 ms a file with one thread job per piece, the first of
which opens the file as well, and 0.30-0.45 ms through aiofiles, whose open, read and close are a job each.
"""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import Executor
from pathlib import Path

from kho_storage.blobs.durable_files import Descriptor, DurableFiles
from kho_storage.digest import Digest
from kho_storage.errors import BlobCorrupt, BlobNotFound

PIECE_BYTES = 256 * 1024


async def read_file(
    threads: Executor,
    files: DurableFiles,
    path: Path,
    digest: Digest,
    *,
    offset: int = 0,
    length: int | None = None,
) -> AsyncIterator[bytes]:
    """Yield the bytes of a file from offset, each piece but the last of 256 KiB.

    BlobNotFound: there is no such file. BlobCorrupt: it has another size, before the first piece if it has
    it by then.
    """
    start, end = span(digest, offset, length)

    def first() -> tuple[Descriptor, bytes]:
        try:
            file = files.open_for_reading(path)
        except FileNotFoundError as error:
            raise BlobNotFound(digest.sha256) from error
        if os.fstat(file.number).st_size != digest.size_bytes:
            raise BlobCorrupt(digest.sha256)
        return file, read_piece(file, start, end, digest)

    def following(at: int) -> bytes:
        return read_piece(file, at, end, digest)

    loop = asyncio.get_running_loop()
    file, piece = await loop.run_in_executor(threads, first)
    while piece:
        yield piece
        start += len(piece)
        if start >= end:
            return
        piece = await loop.run_in_executor(threads, following, start)


def span(digest: Digest, offset: int, length: int | None) -> tuple[int, int]:
    """Return first byte and end of what is asked for. ValueError: a negative offset or length."""
    if offset < 0 or (length is not None and length < 0):
        raise ValueError("offset and length are never negative")
    start = min(offset, digest.size_bytes)
    return start, digest.size_bytes if length is None else min(start + length, digest.size_bytes)


def read_piece(file: Descriptor, start: int, end: int, digest: Digest) -> bytes:
    """Read one piece, or nothing at the end. Blocks."""
    wanted = min(PIECE_BYTES, end - start)
    piece = os.pread(file.number, wanted, start) if wanted > 0 else b""
    if len(piece) < wanted:
        raise BlobCorrupt(digest.sha256)
    return piece
