"""`kho check`: everything that must agree is compared, while the server serves or not.

1. every blob hashes to its name; 2. every reference has its blob, every blob its reference; 3. every manifest agrees
with the rows, every sealed version has its manifest; 4. positions have no gaps, payloads are what was committed to;
5. segments are chained, and say what the database says; 6. projections are what the events make of them.
What belongs to calls under way is passed over. Reads every byte once.
"""

import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kho_server.keeping.checking_bytes import check_blobs, check_manifests
from kho_server.keeping.checking_events import check_events, check_projections, check_segments
from kho_server.keeping.finding import Finding
from kho_server.keeping.reach import ReachedStore, reach
from kho_storage.catalog.database import Connection

# A commit under way links its blobs, seals its manifest and writes its rows; that takes seconds.
_GRACE_S = 600.0


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class CheckReport:
    """How a check ended; `findings` without notes is what must be looked after."""

    findings: tuple[Finding, ...]
    notes: tuple[Finding, ...]
    is_served: bool
    seconds: float


async def check(
    data: Path, *, environment: Mapping[str, str] = os.environ, clock: Callable[[], datetime] = _utc_now
) -> CheckReport:
    """Check the store of a data folder. KeepingFailed and errors of storage: it cannot be reached at all."""
    started = time.monotonic()
    found = []
    async with reach(data, environment) as store:
        async for finding in _check(store, clock()):
            found.append(finding)
    return CheckReport(
        findings=tuple(finding for finding in found if not finding.is_note),
        notes=tuple(finding for finding in found if finding.is_note),
        is_served=store.is_served,
        seconds=time.monotonic() - started,
    )


async def _check(store: ReachedStore, now: datetime) -> AsyncIterator[Finding]:
    grace_s = _GRACE_S if store.is_served else 0.0
    async with _view(store) as connection:
        async for finding in check_blobs(store, connection, grace_s):
            yield finding
        async for finding in check_manifests(store, connection, grace_s):
            yield finding
    async with _view(store) as connection:
        async for finding in check_events(connection):
            yield finding
        async for finding in check_segments(store, connection, now):
            yield finding
    async with _view(store) as connection:
        async for finding in check_projections(connection):
            yield finding


@asynccontextmanager
async def _view(store: ReachedStore) -> AsyncIterator[Connection]:
    """Hold one view of the database; what was made in it, such as scratch tables, goes with it."""
    async with store.database.connection() as connection:
        transaction = connection.transaction(isolation="repeatable_read")
        await transaction.start()
        try:
            yield connection
        finally:
            await transaction.rollback()
