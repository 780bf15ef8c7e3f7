"""The index side of a running server: PostgreSQL, its schema, and the catalogs over it."""

from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import datetime

from kho_server.byte_room import ByteRoom
from kho_server.config import Config
from kho_server.setting import ConfigError
from kho_storage.catalog.access_log import PostgresAccessLog
from kho_storage.catalog.answers import PostgresAnswerBook
from kho_storage.catalog.database import Database
from kho_storage.catalog.documents import PostgresDocuments
from kho_storage.catalog.migrations import migrate
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.sequencer import Sequencer
from kho_storage.catalog.standing import PostgresStanding
from kho_storage.catalog.store import StoreRow, claim_store
from kho_storage.catalog.uploads import PostgresUploads
from kho_storage.catalog.verdicts import PostgresVerdicts
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedOptions, EmbeddedPostgres

# For whoever looks at the embedded database beside the pool: backups, psql, the tests.
_SPARE_CONNECTIONS = 16


@dataclass(frozen=True, slots=True)
class IndexRoom:
    """The catalogs over one database that belongs to this server's data folder."""

    database: Database
    store: StoreRow
    registry: PostgresRegistry
    uploads: PostgresUploads
    documents: PostgresDocuments
    verdicts: PostgresVerdicts
    answers: PostgresAnswerBook
    access_log: PostgresAccessLog
    standing: PostgresStanding
    sequencer: Sequencer


@asynccontextmanager
async def index_room(config: Config, room: ByteRoom, clock: Callable[[], datetime]) -> AsyncIterator[IndexRoom]:
    """Run or reach PostgreSQL, bring its schema up to date, and open the catalogs while the block runs.

    ConfigError: the database URL cannot be used. CatalogUnavailable, PostgresFailed, StoreMismatch: as their names
    say; nothing is left running.
    """
    async with AsyncExitStack() as stack:
        settings = await _settings(config, room, stack)
        database = await Database.open(settings.connect_args(), max_connections=config.database_connections)
        stack.push_async_callback(database.close)
        async with database.connection() as connection:
            await migrate(connection)
        identity = room.folder.identity
        store = await claim_store(
            database,
            identity.store_id,
            identity.repository_id,
            clock(),
            folder_holds_documents=await room.holds_documents(),
        )
        sequencer = Sequencer(database, clock)
        sequencer.start()
        stack.push_async_callback(sequencer.stop)
        access_log = PostgresAccessLog(database)
        await access_log.start(clock().date())
        stack.push_async_callback(access_log.drain)
        yield IndexRoom(
            database=database,
            store=store,
            registry=PostgresRegistry(database),
            uploads=PostgresUploads(database),
            documents=PostgresDocuments(database),
            verdicts=PostgresVerdicts(database),
            answers=PostgresAnswerBook(database),
            access_log=access_log,
            standing=PostgresStanding(database),
            sequencer=sequencer,
        )


async def _settings(config: Config, room: ByteRoom, stack: AsyncExitStack) -> ConnectionSettings:
    if config.database_url is not None:
        try:
            return ConnectionSettings.from_url(config.database_url)
        except ValueError as error:
            raise ConfigError(f"--database-url (or KHO_DATABASE_URL): {error}") from error
    options = EmbeddedOptions(
        source=config.database_source, max_connections=config.database_connections + _SPARE_CONNECTIONS
    )
    embedded = await stack.enter_async_context(EmbeddedPostgres(room.folder.postgres, options))
    return embedded.settings
