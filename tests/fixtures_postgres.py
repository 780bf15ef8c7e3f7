"""One real PostgreSQL for each test process, one fresh database for each test."""

import asyncio
import itertools
import os
import shutil
import tempfile
import threading
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from concurrent.futures import Future
from dataclasses import replace
from pathlib import Path

import asyncpg
import pytest

from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedOptions, EmbeddedPostgres

ApplySchema = Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[None]]

TEMPLATE = "kho_template"
_MEMORY = Path("/dev/shm")
_MEMORY_NEEDED_BYTES = 4 * 1024**3
_numbers = itertools.count(1)


async def create_database(server: EmbeddedPostgres, name: str, template: str = "template0") -> ConnectionSettings:
    """Make a database that belongs to the service's role."""
    connection = await asyncpg.connect(**server.administrator.connect_args())
    try:
        await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template} OWNER {server.settings.user}")
    finally:
        await connection.close()
    return server.settings.with_database(name)


async def drop_database(server: EmbeddedPostgres, name: str) -> None:
    """Remove a database and whoever is still connected to it."""
    connection = await asyncpg.connect(**server.administrator.connect_args())
    try:
        await connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
    finally:
        await connection.close()


@pytest.fixture(scope="session")
def apply_schema() -> ApplySchema:
    """Fill the template database; overridden where a schema exists."""

    async def nothing(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Leave the database empty."""

    return nothing


@pytest.fixture(scope="session")
def postgres() -> Iterator[EmbeddedPostgres]:
    """Run one embedded server for all tests of this process (each xdist worker is a process).

    It lives in a loop of its own thread, because each test has its own loop. In memory when there is room:
    the durable settings stay on, and syncs cost nothing there.
    """
    folder = Path(tempfile.mkdtemp(prefix="kho-tests-", dir=_roomy_folder()))
    server = EmbeddedPostgres(folder / "postgres", EmbeddedOptions(max_connections=200, shared_buffers_mib=64))
    started: Future[asyncio.AbstractEventLoop] = Future()
    finish = asyncio.Event()

    async def live() -> None:
        try:
            async with server:
                started.set_result(asyncio.get_running_loop())
                await finish.wait()
        except BaseException as error:
            if not started.done():
                started.set_exception(error)
            raise

    thread = threading.Thread(target=lambda: asyncio.run(live()), name="postgres-of-the-tests")
    thread.start()
    try:
        loop = started.result()
        yield server
        loop.call_soon_threadsafe(finish.set)
    finally:
        thread.join()
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres, apply_schema: ApplySchema) -> str:
    """Make the database that every test's own is copied from, and return its name."""

    async def make() -> None:
        settings = await create_database(postgres, TEMPLATE)
        connection = await asyncpg.connect(**settings.connect_args())
        try:
            await apply_schema(connection)
        finally:
            await connection.close()

    with asyncio.Runner() as runner:
        runner.run(make())
    return TEMPLATE


@pytest.fixture
async def database(postgres: EmbeddedPostgres, template_database: str) -> AsyncIterator[ConnectionSettings]:
    """Give a fresh database with the schema in it."""
    async for settings in _fresh(postgres, template_database):
        yield settings


@pytest.fixture
async def empty_database(postgres: EmbeddedPostgres) -> AsyncIterator[ConnectionSettings]:
    """Give a fresh database with nothing in it, for migrations."""
    async for settings in _fresh(postgres, "template0"):
        yield settings


async def _fresh(server: EmbeddedPostgres, template: str) -> AsyncIterator[ConnectionSettings]:
    name = f"test_{next(_numbers)}"
    settings = await create_database(server, name, template)
    yield replace(settings, application_name=name)
    await drop_database(server, name)


def _roomy_folder() -> Path | None:
    """Return the memory file system when it holds a database with ease, None for the usual place."""
    if not os.access(_MEMORY, os.W_OK):
        return None
    room = os.statvfs(_MEMORY)
    return _MEMORY if room.f_bavail * room.f_frsize >= _MEMORY_NEEDED_BYTES else None
