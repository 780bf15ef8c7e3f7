"""Positions: whoever reads by them misses nothing, however transactions commit."""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg
import pytest

from kho_storage.catalog.database import Connection, Database
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.catalog.sequencer import Sequencer
from kho_storage.catalog.statements import statements
from kho_storage.errors import CatalogUnavailable
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedPostgres
from kho_storage.records.registry import Actor

_NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def sequencer(catalog: Database, batch_events: int = 1000) -> Sequencer:
    """Return a sequencer whose clock stands a minute after the first event."""
    return Sequencer(catalog, lambda: _NOW + timedelta(minutes=1), batch_events=batch_events)


async def write(connection: Connection, seconds: float = 0) -> UUID:
    """Write an event that projects nothing and return its id."""
    at = _NOW + timedelta(seconds=seconds)
    new = NewEvent("paper", "1", "paper_folded", Actor(None, None), at, {})
    await record(connection, new)
    return new.event_id


async def read_after(catalog: Database, position: int, limit: int = 1000) -> list[tuple[int, UUID]]:
    """Read as every reader reads."""
    rows = await catalog.fetch(statements("sequencer")["events_after"], position, limit)
    return [(row["position"], row["event_id"]) for row in rows]


@pytest.fixture
async def other_catalog(database: ConnectionSettings) -> AsyncIterator[Database]:
    """Stand for a second server over the same database."""
    opened = await Database.open(database.connect_args(), max_connections=8)
    yield opened
    await opened.close()


async def test_positions_count_from_one_in_order_of_time(catalog: Database) -> None:
    async with catalog.transaction() as connection:
        written = [await write(connection, seconds) for seconds in (3, 1, 2)]
    assert await sequencer(catalog, batch_events=2).give() == 3
    expected = [written[1], written[2], written[0]]
    assert await read_after(catalog, 0) == list(enumerate(expected, start=1))


async def test_events_of_one_instant_keep_the_order_in_which_they_were_made(catalog: Database) -> None:
    async with catalog.transaction() as connection:
        written = [await write(connection) for _ in range(50)]
    await sequencer(catalog).give()
    assert [event_id for _, event_id in await read_after(catalog, 0)] == written


async def test_a_transaction_that_commits_late_is_missed_by_no_reader(catalog: Database) -> None:
    giver = sequencer(catalog)
    seen: list[tuple[int, UUID]] = []
    async with catalog.connection() as slow:
        transaction = slow.transaction()
        await transaction.start()
        late = await write(slow, 0)
        async with catalog.transaction() as quick:
            early = await write(quick, 5)
        await giver.give()
        seen += await read_after(catalog, 0)
        assert seen == [(1, early)]
        await transaction.commit()
    await giver.give()
    seen += await read_after(catalog, seen[-1][0])
    assert seen == [(1, early), (2, late)]


async def test_a_reader_beside_writers_and_two_sequencers_reads_everything_once(
    catalog: Database, other_catalog: Database
) -> None:
    written: list[UUID] = []
    is_done = asyncio.Event()

    async def writer(database: Database, number: int) -> None:
        for turn in range(15):
            async with database.transaction() as connection:
                ids = [await write(connection, seconds=(number * 7 + turn * 3) % 11) for _ in range(1 + turn % 3)]
            written.extend(ids)

    async def giver(database: Database) -> None:
        one = sequencer(database, batch_events=4)
        while not is_done.is_set():
            await one.give()
        await one.give()

    async def reader(database: Database) -> list[tuple[int, UUID]]:
        seen: list[tuple[int, UUID]] = []
        while True:
            was_done = is_done.is_set() and all(task.done() for task in givers)
            found = await read_after(database, seen[-1][0] if seen else 0, limit=5)
            seen += found
            if was_done and not found:
                return seen

    givers = [asyncio.create_task(giver(database)) for database in (catalog, other_catalog)]
    readers = [asyncio.create_task(reader(database)) for database in (catalog, other_catalog)]
    await asyncio.gather(*(writer(catalog if n % 2 else other_catalog, n) for n in range(5)))
    is_done.set()
    await asyncio.gather(*givers)
    for seen in await asyncio.gather(*readers):
        assert [position for position, _ in seen] == list(range(1, len(written) + 1))
        assert sorted(event_id for _, event_id in seen) == sorted(written)


async def test_the_background_task_gives_positions_and_tells_its_lag(catalog: Database) -> None:
    given: asyncio.Queue[int] = asyncio.Queue()
    giver = Sequencer(catalog, lambda: _NOW + timedelta(minutes=1), interval_s=60, on_given=given.put_nowait)
    async with catalog.transaction() as connection:
        await write(connection)
    giver.start()
    try:
        assert await given.get() == 1
        async with catalog.transaction() as connection:
            await write(connection)
        giver.notify()
        assert await given.get() == 1
        assert [position for position, _ in await read_after(catalog, 0)] == [1, 2]
    finally:
        await giver.stop()


async def test_it_goes_on_by_itself_without_being_told(catalog: Database) -> None:
    given: asyncio.Queue[int] = asyncio.Queue()
    giver = Sequencer(catalog, lambda: _NOW, interval_s=0.01, on_given=given.put_nowait)
    giver.start()
    try:
        async with catalog.transaction() as connection:
            await write(connection)
        assert await given.get() == 1
    finally:
        await giver.stop()


async def test_lag_counts_what_waits_and_grows_with_time(catalog: Database) -> None:
    now = [_NOW]
    giver = Sequencer(catalog, lambda: now[0])
    assert (giver.lag.events, giver.lag.age_s) == (0, 0.0)
    async with catalog.transaction() as connection:
        await write(connection)
        await write(connection, 4)
    await giver.look()
    now[0] += timedelta(seconds=30)
    assert (giver.lag.events, giver.lag.age_s) == (2, 30.0)
    await giver.give()
    await giver.look()
    assert (giver.lag.events, giver.lag.age_s) == (0, 0.0)


async def test_it_outlives_an_absence_of_the_database(
    postgres: EmbeddedPostgres, database: ConnectionSettings, catalog: Database
) -> None:
    given: asyncio.Queue[int] = asyncio.Queue()
    giver = Sequencer(catalog, lambda: _NOW, interval_s=0.01, on_given=given.put_nowait)
    administrator = await asyncpg.connect(**postgres.administrator.connect_args())
    try:
        async with catalog.transaction() as connection:
            written = await write(connection)
        await administrator.execute(f"ALTER DATABASE {database.database} ALLOW_CONNECTIONS false")
        await administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database.database
        )
        with pytest.raises(CatalogUnavailable):
            await giver.give()
        giver.start()
        await administrator.execute(f"ALTER DATABASE {database.database} ALLOW_CONNECTIONS true")
        assert await given.get() == 1
        assert await read_after(catalog, 0) == [(1, written)]
    finally:
        await giver.stop()
        await administrator.close()
