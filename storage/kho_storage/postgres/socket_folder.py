"""Where the embedded PostgreSQL listens: a folder only Kho may enter, with a path short enough."""

import os
import shutil
import tempfile
from pathlib import Path

from kho_storage.postgres.connection import DEFAULT_PORT

# unix(7): sun_path holds 108 bytes with the closing zero.
_LONGEST_PATH_BYTES = 107
_SOCKET_NAME = f".s.PGSQL.{DEFAULT_PORT}"
_PREFIX = "kho-pg-"


def make_socket_folder(data: Path) -> Path:
    """Return an empty folder of mode 0700 for the socket, below `data` when its path is short enough.

    Otherwise a temporary folder with a random name; `data/socket.link` remembers it, so that the next start
    removes what a killed Kho left.
    """
    clear_socket_folder(data)
    beside = data / "socket"
    if len(os.fsencode(beside / _SOCKET_NAME)) <= _LONGEST_PATH_BYTES:
        beside.mkdir(0o700)
        return beside
    # /tmp, not TMPDIR: that one is as long as somebody made it.
    folder = Path(tempfile.mkdtemp(prefix=_PREFIX, dir="/tmp"))
    (data / "socket.link").symlink_to(folder)
    return folder


def find_socket_folder(data: Path) -> Path | None:
    """Return the folder that the last start made, None if there is none."""
    link = data / "socket.link"
    folder = link.readlink() if link.is_symlink() else data / "socket"
    return folder if folder.is_dir() else None


def clear_socket_folder(data: Path) -> None:
    """Remove the socket folder of an earlier start; nobody may be listening in it any more."""
    shutil.rmtree(data / "socket", ignore_errors=True)
    link = data / "socket.link"
    if link.is_symlink():
        folder = link.readlink()
        if folder.name.startswith(_PREFIX):
            shutil.rmtree(folder, ignore_errors=True)
        link.unlink(missing_ok=True)
