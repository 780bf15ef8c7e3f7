"""The connection pool, and the one place where PostgreSQL's failures become ours."""

import asyncio
import json
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager, contextmanager
from typing import Any, TypeAlias

import asyncpg
from asyncpg.pool import PoolConnectionProxy

from kho_storage.errors import CatalogUnavailable, Conflict, StorageFull

Row: TypeAlias = asyncpg.Record
Connection: TypeAlias = "asyncpg.Connection[Row] | PoolConnectionProxy[Row]"

# Failures after which nothing is known of the last transaction and all may be tried again.
_GONE = (
    OSError,
    TimeoutError,
    asyncpg.PostgresConnectionError,
    asyncpg.InterfaceError,
    # Raised on a connection whose backend was terminated a moment ago (seen with asyncpg 0.32).
    asyncpg.InternalClientError,
    asyncpg.CannotConnectNowError,
    asyncpg.AdminShutdownError,
    asyncpg.CrashShutdownError,
    asyncpg.TooManyConnectionsError,
    asyncpg.QueryCanceledError,
    asyncpg.SerializationError,
    asyncpg.DeadlockDetectedError,
    asyncpg.InvalidCatalogNameError,
    # An administrator has closed the database to connections, as for a restore.
    asyncpg.ObjectNotInPrerequisiteStateError,
    asyncpg.InvalidAuthorizationSpecificationError,
)


@contextmanager
def translated() -> Iterator[None]:
    """Translate driver errors: Conflict for constraints, StorageFull for a full disk, else CatalogUnavailable."""
    try:
        yield
    except asyncpg.IntegrityConstraintViolationError as error:
        raise Conflict(error.constraint_name or "unnamed") from error
    except (asyncpg.DiskFullError, asyncpg.OutOfMemoryError) as error:
        raise StorageFull("PostgreSQL has no room left") from error
    except _GONE as error:
        raise CatalogUnavailable("PostgreSQL does not answer") from error


async def _prepare(connection: "asyncpg.Connection[Row]") -> None:
    """Let jsonb travel as Python values on every connection."""
    await connection.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog", format="text")


async def _leave(connection: "asyncpg.Connection[Row]") -> None:
    """Leave a connection as it is when it comes back.

    asyncpg has rolled back by then; its own reset would send one more statement after each of ours, to undo what
    nobody here does to a session: a round trip more for every read.
    """


# A database that takes longer over nothing is away as far as a desk is concerned.
_PING_S = 2.0


class Database:
    """A pool of connections to one PostgreSQL; every failure leaves it as an error of `kho_storage.errors`."""

    def __init__(self, pool: "asyncpg.Pool[Row]", acquire_timeout_s: float) -> None:
        """Take an opened pool; use `open`."""
        self._pool = pool
        self._acquire_timeout_s = acquire_timeout_s

    @classmethod
    async def open(
        cls,
        connect_args: Mapping[str, Any],
        *,
        max_connections: int = 16,
        acquire_timeout_s: float = 5.0,
        statement_timeout_s: float = 10.0,
    ) -> "Database":
        """Open a pool. CatalogUnavailable: the server does not answer."""
        arguments = dict(connect_args)
        settings = dict(arguments.pop("server_settings", {}))
        settings.setdefault("application_name", "kho")
        with translated():
            pool = await asyncpg.create_pool(
                **arguments,
                min_size=1,
                max_size=max_connections,
                command_timeout=statement_timeout_s,
                timeout=acquire_timeout_s,
                init=_prepare,
                reset=_leave,
                server_settings=settings,
            )
        return cls(pool, acquire_timeout_s)

    async def close(self) -> None:
        """Close all connections, at once those that do not answer within a second."""
        try:
            async with asyncio.timeout(1.0):
                await self._pool.close()
        except TimeoutError:
            self._pool.terminate()

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        """Lend a connection outside a transaction."""
        with translated():
            async with self._pool.acquire(timeout=self._acquire_timeout_s) as connection:
                yield connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        """Lend a connection inside a transaction: committed at the end, rolled back on any error.

        CatalogUnavailable leaves open whether the transaction happened.
        """
        with translated():
            async with self._pool.acquire(timeout=self._acquire_timeout_s) as connection:
                async with connection.transaction():
                    yield connection

    async def fetch(self, statement: str, *arguments: object) -> list[Row]:
        """Return all rows of one statement."""
        async with self.connection() as connection:
            return await connection.fetch(statement, *arguments)

    async def fetch_one(self, statement: str, *arguments: object) -> Row | None:
        """Return the first row of one statement, if any."""
        async with self.connection() as connection:
            return await connection.fetchrow(statement, *arguments)

    async def execute(self, statement: str, *arguments: object) -> None:
        """Run one statement."""
        async with self.connection() as connection:
            await connection.execute(statement, *arguments)

    async def execute_many(self, statement: str, rows: Sequence[Sequence[object]]) -> None:
        """Run one statement for many rows, all or none."""
        async with self.connection() as connection:
            await connection.executemany(statement, rows)

    async def ping(self) -> None:
        """Ask for nothing. CatalogUnavailable: no answer within the acquire time-out."""
        async with self.connection() as connection:
            await connection.fetchval("SELECT 1", timeout=_PING_S)

    @property
    def connections_open(self) -> int:
        """Connections of the pool that are open."""
        return self._pool.get_size()

    @property
    def connections_idle(self) -> int:
        """Connections of the pool that are open and unused."""
        return self._pool.get_idle_size()
