"""A disk that writes down every call, so that each state in which a cut of power may leave it can be made.

The model is what fsync(2) promises and no more: bytes of a file are safe after a sync of the file, names in a folder
after a sync of the folder. Whatever was not synced may be there or not, in any order; of a write any beginning, or
zeros in its place, may be there. Only a rename is never half done: no file system in README.md tears one.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import RLock

from kho_storage.blobs.durable_files import Descriptor, DurableFiles


@dataclass(frozen=True)
class Named:
    """A file or folder gets a name; a rename takes the old one away."""

    folder: int
    name: str
    thing: int
    is_folder: bool
    old: tuple[int, str] | None = None


@dataclass(frozen=True)
class Unnamed:
    """A name is removed."""

    folder: int
    name: str


@dataclass(frozen=True)
class Written:
    """Bytes were written to a file."""

    file: int
    offset: int
    data: bytes = field(repr=False)


@dataclass(frozen=True)
class Cut:
    """A file was cut to a length."""

    file: int
    length: int


@dataclass(frozen=True)
class Synced:
    """A file or folder was synced; only what was called before `began` is sure to be covered."""

    thing: int
    began: int


@dataclass(frozen=True)
class Told:
    """Somebody was promised something, or was told that a promise ends (`what` is None)."""

    key: tuple[object, ...]
    what: object | None


Step = Named | Unnamed | Written | Cut | Synced | Told


class RecordedDisk(DurableFiles):
    """Does everything for real below a folder, and writes it down in one order."""

    def __init__(self, root: Path) -> None:
        """Take an empty folder, which is durable itself."""
        self.root = root
        self.steps: list[Step] = []
        self._lock = RLock()
        self._folders: dict[Path, int] = {root: 0}
        self._files: dict[int, int] = {}
        self._last = 0

    def tell(self, key: tuple[object, ...], what: object | None) -> None:
        """Write down a promise; None: it holds no longer."""
        with self._lock:
            self.steps.append(Told(key, what))

    def sync_file(self, file: Descriptor) -> None:
        """Sync and write down."""
        with self._lock:
            began, thing = len(self.steps), self._files[os.fstat(file.number).st_ino]
        super().sync_file(file)
        self._note(Synced(thing, began))

    def sync_folder(self, folder: Path) -> None:
        """Sync and write down."""
        with self._lock:
            began, thing = len(self.steps), self._folders[folder]
        super().sync_folder(folder)
        self._note(Synced(thing, began))

    def make_folder(self, folder: Path) -> None:
        """Make and write down."""
        with self._lock:
            is_new = not folder.exists()
            super().make_folder(folder)
            if is_new:
                self._folders[folder] = self._new()
                self._name(folder, self._folders[folder], is_folder=True)

    def open_new_or_old(self, path: Path) -> Descriptor:
        """Open; a new file is written down."""
        with self._lock:
            is_new = not path.exists()
            file = super().open_new_or_old(path)
            if is_new:
                self._create(path, file)
            return file

    def open_temporary(self, folder: Path) -> tuple[Path, Descriptor]:
        """Open a new file and write it down."""
        with self._lock:
            path, file = super().open_temporary(folder)
            self._create(path, file)
            return path, file

    def write(self, file: Descriptor, data: Sequence[bytes], offset: int) -> int:
        """Write and write down."""
        with self._lock:
            size = super().write(file, data, offset)
            self.steps.append(Written(self._files[os.fstat(file.number).st_ino], offset, b"".join(data)))
            return size

    def cut(self, file: Descriptor, length: int) -> None:
        """Cut and write down."""
        with self._lock:
            super().cut(file, length)
            self.steps.append(Cut(self._files[os.fstat(file.number).st_ino], length))

    def link(self, source: Path, target: Path) -> None:
        """Link and write down."""
        with self._lock:
            super().link(source, target)
            self._name(target, self._files[target.stat().st_ino], is_folder=False)

    def rename(self, source: Path, target: Path) -> None:
        """Rename and write down; folders below a renamed one go with it."""
        with self._lock:
            is_folder = source.is_dir()
            old = (self._folders[source.parent], source.name)
            super().rename(source, target)
            if is_folder:
                moved = {path: thing for path, thing in self._folders.items() if path.is_relative_to(source)}
                for path, thing in moved.items():
                    del self._folders[path]
                    self._folders[target / path.relative_to(source)] = thing
                thing = self._folders[target]
            else:
                thing = self._files[target.stat().st_ino]
            self._name(target, thing, is_folder=is_folder, old=old)

    @contextmanager
    def watching(self) -> Iterator[None]:
        """See names that are removed, also by calls that do not pass through here."""
        _watchers.append(self._removing)
        try:
            yield
        finally:
            _watchers.remove(self._removing)

    def _removing(self, event: str, path: Path) -> None:
        with self._lock:
            # What is thrown away is emptied at each start: whether it is still there matters to nobody.
            if not path.is_relative_to(self.root) or "discarded" in path.parts or not os.path.lexists(path):
                return
            if event == "os.rmdir":
                if os.listdir(path):
                    return
                self._folders.pop(path)
            self.steps.append(Unnamed(self._folders[path.parent], path.name))

    def _create(self, path: Path, file: Descriptor) -> None:
        thing = self._files[os.fstat(file.number).st_ino] = self._new()
        self._name(path, thing, is_folder=False)

    def _name(self, path: Path, thing: int, *, is_folder: bool, old: tuple[int, str] | None = None) -> None:
        self.steps.append(Named(self._folders[path.parent], path.name, thing, is_folder, old))

    def _new(self) -> int:
        self._last += 1
        return self._last

    def _note(self, step: Step) -> None:
        with self._lock:
            self.steps.append(step)


_watchers: list[Callable[[str, Path], None]] = []


def _hook(event: str, arguments: tuple[object, ...]) -> None:
    if event in ("os.remove", "os.rmdir") and _watchers and isinstance(arguments[0], str | Path):
        path = Path(arguments[0])
        if path.is_absolute():
            for watcher in tuple(_watchers):
                watcher(event, path)


# Hooks cannot be taken back; without watchers this one does nothing.
sys.addaudithook(_hook)
