"""The few calls that touch the disk durably; everything else in this package goes through them.

The pattern of every new file: temporary file -> write -> fsync -> link or rename -> fsync the folder. A
file's own fsync does not make its name durable (`man 2 fsync`), hence the last step.
"""

import contextlib
import errno
import os
import secrets
from collections.abc import Iterator, Sequence
from pathlib import Path

from kho_storage.errors import StorageFull

FOLDER_MODE = 0o700
WRITABLE_MODE = 0o600
SEALED_MODE = 0o444

# EFBIG: a limit on file sizes (RLIMIT_FSIZE, the file system's own) is no room as well.
_NO_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
# Linux takes at most IOV_MAX = 1024 buffers in one call.
_MAX_BUFFERS = 1024


class Descriptor:
    """An open file that closes when the last one who holds it lets go.

    A thread job whose caller was cancelled returns to nobody, and a batch of syncs may outlive the writer
    that asked for it: with plain numbers the first would leak, and the second could sync a foreign file
    whose number was given out again.
    """

    __slots__ = ("number",)

    def __init__(self, number: int) -> None:
        """Take over an open descriptor."""
        self.number = number

    def fileno(self) -> int:
        """Return the number, as the os module wants it."""
        return self.number

    def __del__(self) -> None:
        """Close; an error here has no one to go to, and what counted was synced before."""
        with contextlib.suppress(OSError):
            os.close(self.number)


@contextlib.contextmanager
def disk_errors() -> Iterator[None]:
    """Turn "no room" in its three spellings into StorageFull; other errors pass as they are."""
    try:
        yield
    except OSError as error:
        if error.errno in _NO_ROOM:
            raise StorageFull(f"no room on the device: {os.strerror(error.errno or 0)}") from error
        raise


def names_in(folder: Path) -> list[str]:
    """Return the names in a folder, unsorted. Blocks."""
    return os.listdir(folder)  # noqa: PTH208 - a Path object for each of 10,000 names costs twice the time


class DurableFiles:
    """Durable calls as methods, so that a test can hand in one that records their order.

    Every method blocks and belongs on a thread. StorageFull: no room; other failures are OSError.
    """

    def sync_file(self, file: Descriptor) -> None:
        """Make the bytes and the size of an open file durable.

        fsync, not fdatasync: the two cost the same here (0.38 and 0.37 ms for 400 kB on ext4), because a file
        that grew needs its size written in either case, and fsync keeps the mode as well.
        """
        with disk_errors():
            os.fsync(file.number)

    def sync_folder(self, folder: Path) -> None:
        """Make the names in a folder durable."""
        with disk_errors():
            opened = Descriptor(os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC))
            os.fsync(opened.number)

    def make_folder(self, folder: Path) -> None:
        """Make a folder if it is not there; its name is durable once its parent is synced."""
        with disk_errors(), contextlib.suppress(FileExistsError):
            folder.mkdir(FOLDER_MODE)

    def open_new_or_old(self, path: Path) -> Descriptor:
        """Open a file for reading and writing; a power cut may have left it sealed, so unseal it first."""
        with disk_errors():
            with contextlib.suppress(FileNotFoundError):
                path.chmod(WRITABLE_MODE)
            return Descriptor(os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, WRITABLE_MODE))

    def open_for_reading(self, path: Path) -> Descriptor:
        """Open a file that must be there."""
        return Descriptor(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW))

    def open_temporary(self, folder: Path) -> tuple[Path, Descriptor]:
        """Make a new file of a random name, for bytes that get their real name by `link` when synced."""
        path = folder / f"{secrets.token_hex(16)}.tmp"
        with disk_errors():
            flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC
            return path, Descriptor(os.open(path, flags, WRITABLE_MODE))

    def write(self, file: Descriptor, data: Sequence[bytes], offset: int) -> int:
        """Write all buffers one after the other from `offset`; return how many bytes they are."""
        start = offset
        waiting = [memoryview(piece) for piece in data if piece]
        with disk_errors():
            while waiting:
                written = os.pwritev(file.number, waiting[:_MAX_BUFFERS], offset)
                offset += written
                while waiting and written >= len(waiting[0]):
                    written -= len(waiting.pop(0))
                if written:
                    waiting[0] = waiting[0][written:]
        return offset - start

    def cut(self, file: Descriptor, length: int) -> None:
        """Cut a file to `length` bytes."""
        os.ftruncate(file.number, length)

    def seal(self, file: Descriptor) -> None:
        """Make a file read-only: from here on its bytes answer for its name."""
        os.fchmod(file.number, SEALED_MODE)

    def link(self, source: Path, target: Path) -> None:
        """Give a synced file a second name. FileExistsError: the name is taken; nothing was overwritten."""
        with disk_errors():
            os.link(source, target)

    def rename(self, source: Path, target: Path) -> None:
        """Give a synced file its final name; only where nobody else can take that name meanwhile."""
        with disk_errors():
            source.rename(target)

    def remove(self, path: Path) -> None:
        """Remove a name if it is there; gone for good once its folder is synced."""
        path.unlink(missing_ok=True)
