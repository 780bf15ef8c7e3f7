"""One store that all tests of a process copy, and servers of single tests."""

import asyncio
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.serving import Server
from tests.server.keeping.stores import Stocked, serve_again, stock


@pytest.fixture(scope="session")
def stocked(tmp_path_factory: pytest.TempPathFactory) -> Stocked:
    """Fill a store once."""
    return asyncio.run(stock(tmp_path_factory.mktemp("stocked")))


@pytest.fixture
def serving(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Make servers over stores, new ones or given; they are not started yet, and ended with the test."""
    made: list[Server] = []

    def make(data: Path | None = None, **settings: str) -> Server:
        folder = tmp_path / f"served-{len(made)}"
        made.append(serve_again(folder, data or folder / "data", **settings))
        return made[-1]

    yield make
    for each in made:
        each.stop_blocking()
