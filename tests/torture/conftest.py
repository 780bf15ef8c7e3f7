"""What these tests share: a development server, callers of it, and a folder in memory."""

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.end_to_end.conftest import server, station

__all__ = ["folder", "server", "station"]

_MEMORY = Path("/dev/shm")


@pytest.fixture
def folder() -> Iterator[Path]:
    """Give a folder where syncs cost nothing: a kill takes nothing that was written, and cuts of power are a model."""
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as made:
        yield Path(made)
