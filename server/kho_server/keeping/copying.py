"""Copies of files that never change, each hashed on its way; what is there already is not copied again."""

import hashlib
import os
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

from kho_storage.blobs.durable_files import Descriptor, DurableFiles
from kho_storage.digest import Digest

# Two disks and one processor for hashing; more threads queue.
_THREADS = 4
_TOGETHER = 512
_PIECE_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Copy:
    """One file to be there; `size_bytes` None: unknown."""

    source: Path
    target: Path
    sha256: str
    size_bytes: int | None = None


@dataclass(frozen=True, slots=True)
class Copied:
    """What became of a copy: bytes written, 0 if it was there already; `problem` is empty when all is well."""

    copy: Copy
    size_bytes: int
    is_new: bool
    problem: str = ""


class Copier:
    """Copies many files durably. Call `settle` at the end: only then are the names durable."""

    def __init__(
        self, incoming: Path, *, link: bool = False, doubts: bool = False, files: DurableFiles | None = None
    ) -> None:
        """`incoming` takes what is not whole yet, on the device of the targets; `link` shares bytes where it can.

        `doubts`: somebody was killed before the names that are there already were made durable.
        """
        self._incoming = incoming
        self._link = link
        self._doubts = doubts
        self._files = files or DurableFiles()
        self._made: set[Path] = set()
        self._unsynced: set[Path] = set()

    def copy_all(self, copies: Iterable[Copy]) -> Iterator[Copied]:
        """Copy, a few at a time, and yield what became of each, in order. Blocks. StorageFull ends it."""
        waiting = iter(copies)
        with ThreadPoolExecutor(_THREADS, "kho-copy") as threads:
            while batch := list(islice(waiting, _TOGETHER)):
                for copy in batch:
                    self._make(copy.target.parent)
                yield from threads.map(self._copy, batch)

    def settle(self) -> None:
        """Make all names durable."""
        with ThreadPoolExecutor(_THREADS, "kho-copy") as threads:
            for _ in threads.map(self._files.sync_folder, sorted(self._unsynced)):
                pass

    def _make(self, folder: Path) -> None:
        if folder not in self._made:
            folder.mkdir(0o700, parents=True, exist_ok=True)
            self._made.add(folder)
            if self._doubts:
                self._unsynced.update((folder, folder.parent, folder.parent.parent))

    def _copy(self, copy: Copy) -> Copied:
        try:
            size = copy.target.stat().st_size
        except FileNotFoundError:
            pass
        else:
            if copy.size_bytes in (None, size):
                return Copied(copy, size, False)
            return Copied(copy, size, False, "has another size in the copy than in the store")
        try:
            source = self._files.open_for_reading(copy.source)
        except OSError as error:
            return Copied(copy, 0, False, f"cannot be read: {os.strerror(error.errno or 0)}")
        temporary, file = self._files.open_temporary(self._incoming)
        try:
            links = self._link and os.fstat(source.number).st_dev == os.fstat(file.number).st_dev
            found = self._transfer(source, None if links else file)
            if found.sha256 != copy.sha256 or copy.size_bytes not in (None, found.size_bytes):
                return Copied(copy, 0, False, "is damaged: it does not hash to its digest")
            if links:
                self._files.link(copy.source, copy.target)
            else:
                self._files.seal(file)
                self._files.sync_file(file)
                self._files.rename(temporary, copy.target)
        except OSError as error:
            return Copied(copy, 0, False, f"cannot be read: {os.strerror(error.errno or 0)}")
        finally:
            self._files.remove(temporary)
        folder = copy.target.parent
        self._unsynced.update((folder, folder.parent, folder.parent.parent))
        return Copied(copy, found.size_bytes, True)

    def _transfer(self, source: Descriptor, target: Descriptor | None) -> Digest:
        hasher = hashlib.sha256()
        size = 0
        while piece := os.pread(source.number, _PIECE_BYTES, size):
            hasher.update(piece)
            if target is not None:
                self._files.write(target, [piece], size)
            size += len(piece)
        return Digest(hasher.hexdigest(), size)
