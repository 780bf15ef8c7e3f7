"""`kho rebuild`: a new database from the store alone: segments, manifests, blobs.

1. The chain of segments is followed as far as it is whole; its events come back with their positions and are applied.
2. Manifests of which no event tells are recorded as `document_restored` and `version_restored`: they were sealed, by
   their own words; whether that was acknowledged, and what happened since, nobody here knows.
3. One event, `store_restored`, holds everything back, as after `kho restore`; `kho confirm` ends that.

Access records, open uploads, kept answers and the key of access records were in the database alone and are lost.
"""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

from kho_server.keeping.errors import KeepingFailed
from kho_server.keeping.finding import Finding
from kho_server.keeping.holding import hold_all
from kho_server.keeping.reach import hold, open_database, own_postgres
from kho_server.keeping.sealed_manifests import ManifestRebuilder
from kho_storage.blobs.data_folder import StoreIdentity, read_identity
from kho_storage.catalog.database import Connection, Database
from kho_storage.catalog.migrations import migrate
from kho_storage.catalog.replay import replay
from kho_storage.catalog.statements import statements
from kho_storage.catalog.store import claim_store, find_store
from kho_storage.segments.folder import SegmentFolder
from kho_storage.segments.segment import NO_SEGMENT, EventSaid, Segment, SegmentDamaged, strangers


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class RebuildReport:
    """What came back: `position` is the last event known, of `last_event_at`; `from_manifests` no event tells of."""

    position: int = 0
    last_event_at: datetime | None = None
    events_erased: int = 0
    from_manifests: int = 0
    held: int = 0
    findings: list[Finding] = field(default_factory=list)
    seconds: float = 0.0


async def rebuild(
    data: Path, *, environment: Mapping[str, str] = os.environ, clock: Callable[[], datetime] = _utc_now
) -> RebuildReport:
    """Make a new database for a data folder whose own is lost; the server must not run.

    KeepingFailed: there is no store, a server runs, or there is a database with something in it.
    """
    started = time.monotonic()
    report = RebuildReport()
    async with AsyncExitStack() as stack:
        data = await asyncio.to_thread(data.absolute)
        identity = await asyncio.to_thread(read_identity, data)
        if identity is None:
            raise KeepingFailed(f"{data} is not a data folder of Kho: it holds no store.json")
        if not await hold(data, identity, stack):
            raise KeepingFailed(f"a server runs over {data}: stop it first")
        settings = await own_postgres(data, environment, stack)
        database = await open_database(settings, stack)
        async with database.connection() as connection:
            await migrate(connection)
        if await find_store(database) is not None:
            raise KeepingFailed(
                f"the database of {data} is there: if it is damaged, move {data / 'postgres'} (or the database that "
                "KHO_DATABASE_URL names) away first"
            )
        async with database.transaction() as connection:
            if await connection.fetchval(statements("keeping")["has_events"]):
                raise KeepingFailed("an earlier rebuild of this database was interrupted: move the database away first")
            await _bring_events(connection, SegmentFolder(data / "events"), identity, report)
            await replay(connection)
        manifests = ManifestRebuilder(database, data, clock())
        async for finding in manifests.bring():
            report.findings.append(finding)
        report.from_manifests = manifests.versions
        payload = {"cause": "rebuilt", "position": report.position}
        _, report.held = await hold_all(database, payload, clock())
        await _claim(database, identity, clock())
    report.seconds = time.monotonic() - started
    return report


async def _claim(database: Database, identity: StoreIdentity, at: datetime) -> None:
    """Tie the database to the folder: from here on a server takes it."""
    await claim_store(database, identity.store_id, identity.repository_id, at, folder_holds_documents=False)


async def _bring_events(
    connection: Connection, folder: SegmentFolder, identity: StoreIdentity, report: RebuildReport
) -> None:
    """Write the events of the chain as they were, as far as the chain is whole."""
    async for segment, said in _chain(folder, identity, report):
        await connection.copy_records_to_table(
            "event",
            schema_name="kho",
            columns=[
                *("event_id", "subject_kind", "subject_id", "kind", "principal_id", "officer_id", "reason", "at"),
                *("commitment", "position"),
            ],
            records=[
                (
                    event.event_id,
                    event.subject_kind,
                    event.subject_id,
                    event.kind,
                    event.principal_id,
                    event.officer_id,
                    said[event.position].reason if event.position in said else None,
                    event.at,
                    event.commitment,
                    event.position,
                )
                for event in segment.events
            ],
        )
        await connection.executemany(
            statements("keeping")["insert_said"],
            [
                (event.event_id, said[event.position].salt, dict(said[event.position].payload))
                for event in segment.events
                if event.position in said
            ],
        )
        report.position = segment.last
        report.last_event_at = max(event.at for event in segment.events)
        report.events_erased += len(segment.events) - len(said)


async def _chain(
    folder: SegmentFolder, identity: StoreIdentity, report: RebuildReport
) -> AsyncIterator[tuple[Segment, dict[int, EventSaid]]]:
    """Yield segments in order until one is missing or damaged; what lies behind it cannot be placed."""
    previous, after = NO_SEGMENT, 0
    for first in await asyncio.to_thread(lambda: list(folder.firsts())):
        name = str(folder.facts_path(first).relative_to(folder.root.parent))
        try:
            stored = await asyncio.to_thread(folder.read, first)
            segment = stored.segment
            if (segment.store_id, segment.first, segment.previous) != (identity.store_id, after + 1, previous):
                raise SegmentDamaged("it does not continue the chain")
            said = await asyncio.to_thread(folder.said, first)
            alien = strangers(segment, said)
        except (SegmentDamaged, OSError) as error:
            detail = f"{error}: no event from position {after + 1} on comes back"
            report.findings.append(Finding("segment_damaged", name, detail))
            return
        for position in alien:
            report.findings.append(Finding("payloads_damaged", name, f"position {position}: its payload is left out"))
            said.pop(position, None)
        yield segment, said
        previous, after = stored.sha256, segment.last
