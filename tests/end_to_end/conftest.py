"""One development server for all tests of a process that leave it as it was; tests that kill have their own."""

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from tests.end_to_end.caller import Caller
from tests.end_to_end.secrecy import told_secrets
from tests.end_to_end.serving import Server


@pytest.fixture(scope="session")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with its usual settings; whatever the tests did, its log tells no fault and no secret."""
    shared = Server(tmp_path_factory.mktemp("kho"))
    shared.start_blocking()
    yield shared
    told = asyncio.run(told_secrets(shared))
    shared.stop_blocking()
    assert not told, told[:3]
    faults = [line for line in shared.log.splitlines() if '"level": "error"' in line or "Traceback" in line]
    assert not faults, faults[:3]


@pytest.fixture(scope="session")
def tight(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """Run a server with small limits."""
    settings = {
        "stall_timeout_s": "1",
        "page_bytes": "65536",
        "unacknowledged_bytes": "262144",
        "chunk_bytes": "65536",
        "message_bytes": "131072",
        "acknowledge_every_s": "0.2",
        "lease_s": "60",
    }
    small = Server(tmp_path_factory.mktemp("tight"), settings)
    small.start_blocking()
    yield small
    small.stop_blocking()


@pytest.fixture
def own(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Make servers of this test alone; they are not started yet, and ended with it."""
    made: list[Server] = []

    def make(**settings: str) -> Server:
        folder = tmp_path / f"own-{len(made)}"
        folder.mkdir()
        made.append(Server(folder, settings))
        return made[-1]

    yield make
    for each in made:
        each.stop_blocking()


@pytest.fixture
async def station(server: Server) -> AsyncIterator[Caller]:
    """Speak as agency-a's station."""
    async with server.caller("station") as caller:
        yield caller


@pytest.fixture
async def other(server: Server) -> AsyncIterator[Caller]:
    """Speak as agency-b, which may have agency-a's results."""
    async with server.caller("agency-b") as caller:
        yield caller


@pytest.fixture
async def stranger(server: Server) -> AsyncIterator[Caller]:
    """Speak as agency-c, which may have nothing of agency-a's."""
    async with server.caller("agency-c") as caller:
        yield caller
