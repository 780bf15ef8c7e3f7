"""Reaching a store from the command line of its own machine, whether its server runs or not."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import cast
from uuid import uuid4

from kho_server.keeping.errors import KeepingFailed
from kho_storage.blobs.data_folder import DataFolder, StoreIdentity, read_identity
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.catalog.database import Database
from kho_storage.catalog.migrations import migrate
from kho_storage.catalog.statements import statements
from kho_storage.catalog.store import find_store
from kho_storage.errors import StoreInUse
from kho_storage.postgres.beside import settings_beside
from kho_storage.postgres.binaries import Source
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedOptions, EmbeddedPostgres

_CONNECTIONS = 4
# Comparing all projections of a province with all its events is one statement.
_STATEMENT_TIMEOUT_S = 6 * 3600.0


@dataclass(frozen=True, slots=True)
class ReachedStore:
    """A store with its database; `is_served` while a server runs over it."""

    root: Path
    identity: StoreIdentity
    is_served: bool
    settings: ConnectionSettings
    database: Database


@asynccontextmanager
async def reach(data: Path, environment: Mapping[str, str]) -> AsyncIterator[ReachedStore]:
    """Reach a store; without a running server its folder is held and its own PostgreSQL started for this moment.

    KeepingFailed: there is no store, or folder and database do not belong together. Other errors: of storage.
    """
    async with AsyncExitStack() as stack:
        data = await asyncio.to_thread(data.absolute)
        identity = await asyncio.to_thread(read_identity, data)
        if identity is None:
            raise KeepingFailed(f"{data} is not a data folder of Kho: it holds no store.json")
        is_served = not await hold(data, identity, stack)
        settings = await _settings(data, environment, is_served, stack)
        database = await open_database(settings, stack)
        empty = await database.fetch_one(statements("keeping")["is_empty"])
        store = await find_store(database) if empty is not None and not empty["is_empty"] else None
        if store is None or store.store_id != identity.store_id:
            raise KeepingFailed(
                f"the database is not that of the data folder {data} (store {identity.store_id}): name its own with "
                "KHO_DATABASE_URL; if it is lost: kho rebuild"
            )
        if not is_served:
            async with database.connection() as connection:
                await migrate(connection)
        yield ReachedStore(data, identity, is_served, settings, database)


async def hold(data: Path, identity: StoreIdentity, stack: AsyncExitStack) -> bool:
    """Keep servers out while the stack is open; False: one runs already."""
    try:
        folder = await asyncio.to_thread(
            DataFolder.open, data, repository_id=identity.repository_id, new_store_id=uuid4, files=DurableFiles()
        )
    except StoreInUse:
        return False
    stack.callback(folder.close)
    return True


async def open_database(settings: ConnectionSettings, stack: AsyncExitStack) -> Database:
    """Open a few connections that may wait for long statements."""
    database = await Database.open(
        settings.connect_args(), max_connections=_CONNECTIONS, statement_timeout_s=_STATEMENT_TIMEOUT_S
    )
    stack.push_async_callback(database.close)
    return database


async def own_postgres(data: Path, environment: Mapping[str, str], stack: AsyncExitStack) -> ConnectionSettings:
    """Return the external database that the environment names, else run the folder's own PostgreSQL."""
    external = external_settings(environment)
    if external is not None:
        return external
    options = EmbeddedOptions(source=database_source(environment))
    return (await stack.enter_async_context(EmbeddedPostgres(data / "postgres", options))).settings


def external_settings(environment: Mapping[str, str]) -> ConnectionSettings | None:
    """Return what KHO_DATABASE_URL names, None without it. KeepingFailed: it cannot be used."""
    url = environment.get("KHO_DATABASE_URL")
    if not url:
        return None
    try:
        return ConnectionSettings.from_url(url)
    except ValueError as error:
        raise KeepingFailed(f"KHO_DATABASE_URL: {error}") from error


def database_source(environment: Mapping[str, str]) -> Source:
    """Return which PostgreSQL programs are wanted (KHO_DATABASE_SOURCE)."""
    word = environment.get("KHO_DATABASE_SOURCE") or "auto"
    if word not in ("auto", "installed", "wheel"):
        raise KeepingFailed("KHO_DATABASE_SOURCE is auto, installed or wheel")
    return cast(Source, word)


async def _settings(
    data: Path, environment: Mapping[str, str], is_served: bool, stack: AsyncExitStack
) -> ConnectionSettings:
    if is_served and not environment.get("KHO_DATABASE_URL"):
        return settings_beside(data / "postgres")
    return await own_postgres(data, environment, stack)
