"""Blobs as files, for workers that read by path."""

import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiofiles

from kho_storage.digest import Digest
from kho_storage.ports import BlobStore


class LocalBlobs(Protocol):
    """A store that keeps blobs as files which may be read, never written, by path."""

    def path(self, digest: Digest) -> Path:
        """Return where the bytes of a digest lie if they are stored."""
        ...


class BlobFiles:
    """Lends the bytes of a blob as a file: its own where there is one, else a temporary copy."""

    def __init__(self, blobs: BlobStore, local: LocalBlobs | None, scratch: Path) -> None:
        """`scratch` is a folder of this server for temporary copies."""
        self._blobs = blobs
        self._local = local
        self._scratch = scratch

    @asynccontextmanager
    async def lend(self, digest: Digest) -> AsyncIterator[Path]:
        """Lend a file for reading until the block ends. Whether its bytes are right is for the reader to check."""
        if self._local is not None:
            yield self._local.path(digest)
            return
        async with scratch_file(self._scratch) as path:
            async with aiofiles.open(path, "wb") as copy:
                async for piece in self._blobs.read(digest):
                    await copy.write(piece)
            yield path


@asynccontextmanager
async def scratch_file(folder: Path) -> AsyncIterator[Path]:
    """Lend an empty private file that is gone when the block ends."""
    with tempfile.NamedTemporaryFile(dir=folder, prefix="verify-") as file:
        yield Path(file.name)
