"""Access records in PostgreSQL, written in groups: many disclosures, one commit.

A disclosure waits for its record, so records must cost little: whatever arrives while one batch is on its way to
the disk becomes the next batch.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import asyncpg

from kho_storage.catalog.access_rows import Closing, listed_access, write_arguments
from kho_storage.catalog.database import Database
from kho_storage.catalog.statements import statements
from kho_storage.catalog_ports import AccessLog
from kho_storage.errors import CatalogUnavailable, Conflict
from kho_storage.records.access import AccessRecord, ListedAccess

_log = logging.getLogger(__name__)

# More than what is left of the last page holds, so that the disk is asked for a new one.
_REHEARSED_RECORDS = 60


@dataclass(frozen=True, slots=True)
class _Waiting:
    """Records of one call, and who waits for them."""

    records: tuple[AccessRecord, ...]
    written: asyncio.Future[None]


class PostgresAccessLog(AccessLog):
    """The access log; `start` before the first record, `drain` after the last."""

    def __init__(
        self,
        database: Database,
        *,
        batch_records: int = 2000,
        waiting_records: int = 20_000,
        retry_s: float = 0.5,
        on_batch: Callable[[int], None] | None = None,
    ) -> None:
        """Take an opened database.

        `batch_records` bounds one statement, `waiting_records` what may wait; `retry_s` passes between attempts to
        write closings while PostgreSQL is away; `on_batch` is told the size of each batch, for a metric.
        """
        self._database = database
        self._batch_records = batch_records
        self._waiting_records = waiting_records
        self._retry_s = retry_s
        self._on_batch = on_batch
        self._waiting: deque[_Waiting] = deque()
        self._closings: deque[Closing] = deque()
        self._count = 0
        self._wanted = asyncio.Event()
        self._draining = asyncio.Event()
        self._writer: asyncio.Task[None] | None = None
        self._is_refused = False

    @property
    def is_refused(self) -> bool:
        """Whether PostgreSQL refused the last batch, or the last rehearsal."""
        return self._is_refused

    async def rehearse(self, at: datetime) -> None:
        """Write some records and take them back: whoever can do that can disclose.

        StorageFull, CatalogUnavailable: it cannot be done now. A database that answers may still have no room for a
        record, and while nobody dares to ask nobody would notice that there is room again.
        """
        self._is_refused = True
        async with self._database.connection() as connection:
            rehearsal = connection.transaction()
            await rehearsal.start()
            try:
                await connection.execute(statements("access")["rehearse_access"], at, _REHEARSED_RECORDS)
            finally:
                await rehearsal.rollback()
        self._is_refused = False

    async def start(self, today: date) -> None:
        """Make the partitions of this and the next month and begin to write."""
        await self.make_partitions(today)
        self._writer = asyncio.create_task(self._write_for_ever(), name="access-log")

    async def make_partitions(self, today: date) -> None:
        """Make the partitions of this month and the next (UTC); to be called once a day."""
        next_month = date(today.year + today.month // 12, today.month % 12 + 1, 1)
        for day in (today, next_month):
            await self._database.execute(statements("access")["make_access_partition"], day)

    async def records_astray(self) -> int:
        """Return how many rows no monthly partition took; more than none is a fault of the clock or of this server."""
        row = await self._database.fetch_one(statements("access")["astray_records"])
        assert row is not None
        return int(row[0])

    async def record(self, records: Sequence[AccessRecord]) -> None:
        """Write records; on return they are durable. Concurrent calls share one commit.

        CatalogUnavailable: PostgreSQL does not answer, too many records wait, or the log is closed. A cancelled call
        may have written them.
        """
        if not records:
            return
        if self._writer is None or self._draining.is_set():
            raise CatalogUnavailable("the access log is closed")
        if self._count + len(records) > self._waiting_records:
            raise CatalogUnavailable("too many access records wait")
        waiting = _Waiting(tuple(records), asyncio.get_running_loop().create_future())
        self._waiting.append(waiting)
        self._count += len(records)
        self._wanted.set()
        await waiting.written

    async def close(self, access_id: UUID, at: datetime, closed_at: datetime, bytes_sent: int) -> None:
        """Write down what really left, with the next batch; kept in memory while PostgreSQL is away.

        Unbounded by count, bounded by the transfers that were open: each began with a durable record.
        """
        self._closings.append(Closing(access_id, at, closed_at, bytes_sent))
        self._wanted.set()

    async def of_document(
        self, document_uuid: UUID, after: tuple[datetime, UUID] | None, limit: int
    ) -> tuple[ListedAccess, ...]:
        """Return who had, or was refused, a document, newest first."""
        at, access_id = after or (None, None)
        statement = statements("access")["access_of_document"]
        rows = await self._database.fetch(statement, document_uuid, at, access_id, limit)
        return tuple(listed_access(row) for row in rows)

    async def drain(self, timeout_s: float = 10.0) -> None:
        """Refuse new records, write what waits and stop. Closings that cannot be written in time are logged."""
        if self._writer is None:
            return
        self._draining.set()
        self._wanted.set()
        try:
            async with asyncio.timeout(timeout_s):
                await self._writer
        except TimeoutError:
            _log.error("%d closings of access records could not be written", len(self._closings))
        self._writer = None
        self._refuse(self._waiting, CatalogUnavailable("the access log is closed"))
        self._waiting.clear()

    async def _write_for_ever(self) -> None:
        while not (self._draining.is_set() and not self._waiting and not self._closings):
            await self._wanted.wait()
            self._wanted.clear()
            while self._waiting or self._closings:
                if not await self._write_batch():
                    # Callers have their error; closings wait here, and new records try again at once.
                    with contextlib.suppress(TimeoutError):
                        await asyncio.wait_for(self._wanted.wait(), self._retry_s)
                    self._wanted.clear()

    async def _write_batch(self) -> bool:
        """Write what waits, up to one batch; tells whether PostgreSQL took it."""
        calls = self._next_calls()
        closings = [self._closings[index] for index in range(min(len(self._closings), self._batch_records))]
        try:
            await self._write([record for call in calls for record in call.records], closings)
        except (Conflict, asyncpg.DataError):
            # One bad row spoils the statement for all: each call answers for its own.
            return await self._write_singly(calls, len(closings))
        except Exception as error:
            self._is_refused = True
            self._refuse(calls, error)
            return False
        except BaseException as error:
            self._refuse(calls, error)
            raise
        self._is_refused = False
        self._forget(len(closings))
        for call in calls:
            _settle(call, None)
        return True

    async def _write_singly(self, calls: Sequence[_Waiting], closings: int) -> bool:
        for call in calls:
            try:
                await self._write(call.records, ())
            except (Conflict, asyncpg.DataError) as error:
                _settle(call, error)
            except Exception as error:
                self._refuse((call,), error)
            except BaseException as error:
                self._refuse(calls, error)
                raise
            else:
                _settle(call, None)
        for _ in range(closings):
            try:
                await self._write((), (self._closings[0],))
            except (Conflict, asyncpg.DataError):
                _log.exception("the closing of access %s was refused", self._closings[0].access_id)
            except CatalogUnavailable:
                return False
            self._forget(1)
        return True

    async def _write(self, records: Sequence[AccessRecord], closings: Sequence[Closing]) -> None:
        await self._database.execute(statements("access")["write_access"], *write_arguments(records, closings))
        if self._on_batch is not None:
            self._on_batch(len(records))

    def _next_calls(self) -> list[_Waiting]:
        calls: list[_Waiting] = []
        taken = 0
        while self._waiting and (not calls or taken + len(self._waiting[0].records) <= self._batch_records):
            call = self._waiting.popleft()
            taken += len(call.records)
            calls.append(call)
        self._count -= taken
        return calls

    def _forget(self, closings: int) -> None:
        for _ in range(closings):
            self._closings.popleft()

    @staticmethod
    def _refuse(calls: Iterable[_Waiting], cause: BaseException) -> None:
        for call in calls:
            error = CatalogUnavailable("the access record could not be written")
            error.__cause__ = cause
            _settle(call, error)


def _settle(call: _Waiting, error: Exception | None) -> None:
    """Tell the caller, unless it has gone."""
    if call.written.done():
        return
    if error is None:
        call.written.set_result(None)
    else:
        call.written.set_exception(error)
