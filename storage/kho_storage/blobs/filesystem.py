"""Blobs as files under their SHA-256.

Layout: `sha256/<first 3 hex digits>/<64 hex digits>`, and `incoming/` for copies that are not whole yet.

Why 4,096 folders. A province may keep 50 million documents of 10 pages. One level of 256 would hold 2 million
names each: `walk` sorts a folder at a time (250 MB), and people's tools (ls, rsync) give up. Two levels of 256
hold 7,600 names, but a young store makes a folder, and syncs its parent, for nearly every page. 4,096 folders
hold 122,000 names and exist after the first few hundred documents. Syncs hardly differ: a document of 100 pages
touches 83 folders of 256, 99 of 4,096, 100 of 65,536, and storing it took 19, 20 and 25 ms (ext4, 2 cores,
median of 7 once all folders were there): the first sync commits the journal, the others find it done.
"""

import asyncio
import errno
import hashlib
import os
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from kho_storage.blobs.durable_files import Descriptor, DurableFiles, names_in
from kho_storage.blobs.durable_folders import DurableFolders
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.pieces import read_file
from kho_storage.blobs.verifying import Examination, FileIdentity
from kho_storage.digest import Digest
from kho_storage.errors import BlobCorrupt, BlobNotFound, DigestMismatch
from kho_storage.parts import BlobSource
from kho_storage.ports import BlobStore

_T = TypeVar("_T")
_FAN_OUT = 3
# Copies are synced so many at a time; each holds a descriptor until then.
_COPIED_TOGETHER = 32
# A hash job gives its thread back after so many bytes, so that one large PDF does not hold up the pages.
_HASHED_AT_ONCE = 8 * 1024 * 1024
# Another device, a file system without links, rights that forbid them, too many links: copy instead.
_CANNOT_LINK = frozenset({errno.EXDEV, errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK})


class FileSystemBlobStore(BlobStore):
    """Blobs below one folder that no other process changes (see DataFolder)."""

    def __init__(self, folder: Path, *, sync: GroupSync, threads: Executor, files: DurableFiles) -> None:
        """Take a durable folder; file jobs run on `threads`, syncs in the group. Blocks: clears `incoming`."""
        self._root = folder / "sha256"
        self._incoming = folder / "incoming"
        self._sync = sync
        self._threads = threads
        self._files = files
        for each in (self._root, self._incoming):
            files.make_folder(each)
        files.sync_folder(folder)
        for leftover in self._incoming.iterdir():
            files.remove(leftover)
        self._folders = DurableFolders(self._root, files)

    async def put(self, sources: Sequence[BlobSource]) -> None:
        """Link or copy all sources, then sync the folders they are in, each once."""
        remote = await self._job(self._link_all, sources)
        for start in range(0, len(remote), _COPIED_TOGETHER):
            await self._copy(remote[start : start + _COPIED_TOGETHER])
        folders = {self._path(source.digest).parent for source in sources}
        # Also where the bytes were there already: another caller may have linked them a moment ago.
        unsynced = {parent for folder in folders for parent in self._folders.unsynced(folder)}
        await self._sync.sync(folders=sorted(folders | unsynced))
        for folder in folders:
            self._folders.remember(folder)

    async def read(self, digest: Digest, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield pieces; BlobCorrupt when the file does not have the digest's size."""
        path = self._path(digest)
        async for piece in read_file(self._threads, self._files, path, digest, offset=offset, length=length):
            yield piece

    async def find(self, sha256: str) -> Digest | None:
        """Return the digest with the size of its file. ValueError: not a SHA-256."""
        path = self._path(Digest(sha256, 0))
        try:
            return Digest(sha256, (await self._job(path.stat)).st_size)
        except FileNotFoundError:
            return None

    async def delete(self, digest: Digest) -> None:
        """Remove the file and sync its folder."""
        path = self._path(digest)
        with suppress(FileNotFoundError):
            await self._job(os.unlink, path)
            await self._sync.sync(folders=[path.parent])

    async def walk(self) -> AsyncIterator[Digest]:
        """Yield every stored digest; memory holds the names of one of 4,096 folders."""
        for name in sorted(await self._job(names_in, self._root)):
            if len(name) == _FAN_OUT:
                for digest in await self._job(self._list, self._root / name):
                    yield digest

    def path(self, digest: Digest) -> Path:
        """Return where the bytes of a digest lie if they are stored; for reading only."""
        return self._path(digest)

    async def identity(self, digest: Digest) -> FileIdentity:
        """Return what tells whether the file is still the one that was examined."""
        return await self._job(lambda: _identity(self._open(digest)))

    async def examine(self, digest: Digest) -> Examination:
        """Hash the whole file, on threads."""

        def start() -> tuple[Descriptor, FileIdentity]:
            file = self._open(digest)
            return file, _identity(file)

        file, identity = await self._job(start)
        hasher = hashlib.sha256()
        size = 0
        while count := await self._job(_hash_some, file, size, hasher):
            size += count
        return Examination(identity, Digest(hasher.hexdigest(), size))

    async def _job(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _path(self, digest: Digest) -> Path:
        return self._root / digest.sha256[:_FAN_OUT] / digest.sha256

    def _open(self, digest: Digest) -> Descriptor:
        try:
            return self._files.open_for_reading(self._path(digest))
        except FileNotFoundError as error:
            raise BlobNotFound(digest.sha256) from error

    def _link_all(self, sources: Sequence[BlobSource]) -> list[BlobSource]:
        """Link what can be linked; return what must be copied."""
        remote = []
        for source in sources:
            target = self._path(source.digest)
            self._folders.make(target.parent)
            if self._is_there(source.digest):
                continue
            if source.local is None:
                remote.append(source)
                continue
            try:
                if source.local.stat().st_size != source.digest.size_bytes:
                    raise BlobCorrupt(source.digest.sha256)
                self._link(source.local, source.digest)
            except FileNotFoundError as error:  # discarded meanwhile
                raise BlobNotFound(source.digest.sha256) from error
            except OSError as error:
                if error.errno not in _CANNOT_LINK:
                    raise
                remote.append(source)
        return remote

    def _link(self, path: Path, digest: Digest) -> None:
        try:
            self._files.link(path, self._path(digest))
        except FileExistsError:
            self._is_there(digest)

    def _is_there(self, digest: Digest) -> bool:
        """Tell whether the bytes are stored. BlobCorrupt: under their name lies something of another size."""
        try:
            size = self._path(digest).stat().st_size
        except FileNotFoundError:
            return False
        if size != digest.size_bytes:
            raise BlobCorrupt(digest.sha256)
        return True

    async def _copy(self, sources: Sequence[BlobSource]) -> None:
        copies: list[tuple[Path, Digest, Descriptor]] = []

        def name_all() -> None:
            for path, digest, _ in copies:
                self._link(path, digest)

        try:
            for source in sources:
                path, file = await self._job(self._files.open_temporary, self._incoming)
                copies.append((path, source.digest, file))
                await self._receive(source, file)
            await self._sync.sync([file for _, _, file in copies], name_all)
        finally:
            for path, _, _ in copies:
                self._files.remove(path)

    async def _receive(self, source: BlobSource, file: Descriptor) -> None:
        hasher = hashlib.sha256()
        size = 0

        def write(piece: bytes) -> int:
            hasher.update(piece)
            return self._files.write(file, [piece], size)

        async for piece in source.read():
            size += await self._job(write, piece)
        actual = Digest(hasher.hexdigest(), size)
        if actual != source.digest:
            raise DigestMismatch(source.digest, actual)
        await self._job(self._files.seal, file)

    def _list(self, folder: Path) -> list[Digest]:
        found = []
        with os.scandir(folder) as entries:
            for entry in entries:
                with suppress(ValueError, FileNotFoundError):  # not ours; deleted meanwhile
                    found.append(Digest(entry.name, entry.stat(follow_symlinks=False).st_size))
        return sorted(found)


def _identity(file: Descriptor) -> FileIdentity:
    status = os.fstat(file.number)
    return FileIdentity(status.st_dev, status.st_ino, status.st_mtime_ns, status.st_size)


def _hash_some(file: Descriptor, start: int, hasher: "hashlib._Hash") -> int:
    end = start
    while end - start < _HASHED_AT_ONCE and (piece := os.pread(file.number, 256 * 1024, end)):
        hasher.update(piece)
        end += len(piece)
    return end - start
