"""A lock on a folder that ends with the processes which hold it."""

import fcntl
import os
from pathlib import Path


class FolderLock:
    """Holds `flock` on a file; whoever inherits `descriptor` holds it too, until all of them are gone.

    That is what makes it more than a process id in a file: a number may be used again, a lock ends exactly
    with its last holder.
    """

    def __init__(self, path: Path) -> None:
        """Name the file of the lock; nothing is taken yet."""
        self._path = path
        self._descriptor: int | None = None

    @property
    def is_held(self) -> bool:
        """Whether this process took the lock and has not let go."""
        return self._descriptor is not None

    @property
    def descriptor(self) -> int:
        """The open file, to hand to a child."""
        if self._descriptor is None:
            raise RuntimeError("the lock is not held")
        return self._descriptor

    def take(self) -> bool:
        """Take the lock if nobody holds it and tell whether that worked; OSError when the file cannot be."""
        descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        except BaseException:
            os.close(descriptor)
            raise
        self._descriptor = descriptor
        return True

    def release(self) -> None:
        """Let go; children that inherited it still hold it."""
        if self._descriptor is not None:
            os.close(self._descriptor)
            self._descriptor = None
