"""Writing one part of one upload to its file."""

import asyncio
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Protocol, TypeVar

from kho_storage.blobs.durable_files import Descriptor, DurableFiles
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.part_prefix import LINE_BYTES, Prefix, intact_prefix
from kho_storage.digest import Digest
from kho_storage.errors import DigestMismatch, WriterSuperseded
from kho_storage.ports import PartWriter

_T = TypeVar("_T")


class PartFolder(Protocol):
    """What a writer needs from the spool that opened it: the files of its part and nothing else.

    `is_mine` is asked while the spool's lock is held: when it answers False the call raises WriterSuperseded
    and nothing was touched.
    """

    def open_part(self, is_mine: Callable[[], bool]) -> tuple[Descriptor, Descriptor | None]:
        """Open the arriving part, made if absent, and its list if there is one. ValueError: it is complete."""
        ...

    def open_list(self, is_mine: Callable[[], bool]) -> Descriptor:
        """Open the list of acknowledged lengths, made if absent."""
        ...

    def finish(self, digest: Digest, is_mine: Callable[[], bool]) -> None:
        """Give the part its final name; its list stays until that name is durable."""
        ...

    def drop_list(self, is_mine: Callable[[], bool]) -> None:
        """Remove the list of a part whose final name is durable."""
        ...

    def unsynced_folders(self) -> tuple[Path, ...]:
        """Return the folders to sync before the names of this part are durable, its own folder first."""
        ...

    def folders_are_durable(self, is_mine: Callable[[], bool]) -> None:
        """Note that those folders have been synced."""
        ...

    def let_go(self, writer: PartWriter) -> None:
        """Forget a writer that has closed; called on the event loop."""
        ...


class FilePartWriter(PartWriter):
    """Appends to `pNNNNN.part`; one thread job writes and hashes, syncs go through the group.

    One job for both, because hashlib and pwritev release the interpreter lock: 64 pieces of 256 KiB cost
    the same through aiofiles with the hash on the event loop (0.46-0.56 ms a piece), but then the loop stands
    still for the 0.2 ms of every hash. Memory: the state of two hashes, whatever arrives.

    The lock of a writer keeps its own jobs apart, also those whose caller was cancelled; the lock of the
    spool is only taken inside it, never the other way round.
    """

    def __init__(
        self,
        folder: PartFolder,
        files: DurableFiles,
        sync: GroupSync,
        threads: Executor,
        older: "FilePartWriter | None",
    ) -> None:
        """Supersede an older writer; touch no file yet, `open` does."""
        if older is not None:
            older.supersede()
        self._older = older
        self._folder = folder
        self._files = files
        self._sync = sync
        self._threads = threads
        self._lock = Lock()
        self._file: Descriptor | None = None
        self._list: Descriptor | None = None
        self._now = Prefix.empty()
        self._durable = Prefix.empty()
        self._digest: Digest | None = None
        self._has_durable_names = False
        self._leaves_list = False
        self._has_opened = False
        self._is_superseded = False
        self._is_closed = False

    @property
    def persisted_bytes(self) -> int:
        """Bytes of this part that are durable."""
        return self._durable.length

    @property
    def received_bytes(self) -> int:
        """Bytes of this part that were written, durable or not."""
        return self._now.length

    @property
    def is_open(self) -> bool:
        """True while `persisted_bytes` speaks for the part: opened, and nobody else may have changed it."""
        return self._has_opened and not self._is_superseded and not self._is_closed

    @property
    def is_complete(self) -> bool:
        """True once the part has its final name; a refused newer writer then leaves this one as it is."""
        return self._digest is not None and not self._is_superseded

    async def open(self) -> None:
        """Wait for the older writer's last job, then take up the part at the end of its intact prefix."""
        await self._opened(await self._job(self._open))

    async def _opened(self, prefix: Prefix) -> None:
        if prefix.length:
            # The bytes are right, but a killed process may have left them in the page cache only.
            # No undo: what an earlier process acknowledged is not ours to drop.
            await self._sync_named(None)
            self._durable = prefix
        self._has_opened = True

    async def store(self, data: Sequence[bytes], expected: Digest) -> None:
        """Open, write all bytes and complete.

        One job for all of it, where writer, append and complete are three, each with its way across threads.
        """
        prefix, file = await self._job(self._open_and_write, data, expected)
        if file is not None:
            self._has_opened = True
            await self._name(file, expected)
            return
        # Somebody has begun this part. What stands may have been acknowledged, so it stays and is gone on from.
        await self._opened(prefix)
        await self.append([b"".join(data)[prefix.length :]])
        await self.complete(expected)

    async def append(self, data: Sequence[bytes]) -> None:
        """Write buffers at `received_bytes` and hash them."""
        await self._job(self._append, data)

    async def persist(self) -> int:
        """Make all received bytes durable and return how many they are."""
        prefix = await self._job(self._acknowledge)
        if prefix.length > self._durable.length:
            await self._sync_named(self._roll_back)
            self._durable = prefix
        return prefix.length

    async def complete(self, expected: Digest) -> None:
        """Check, sync the file, give it its name, sync the folder."""
        try:
            file = await self._job(self._check, expected)
        except DigestMismatch:
            # An emptied list that a power cut fills again would let the wrong bytes come back.
            with suppress(Exception):
                await self._sync.sync([self._list] if self._list else [])
            raise
        await self._name(file, expected)

    async def _name(self, file: Descriptor | None, expected: Digest) -> None:
        # The part's folder changes at the rename, so it is synced even if its names were durable before.
        folders = self._folder.unsynced_folders()
        files = [file] if file else []
        await self._sync.sync(files, lambda: self._finish(expected), folders, self._roll_back)
        if len(folders) > 1:
            await self._job(self._folder.folders_are_durable, self._is_mine)
        if self._leaves_list:
            # Only now: a disk may keep this removal and lose the name, and the list vouches for what was promised.
            self._leaves_list = False
            await self._job(self._folder.drop_list, self._is_mine)

    async def close(self) -> None:
        """Let go of the file; what was received stays for a later writer."""
        self._is_closed = True
        if self._digest is not None:
            self._folder.let_go(self)
            return
        released = asyncio.get_running_loop().run_in_executor(self._threads, self.release)
        # Known to the spool until then: a newer writer has to wait for the last job of this one.
        released.add_done_callback(lambda _: self._folder.let_go(self))
        await asyncio.shield(released)

    def supersede(self) -> None:
        """Forbid every further step; a step that is running may finish, `release` waits for it."""
        self._is_superseded = True

    def release(self) -> None:
        """Leave a line for what was received, and let go of the files, older writers' first. Blocks; never raises."""
        chain = [self]
        while (older := chain[-1]._older) is not None:
            chain.append(older)
        for writer in reversed(chain):
            writer._let_go()
            writer._older = None

    def _let_go(self) -> None:
        with self._lock:
            if self._file and self._digest is None and self._now.length > self._durable.length:
                # Not synced: the next writer checks and syncs it. Without room the tail is lost, as it may be.
                with suppress(Exception):
                    self._add_line()
            self._file = self._list = None

    def _is_mine(self) -> bool:
        return not self._is_superseded

    def _check_mine(self) -> None:
        if self._is_superseded:
            raise WriterSuperseded("a newer connection writes this part now")
        if self._is_closed:
            raise ValueError("this writer is closed")

    async def _job(self, work: Callable[..., _T], *arguments: object) -> _T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, work, *arguments)

    async def _sync_named(self, undo: Callable[[], None] | None) -> None:
        files = [held for held in (self._file, self._list) if held]
        if self._has_durable_names:
            await self._sync.sync(files, undo=undo)
        else:
            await self._sync.sync(files, None, self._folder.unsynced_folders(), undo)
            await self._job(self._folder.folders_are_durable, self._is_mine)
            self._has_durable_names = True

    def _open(self) -> Prefix:
        if self._older is not None:
            self._older.release()
            self._older = None
        with self._lock:
            self._check_mine()
            file, lines = self._folder.open_part(self._is_mine)
            if lines is not None:
                self._now = intact_prefix(file, lines)
                self._files.cut(lines, self._now.lines * LINE_BYTES)
            self._files.cut(file, self._now.length)
            self._file, self._list = file, lines
            return self._now.copy()

    def _open_and_write(self, data: Sequence[bytes], expected: Digest) -> tuple[Prefix, Descriptor | None]:
        prefix = self._open()
        if prefix.length:
            return prefix, None
        self._append(data)
        return prefix, self._check(expected)

    def _append(self, data: Sequence[bytes]) -> None:
        with self._lock:
            file = self._open_file()
            try:
                self._files.write(file, data, self._now.length)
            except BaseException:
                self._files.cut(file, self._now.length)
                raise
            for piece in data:
                self._now.extend(piece)

    def _acknowledge(self) -> Prefix:
        with self._lock:
            if self._digest is not None and not self._is_superseded:
                return self._durable
            self._open_file()
            if self._now.length > self._durable.length:
                self._add_line()
            return self._now.copy()

    def _add_line(self) -> None:
        if self._list is None:
            self._list = self._folder.open_list(self._is_mine)
        self._files.write(self._list, [self._now.line()], self._now.lines * LINE_BYTES)
        self._now.lines += 1

    def _check(self, expected: Digest) -> Descriptor | None:
        with self._lock:
            if self._digest is not None and not self._is_superseded:
                if self._digest != expected:
                    raise ValueError("this part is complete under another digest")
                return None
            file = self._open_file()
            actual = Digest(self._now.sha256.hexdigest(), self._now.length)
            if actual != expected:
                self._cut_to(file, Prefix.empty())
                raise DigestMismatch(expected, actual)
            self._files.seal(file)
            return file

    def _finish(self, digest: Digest) -> None:
        # Asked before the lock as well: a batch of strangers must not wait for a newer writer of this part.
        if self._is_superseded:
            raise WriterSuperseded("a newer connection writes this part now")
        with self._lock:
            if self._digest is None:
                if self._file is None:
                    # Closed while the caller of `complete` was being cancelled: the part may have a new writer.
                    raise WriterSuperseded("this writer was closed before the part was complete")
                self._folder.finish(digest, self._is_mine)
                self._digest = digest
                self._durable = self._now
                self._leaves_list = self._list is not None
                self._file = self._list = None

    def _roll_back(self) -> None:
        """Drop what a failed sync may have lost.

        After a failed fsync Linux calls the pages clean, so that a second fsync would succeed without
        writing them (https://lwn.net/Articles/752063/). Only bytes written anew can become durable.
        """
        with self._lock:
            if self._file is not None and self._digest is None and not self._is_superseded:
                self._cut_to(self._file, self._durable.copy())

    def _cut_to(self, file: Descriptor, prefix: Prefix) -> None:
        if self._list is not None:
            self._files.cut(self._list, prefix.lines * LINE_BYTES)
        self._files.cut(file, prefix.length)
        self._now = prefix
        if prefix.length < self._durable.length:
            self._durable = prefix.copy()

    def _open_file(self) -> Descriptor:
        self._check_mine()
        if self._digest is not None:
            raise ValueError("this part is complete")
        if self._file is None:
            raise ValueError("this writer is not open")
        return self._file
