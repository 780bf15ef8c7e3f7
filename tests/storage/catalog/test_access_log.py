"""The access log in PostgreSQL: few commits, monthly partitions, nothing lost."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from kho_storage.catalog.access_log import PostgresAccessLog
from kho_storage.catalog.database import Database
from kho_storage.errors import CatalogUnavailable, Conflict
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedPostgres
from tests.contracts.access_log import NOW, AccessLogContract, access_record


async def rows_of(catalog: Database, table: str) -> int:
    """Count the rows of a table."""
    row = await catalog.fetch_one(f"SELECT count(*) FROM {table}")
    assert row is not None
    return int(row[0])


class TestPostgresAccessLog(AccessLogContract):
    """The contract, and how it is done."""

    @pytest.fixture
    async def log(self, catalog: Database) -> AsyncIterator[PostgresAccessLog]:
        """Give an empty log that writes."""
        log = PostgresAccessLog(catalog)
        await log.start(NOW.date())
        yield log
        await log.drain()

    async def test_a_thousand_records_at_once_take_few_commits(self, catalog: Database) -> None:
        batches: list[int] = []
        log = PostgresAccessLog(catalog, on_batch=batches.append)
        await log.start(NOW.date())
        await asyncio.gather(*(log.record([access_record(uuid4())]) for _ in range(1000)))
        assert sum(batches) == 1000
        assert len(batches) <= 3
        assert await rows_of(catalog, "kho.access_record") == 1000
        await log.drain()

    async def test_a_rehearsal_leaves_nothing_and_notices_what_records_would_meet(
        self, log: PostgresAccessLog, catalog: Database
    ) -> None:
        await log.rehearse(NOW)
        refused = [log.is_refused]
        assert await rows_of(catalog, "kho.access_record") == 0
        await catalog.execute("ALTER TABLE kho.access_record RENAME TO access_record_away")
        with pytest.raises(asyncpg.UndefinedTableError):
            await log.rehearse(NOW)
        with pytest.raises(CatalogUnavailable):
            await log.record([access_record()])
        refused.append(log.is_refused)
        await catalog.execute("ALTER TABLE kho.access_record_away RENAME TO access_record")
        await log.rehearse(NOW)
        refused.append(log.is_refused)
        await log.record([access_record()])
        assert refused == [False, True, False]

    async def test_one_statement_is_bounded(self, catalog: Database) -> None:
        batches: list[int] = []
        log = PostgresAccessLog(catalog, batch_records=10, on_batch=batches.append)
        await log.start(NOW.date())
        await asyncio.gather(*(log.record([access_record(), access_record()]) for _ in range(20)))
        assert sum(batches) == 40
        assert max(batches) == 10
        await log.drain()

    async def test_what_may_wait_is_bounded(self, catalog: Database) -> None:
        log = PostgresAccessLog(catalog, waiting_records=5)
        await log.start(NOW.date())
        done = await asyncio.gather(*(log.record([access_record()]) for _ in range(8)), return_exceptions=True)
        assert sum(isinstance(outcome, CatalogUnavailable) for outcome in done) == 3
        assert await rows_of(catalog, "kho.access_record") == 5
        await log.record([access_record()])
        await log.drain()

    @pytest.mark.parametrize("error", [Conflict, asyncpg.DataError])
    async def test_a_bad_record_spoils_nobody_elses(
        self, catalog: Database, log: PostgresAccessLog, error: type[Exception]
    ) -> None:
        good = [access_record() for _ in range(5)]
        bad = replace(access_record(), request_id="\0") if error is asyncpg.DataError else good[0]
        done = await asyncio.gather(*(log.record([record]) for record in (*good, bad)), return_exceptions=True)
        assert done[:5] == [None] * 5
        assert isinstance(done[5], error)
        assert await rows_of(catalog, "kho.access_record") == 5

    async def test_a_caller_that_gave_up_disturbs_nobody(self, catalog: Database, log: PostgresAccessLog) -> None:
        gone = asyncio.create_task(log.record([access_record()]))
        await asyncio.sleep(0)
        gone.cancel()
        await log.record([access_record()])
        with pytest.raises(asyncio.CancelledError):
            await gone

    async def test_draining_writes_what_waits_and_refuses_the_rest(self, catalog: Database) -> None:
        log = PostgresAccessLog(catalog)
        await log.start(NOW.date())
        records = [access_record(uuid4()) for _ in range(3)]
        waiting = [asyncio.create_task(log.record([record])) for record in records]
        await asyncio.sleep(0)
        for record in records:
            await log.close(record.access_id, record.at, NOW, 7)
        await log.drain()
        await asyncio.gather(*waiting)
        with pytest.raises(CatalogUnavailable):
            await log.record([access_record()])
        assert await rows_of(catalog, "kho.access_record") == 3
        assert await rows_of(catalog, "kho.access_closing") == 3


async def test_closings_outlive_an_absence_of_the_database(
    postgres: EmbeddedPostgres, database: ConnectionSettings, catalog: Database
) -> None:
    log = PostgresAccessLog(catalog, retry_s=0.01)
    await log.start(NOW.date())
    administrator = await asyncpg.connect(**postgres.administrator.connect_args())
    try:
        document = uuid4()
        record = access_record(document)
        await log.record([record])
        await administrator.execute(f"ALTER DATABASE {database.database} ALLOW_CONNECTIONS false")
        await administrator.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = $1", database.database
        )
        await log.close(record.access_id, record.at, NOW, 4096)
        with pytest.raises(CatalogUnavailable):
            await log.record([access_record()])
        await administrator.execute(f"ALTER DATABASE {database.database} ALLOW_CONNECTIONS true")
        await log.drain()
        assert (await log.of_document(document, None, 1))[0].bytes_sent == 4096
    finally:
        await administrator.close()


async def partitions(catalog: Database) -> list[str]:
    """Name the partitions of both tables."""
    rows = await catalog.fetch(
        "SELECT inhrelid::regclass::text AS name FROM pg_inherits JOIN pg_class ON pg_class.oid = inhparent"
        " WHERE relkind = 'p' ORDER BY 1"
    )
    return [row["name"].removeprefix("kho.") for row in rows]


async def test_partitions_of_this_month_and_the_next(catalog: Database) -> None:
    log = PostgresAccessLog(catalog)
    await log.make_partitions(date(2026, 12, 31))
    await log.make_partitions(date(2026, 12, 31))
    assert await partitions(catalog) == [
        "access_closing_202612",
        "access_closing_202701",
        "access_closing_default",
        "access_record_202612",
        "access_record_202701",
        "access_record_default",
    ]


async def test_two_servers_make_partitions_at_once(catalog: Database) -> None:
    await asyncio.gather(*(PostgresAccessLog(catalog).make_partitions(date(2026, 11, 21)) for _ in range(4)))
    assert len(await partitions(catalog)) == 6


@pytest.mark.parametrize(
    ("at", "table"),
    [
        (datetime(2026, 11, 1, tzinfo=UTC), "access_record_202611"),
        (datetime(2026, 11, 30, 23, 59, 59, 999999, tzinfo=UTC), "access_record_202611"),
        # Months are UTC months: in Vietnam it has been December for seven hours.
        (datetime.fromisoformat("2026-12-01T06:59:59+07:00"), "access_record_202611"),
        (datetime(2026, 12, 1, tzinfo=UTC), "access_record_202612"),
        (datetime(2026, 10, 31, 23, 59, 59, tzinfo=UTC), "access_record_default"),
        (datetime(2027, 1, 1, tzinfo=UTC), "access_record_default"),
    ],
)
async def test_a_record_lies_in_its_month(catalog: Database, at: datetime, table: str) -> None:
    log = PostgresAccessLog(catalog)
    await log.start(date(2026, 11, 21))
    await log.record([access_record(at=at)])
    await log.drain()
    assert await rows_of(catalog, f"kho.{table}") == 1
    assert await log.records_astray() == (1 if table.endswith("default") else 0)


async def test_rows_in_the_default_partition_move_to_their_month(catalog: Database) -> None:
    log = PostgresAccessLog(catalog)
    await log.start(date(2026, 11, 21))
    document, later = uuid4(), NOW + timedelta(days=90)
    record = access_record(document, later)
    await log.record([record, access_record(uuid4(), NOW + timedelta(days=400))])
    await log.close(record.access_id, record.at, later, 11)
    await log.drain()
    assert await log.records_astray() == 3
    await log.make_partitions(later.date())
    assert await log.records_astray() == 1
    (listed,) = await log.of_document(document, None, 5)
    assert (listed.record, listed.bytes_sent) == (record, 11)
