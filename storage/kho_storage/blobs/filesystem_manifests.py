"""Sealed manifests as files, apart from the blobs, so that a lost database can be rebuilt from them.

Layout: `<agency>/<document>/v<version>.<commit>.json`, and `incoming/` for files that are not whole yet.
Reading goes through aiofiles: a manifest is read when a document is rebuilt, never for a page.
"""

import asyncio
import os
import re
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from typing import TypeVar
from uuid import UUID

import aiofiles

from kho_storage.blobs.durable_files import Descriptor, DurableFiles, names_in
from kho_storage.blobs.durable_folders import DurableFolders
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.spool_layout import uuid_of
from kho_storage.digest import Digest
from kho_storage.errors import BlobNotFound, Conflict
from kho_storage.parts import ManifestName
from kho_storage.ports import ManifestStore

_T = TypeVar("_T")
_NAME = re.compile(r"v(?P<version>[1-9][0-9]{0,8})\.(?P<commit>[0-9a-f-]{36})\.json\Z")


class FileSystemManifestStore(ManifestStore):
    """Manifests below one folder that no other process changes (see DataFolder)."""

    def __init__(self, folder: Path, *, sync: GroupSync, threads: Executor, files: DurableFiles) -> None:
        """Take a durable folder; file jobs run on `threads`, syncs in the group. Blocks: clears `incoming`."""
        self._root = folder
        self._incoming = folder / "incoming"
        self._sync = sync
        self._threads = threads
        self._files = files
        self._folders = DurableFolders(folder, files)
        files.make_folder(self._incoming)
        for leftover in self._incoming.iterdir():
            files.remove(leftover)

    async def seal(self, name: ManifestName, data: bytes) -> Digest:
        """Write, sync, link under the name, sync the folders."""
        target = self._path(name)
        temporary, file = await self._job(self._write, target.parent, data)

        def give_name() -> None:
            try:
                self._files.link(temporary, target)
            except FileExistsError:
                if target.read_bytes() != data:
                    raise Conflict("manifest_sealed") from None
            finally:
                self._files.remove(temporary)

        folders = (target.parent, *self._folders.unsynced(target.parent))
        await self._sync.sync([file], give_name, folders, lambda: self._files.remove(temporary))
        self._folders.remember(target.parent)
        return Digest.of(data)

    async def read(self, name: ManifestName) -> bytes:
        """Return a manifest's bytes; they are what was sealed as long as they hash to the digest in the rows."""
        try:
            async with aiofiles.open(self._path(name), "rb") as file:
                return await file.read()
        except FileNotFoundError as error:
            raise BlobNotFound(f"manifest {self._path(name).name}") from error

    async def delete(self, name: ManifestName) -> None:
        """Remove the file and sync its folder; the folder stays."""
        path = self._path(name)
        with suppress(FileNotFoundError):
            await self._job(os.unlink, path)
            await self._sync.sync(folders=[path.parent])

    async def walk(self) -> AsyncIterator[ManifestName]:
        """Yield all names; memory holds the names of one agency's documents."""
        for agency in await self._job(_uuids_in, self._root):
            for document in await self._job(_uuids_in, self._root / str(agency)):
                for name in await self._job(self._list, agency, document):
                    yield name

    async def _job(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    def _path(self, name: ManifestName) -> Path:
        file = f"v{name.version:d}.{name.commit}.json"
        return self._root / str(name.agency) / str(name.document) / file

    def _write(self, folder: Path, data: bytes) -> tuple[Path, Descriptor]:
        self._folders.make(folder)
        temporary, file = self._files.open_temporary(self._incoming)
        try:
            self._files.write(file, [data], 0)
            self._files.seal(file)
        except BaseException:
            self._files.remove(temporary)
            raise
        return temporary, file

    def _list(self, agency: UUID, document: UUID) -> list[ManifestName]:
        names = names_in(self._root / str(agency) / str(document))
        return sorted(_parse(agency, document, names))


def _parse(agency: UUID, document: UUID, names: list[str]) -> Iterator[ManifestName]:
    for name in names:
        found = _NAME.match(name)
        commit = uuid_of(found["commit"]) if found else None
        if found and commit:
            yield ManifestName(agency, document, int(found["version"]), commit)


def _uuids_in(folder: Path) -> list[UUID]:
    return sorted(filter(None, map(uuid_of, names_in(folder))))
