"""Looks at the files a command names before anything is asked of a server."""

from collections.abc import Iterable
from pathlib import Path

from kho_client.connection import file_unreadable


def require_readable(files: Iterable[Path | None]) -> None:
    """Open every file once; LocalProblem FILE_UNREADABLE names the first that cannot be."""
    for path in files:
        if path is None:
            continue
        try:
            path.open("rb").close()
        except OSError as error:
            raise file_unreadable(path, error) from error
