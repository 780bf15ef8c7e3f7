"""A log file that never grows past two halves of its bound."""

import contextlib
import os
from collections import deque
from pathlib import Path

_TAIL_LINES = 12
_TAIL_LINE_CHARACTERS = 400


class BoundedLog:
    """Appends what a child says to `path`; a full file is renamed to `path.1` and begun anew.

    Used by one thread at a time. A full disk loses log lines, never the child.
    """

    def __init__(self, path: Path, limit_bytes: int = 8 * 1024 * 1024) -> None:
        """Keep at most `limit_bytes` in each of the two files."""
        self._path = path
        self._limit_bytes = limit_bytes
        self._tail: deque[str] = deque(maxlen=_TAIL_LINES)

    def write(self, line: bytes) -> None:
        """Append one line."""
        self._tail.append(line.decode("utf-8", "replace").rstrip()[:_TAIL_LINE_CHARACTERS])
        with contextlib.suppress(OSError):
            self._append(line)

    def tail(self) -> str:
        """Return the last lines, for an error message."""
        return "\n".join(tuple(self._tail))

    def forget(self) -> None:
        """Begin a new tail: what an earlier child said explains nothing about the next one."""
        self._tail.clear()

    def _append(self, line: bytes) -> None:
        descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        try:
            if os.fstat(descriptor).st_size + len(line) > self._limit_bytes:
                self._path.replace(self._path.with_name(f"{self._path.name}.1"))
                os.close(descriptor)
                descriptor = os.open(self._path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
            os.write(descriptor, line)
        finally:
            os.close(descriptor)
