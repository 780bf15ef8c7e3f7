"""Fixtures for every test."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable

import asyncpg
import pytest

from kho_storage.catalog.database import Database
from kho_storage.catalog.migrations import migrate
from kho_storage.postgres.connection import ConnectionSettings

pytest_plugins = ["tests.fixtures_postgres"]

# A shell that runs us in the background ignores Ctrl-C for us, and so it would be for every program that we start.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(scope="session")
def apply_schema() -> Callable[["asyncpg.Connection[asyncpg.Record]"], Awaitable[None]]:
    """Fill the template database with the schema of the catalog."""

    async def apply(connection: "asyncpg.Connection[asyncpg.Record]") -> None:
        """Apply all migrations."""
        await migrate(connection)

    return apply


@pytest.fixture
async def catalog(database: ConnectionSettings) -> AsyncIterator[Database]:
    """Give a pool of connections to a fresh database with the schema in it."""
    opened = await Database.open(database.connect_args(), max_connections=8)
    yield opened
    await opened.close()
