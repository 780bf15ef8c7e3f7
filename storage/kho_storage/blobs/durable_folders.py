"""Which folders are known to be durable, so that their parents are synced once and not at every file."""

from collections import OrderedDict
from collections.abc import Iterable
from pathlib import Path
from threading import Lock

from kho_storage.blobs.durable_files import DurableFiles

_CAPACITY = 65_536


class DurableFolders:
    """Makes folders below a root and remembers which of them survived a sync by this process.

    That a folder exists proves nothing: a killed process may have made it without a sync, and another
    thread may have made it a moment ago. So the first use in a process syncs all parents; the memory is
    bounded, and forgetting costs one sync more. Thread-safe.
    """

    def __init__(self, root: Path, files: DurableFiles) -> None:
        """Take a root that is itself durable."""
        self._root = root
        self._files = files
        self._known: OrderedDict[Path, None] = OrderedDict()
        self._lock = Lock()

    def make(self, folder: Path) -> tuple[Path, ...]:
        """Make a folder with its parents; return what must be synced before its name is durable.

        Call `remember` with the same folder after that sync, and only if nobody removed it meanwhile.
        """
        unsynced = self.unsynced(folder)
        if unsynced:
            for each in self._chain(folder):
                self._files.make_folder(each)
        return unsynced

    def unsynced(self, folder: Path) -> tuple[Path, ...]:
        """Return the parents to sync before the name of this folder is durable; none if it is known to be."""
        with self._lock:
            if folder in self._known:
                self._known.move_to_end(folder)
                return ()
        return tuple(each.parent for each in reversed(self._chain(folder)))

    def remember(self, folder: Path) -> None:
        """Note that a folder and all its parents are durable."""
        with self._lock:
            for each in self._chain(folder):
                self._known[each] = None
                self._known.move_to_end(each)
            while len(self._known) > _CAPACITY:
                self._known.popitem(last=False)

    def forget(self, folders: Iterable[Path]) -> None:
        """Note that folders are about to be removed."""
        with self._lock:
            for each in folders:
                self._known.pop(each, None)

    def _chain(self, folder: Path) -> list[Path]:
        chain = [folder, *folder.parents]
        return chain[: chain.index(self._root)][::-1]
