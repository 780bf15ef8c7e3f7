"""Uploads that are arriving, as files; the listing of an upload's folder is its whole state.

Layout and names stand in `spool_layout`, the check of interrupted parts in `part_prefix`.
"""

import asyncio
import secrets
import shutil
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import TypeVar

from kho_storage.blobs import spool_layout as layout
from kho_storage.blobs.complete_parts import CompleteParts
from kho_storage.blobs.durable_files import Descriptor, DurableFiles, names_in
from kho_storage.blobs.durable_folders import DurableFolders
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.part_prefix import intact_prefix
from kho_storage.blobs.part_writer import FilePartWriter, PartFolder
from kho_storage.blobs.pieces import read_file
from kho_storage.digest import Digest
from kho_storage.errors import PartIncomplete, WriterSuperseded
from kho_storage.parts import BlobSource, PartId, SpooledPart, UploadId
from kho_storage.ports import PartWriter, UploadSpool

_T = TypeVar("_T")
# Interrupted parts are checked so many at a time: each holds two descriptors until it is synced.
_CHECKED_TOGETHER = 32
_IS_COMPLETE = "this part is complete; discard it before it is written anew"


class FileSystemUploadSpool(UploadSpool):
    """Spools uploads below one folder that no other process touches (see DataFolder).

    One lock guards names (making, renaming and removing files and folders) and what is remembered of them;
    it is held for single system calls and, once per upload, for a listing. It is always the innermost lock.
    """

    def __init__(self, folder: Path, *, sync: GroupSync, threads: Executor, files: DurableFiles) -> None:
        """Take a durable folder; file jobs run on `threads`, syncs in the group."""
        self._root = folder
        self._bin = folder / "discarded"
        self._sync = sync
        self._threads = threads
        self._files = files
        self._folders = DurableFolders(folder, files)
        self._complete = CompleteParts()
        self._writers: dict[UploadId, dict[PartId, FilePartWriter]] = {}
        self._names = Lock()
        files.make_folder(self._bin)
        self._empty_bin()

    async def parts(self, upload: UploadId) -> tuple[SpooledPart, ...]:
        """Return what is persisted of every part, after a sync of whatever a dead process left unsynced."""
        folder = layout.upload_folder(self._root, upload)
        listed = await self._job(self._list_again, upload)
        if listed is None:
            return ()
        complete, arriving = listed
        found = [SpooledPart(part, digest.size_bytes, digest) for part, digest in complete.items()]
        for start in range(0, len(arriving), _CHECKED_TOGETHER):
            found += await self._interrupted(upload, arriving[start : start + _CHECKED_TOGETHER])
        if not found:
            return ()
        # A name in the listing may be a moment old, or left by a killed process: durable before it is told.
        await self._sync.sync(folders=(folder, *self._folders.unsynced(folder)))
        return tuple(sorted(found, key=lambda each: layout.part_order(each.part)))

    async def writer(self, upload: UploadId, part: PartId) -> PartWriter:
        """Open a part for writing from its intact end; an older writer of it is superseded at once."""
        opened = self._newest_writer(upload, part)
        try:
            await opened.open()
        except BaseException:
            await opened.close()
            raise
        return opened

    async def store(self, upload: UploadId, part: PartId, data: Sequence[bytes], digest: Digest) -> None:
        """Write a whole part: one thread job and a share of one batch of syncs."""
        writer = self._newest_writer(upload, part)
        try:
            await writer.store(data, digest)
        finally:
            await writer.close()

    async def source(self, upload: UploadId, part: PartId) -> BlobSource:
        """Return a complete part as a source that a store on the same file system can link."""
        digest = (await self._job(self._complete_of, upload)).get(part)
        if digest is None:
            raise PartIncomplete(f"{part.kind.value} {part.number} has not arrived whole")
        path = layout.upload_folder(self._root, upload) / layout.complete_name(part, digest)

        def read() -> AsyncIterator[bytes]:
            return read_file(self._threads, self._files, path, digest)

        return BlobSource(digest, read, path)

    async def discard_part(self, upload: UploadId, part: PartId) -> None:
        """Forget one part; on return it does not come back."""
        folder = await self._job(self._remove_part, upload, part)
        if folder is not None:
            await self._sync.sync(folders=[folder])

    async def discard(self, upload: UploadId) -> None:
        """Forget an upload; its folder goes, its document's too if nothing else is in it."""
        changed = await self._job(self._remove_upload, upload)
        if changed is not None:
            await self._sync.sync(folders=[changed])
            await self._job(self._empty_bin)

    async def uploads(self) -> tuple[UploadId, ...]:
        """Return all uploads that have a folder with something in it, in order."""
        return await self._job(lambda: tuple(sorted(self._walk())))

    def _newest_writer(self, upload: UploadId, part: PartId) -> FilePartWriter:
        writers = self._writers.setdefault(upload, {})
        if part in writers and writers[part].is_complete:
            raise ValueError(_IS_COMPLETE)
        folder = _Part(self, upload, part)
        writers[part] = FilePartWriter(folder, self._files, self._sync, self._threads, writers.get(part))
        return writers[part]

    async def _job(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def _interrupted(self, upload: UploadId, parts: list[PartId]) -> list[SpooledPart]:
        found: list[SpooledPart] = []
        unsynced: list[Descriptor] = []
        for part in parts:
            writer = self._writers.get(upload, {}).get(part)
            if writer is not None and writer.is_open:
                found += [SpooledPart(part, writer.persisted_bytes, None)] if writer.persisted_bytes else []
                continue
            length, opened = await self._job(self._check_interrupted, upload, part)
            if length:
                found.append(SpooledPart(part, length, None))
                unsynced += opened
        await self._sync.sync(unsynced)
        return found

    def _check_interrupted(self, upload: UploadId, part: PartId) -> tuple[int, list[Descriptor]]:
        folder = layout.upload_folder(self._root, upload)
        try:
            with self._names:
                file = self._files.open_for_reading(folder / layout.part_name(part))
                lines = self._files.open_for_reading(folder / layout.ack_name(part))
        except FileNotFoundError:
            return 0, []
        return intact_prefix(file, lines).length, [file, lines]

    def _list_again(self, upload: UploadId) -> tuple[dict[PartId, Digest], list[PartId]] | None:
        with self._names:
            self._complete.forget(upload)
            listed = self._list(upload)
            return None if listed is None else (dict(listed[0]), listed[1])

    def _complete_of(self, upload: UploadId) -> dict[PartId, Digest]:
        with self._names:
            return self._listing(upload)

    def _listing(self, upload: UploadId) -> dict[PartId, Digest]:
        """Return what is complete; call with the lock held."""
        known = self._complete.find(upload)
        if known is None:
            listed = self._list(upload)
            known = listed[0] if listed is not None else {}
        return known

    def _list(self, upload: UploadId) -> tuple[dict[PartId, Digest], list[PartId]] | None:
        try:
            names = names_in(layout.upload_folder(self._root, upload))
        except FileNotFoundError:
            return None
        complete = dict(filter(None, map(layout.complete, names)))
        self._complete.keep(upload, complete)
        return complete, [part for part in map(layout.arriving, names) if part]

    def _remove_part(self, upload: UploadId, part: PartId) -> Path | None:
        folder = layout.upload_folder(self._root, upload)
        with self._names:
            self._supersede(upload, part)
            digest = self._listing(upload).get(part)
            self._complete.remove(upload, part)
            if not folder.is_dir():
                return None
            for name in (layout.part_name(part), layout.ack_name(part)):
                self._files.remove(folder / name)
            if digest is not None:
                self._files.remove(folder / layout.complete_name(part, digest))
            return folder

    def _remove_upload(self, upload: UploadId) -> Path | None:
        folder = layout.upload_folder(self._root, upload)
        document, agency = folder.parent, folder.parent.parent
        with self._names:
            for part in tuple(self._writers.get(upload, ())):
                self._supersede(upload, part)
            self._complete.forget(upload)
            self._folders.forget([folder, document])
            if not document.is_dir():
                return None
            # Renamed here and emptied later: unlinking 10,000 pages would hold the lock for 0.1 s and more.
            with suppress(FileNotFoundError):
                self._files.rename(folder, self._bin / secrets.token_hex(16))
            try:
                document.rmdir()
            except OSError:  # another version is arriving
                return document
            return agency

    def _empty_bin(self) -> None:
        for each in self._bin.iterdir():
            shutil.rmtree(each, ignore_errors=True)

    def _supersede(self, upload: UploadId, part: PartId) -> None:
        writer = self._writers.get(upload, {}).get(part)
        if writer is not None:
            writer.supersede()

    def _walk(self) -> Iterator[UploadId]:
        for agency_folder in _folders(self._root):
            for document_folder in _folders(agency_folder):
                for folder in _folders(document_folder):
                    agency, document = layout.uuid_of(agency_folder.name), layout.uuid_of(document_folder.name)
                    version = layout.version_of(folder.name)
                    if agency and document and version and _has_something(folder):
                        yield UploadId(agency, document, version)


class _Part(PartFolder):
    """The files of one part, as its writer sees them; each call asks under the lock whose turn it is."""

    def __init__(self, spool: FileSystemUploadSpool, upload: UploadId, part: PartId) -> None:
        self._spool = spool
        self._upload = upload
        self._part = part
        self._folder = layout.upload_folder(spool._root, upload)

    def open_part(self, is_mine: Callable[[], bool]) -> tuple[Descriptor, Descriptor | None]:
        spool = self._spool
        with spool._names:
            _check(is_mine)
            if self._part in spool._listing(self._upload):
                raise ValueError(_IS_COMPLETE)
            spool._folders.make(self._folder)
            file = spool._files.open_new_or_old(self._folder / layout.part_name(self._part))
            lines = self._folder / layout.ack_name(self._part)
            return file, spool._files.open_new_or_old(lines) if lines.exists() else None

    def open_list(self, is_mine: Callable[[], bool]) -> Descriptor:
        with self._spool._names:
            _check(is_mine)
            return self._spool._files.open_new_or_old(self._folder / layout.ack_name(self._part))

    def finish(self, digest: Digest, is_mine: Callable[[], bool]) -> None:
        spool, part = self._spool, self._part
        with spool._names:
            _check(is_mine)
            final = self._folder / layout.complete_name(part, digest)
            spool._files.rename(self._folder / layout.part_name(part), final)
            spool._complete.add(self._upload, part, digest)

    def drop_list(self, is_mine: Callable[[], bool]) -> None:
        with self._spool._names:
            # After a discard the list may be that of a newer writer.
            if is_mine():
                self._spool._files.remove(self._folder / layout.ack_name(self._part))

    def unsynced_folders(self) -> tuple[Path, ...]:
        return (self._folder, *self._spool._folders.unsynced(self._folder))

    def folders_are_durable(self, is_mine: Callable[[], bool]) -> None:
        with self._spool._names:
            # After a discard the folder may be gone, and a new one of the same name is not durable yet.
            if is_mine():
                self._spool._folders.remember(self._folder)

    def let_go(self, writer: PartWriter) -> None:
        writers = self._spool._writers.get(self._upload, {})
        if writers.get(self._part) is writer:
            del writers[self._part]
        if not writers:
            self._spool._writers.pop(self._upload, None)


def _check(is_mine: Callable[[], bool]) -> None:
    if not is_mine():
        raise WriterSuperseded("a newer connection writes this part now")


def _folders(folder: Path) -> list[Path]:
    try:
        return [each for each in folder.iterdir() if each.is_dir()]
    except FileNotFoundError:  # discarded meanwhile
        return []


def _has_something(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is not None
    except FileNotFoundError:  # discarded meanwhile
        return False
