"""Positions of events: 1, 2, 3, ... in the one order of the repository.

An event gets its position after its transaction has committed, by whoever holds one lock, never inside the
transaction. A number drawn inside (an identity column) may be 7 while the transaction with 6 is still open: a reader
that has seen 7 asks for what comes after and never meets 6. Here a position becomes visible only together with all
smaller ones, because each batch commits as a whole before the next one may begin. So a reader that remembers the last
position it read misses nothing, however slowly transactions commit.

Order within a batch is (at, event_id); across batches it is that of committing, so an event of a slow transaction
comes after events with a later `at`.
"""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kho_storage.catalog.database import Database
from kho_storage.catalog.statements import statements

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Lag:
    """How far positions are behind: events that wait, and seconds since the oldest of them happened."""

    events: int
    age_s: float


class Sequencer:
    """Gives positions in the background; several servers may run one each, the database lets one at a time work."""

    def __init__(
        self,
        database: Database,
        clock: Callable[[], datetime],
        *,
        batch_events: int = 1000,
        interval_s: float = 0.2,
        on_given: Callable[[int], None] | None = None,
    ) -> None:
        """Take an opened database; `interval_s` is the longest pause, `on_given` is told how many each round gave."""
        self._database = database
        self._clock = clock
        self._batch_events = batch_events
        self._interval_s = interval_s
        self._on_given = on_given
        self._wanted = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._waiting = 0
        self._oldest_at: datetime | None = None
        self._failed_since: datetime | None = None

    def start(self) -> None:
        """Begin to give positions."""
        self._task = asyncio.create_task(self._give_for_ever(), name="sequencer")

    async def stop(self) -> None:
        """Stop; events without a position get theirs at the next start."""
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task
            self._task = None

    def notify(self) -> None:
        """Say that an event was committed."""
        self._wanted.set()

    @property
    def lag(self) -> Lag:
        """How far positions are behind; while the database is away the age goes on growing."""
        since = min((instant for instant in (self._oldest_at, self._failed_since) if instant), default=None)
        age_s = max(0.0, (self._clock() - since).total_seconds()) if since else 0.0
        return Lag(self._waiting, age_s)

    async def give(self) -> int:
        """Give positions to what waits, one batch after the other, and return how many were given."""
        named = statements("sequencer")
        total = 0
        while True:
            async with self._database.transaction() as connection:
                # Its own statement: the next one must see what the former holder of the lock has committed.
                await connection.execute(named["lock_sequencer"])
                status = await connection.execute(named["give_positions"], self._batch_events)
            given = int(status.rpartition(" ")[2])
            total += given
            if given and self._on_given is not None:
                self._on_given(given)
            if given < self._batch_events:
                return total
            await self.look()

    async def look(self) -> None:
        """Learn how many events wait, for `lag`."""
        row = await self._database.fetch_one(statements("sequencer")["awaiting"])
        assert row is not None
        self._waiting, self._oldest_at = row["number"], row["oldest_at"]

    async def _give_for_ever(self) -> None:
        while True:
            self._wanted.clear()
            try:
                await self.look()
                if self._waiting:
                    await self.give()
                    await self.look()
                self._failed_since = None
            except Exception as error:
                # Whatever it is, positions must go on when it is over; the lag shows it meanwhile.
                if self._failed_since is None:
                    self._failed_since = self._clock()
                    _log.warning("no positions are given for the moment", exc_info=error)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._wanted.wait(), self._interval_s)
            if self._failed_since is not None:
                # A gone database is not asked at the pace of notifications.
                await asyncio.sleep(self._interval_s)
