"""Events against their commitments, their order, the segments of the store, and the projections they explain."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime, timedelta

import asyncpg

from kho_server.keeping.finding import Finding
from kho_server.keeping.reach import ReachedStore
from kho_storage.catalog.database import Connection, Row
from kho_storage.catalog.ledger import commitment
from kho_storage.catalog.replay import differences
from kho_storage.catalog.statements import statements
from kho_storage.segments.folder import SegmentFolder, StoredSegment
from kho_storage.segments.keeper import facts_of
from kho_storage.segments.segment import NO_SEGMENT, EventSaid, SegmentDamaged, strangers

_LATE = timedelta(minutes=15)
_SHOWN = 20


async def check_events(connection: Connection) -> AsyncIterator[Finding]:
    """Find positions that are missing and payloads that are not what was committed to."""
    named = statements("keeping")
    for row in await connection.fetch(named["gaps"]):
        yield Finding("event_missing", f"position {row['missing']}", "positions of events have a gap here")
    async for row in connection.cursor(named["all_said"], prefetch=1000):
        if commitment(row["salt"], row["payload"]) != row["commitment"]:
            yield Finding("event_altered", f"position {row['position']}", f"payload of event {row['event_id']}")


async def check_projections(connection: Connection) -> AsyncIterator[Finding]:
    """Apply all events into scratch tables; the caller ends the transaction afterwards, whatever happened."""
    try:
        found = await differences(connection)
    except asyncpg.PostgresError as error:
        yield Finding("projection_differs", "kho", f"the events cannot be applied again: {type(error).__name__}")
        return
    for each in found:
        detail = f"{each.only_there} rows that no event explains, {each.only_from_events} rows that events ask for"
        for key in each.keys[:_SHOWN] or ("",):
            yield Finding("projection_differs", f"{each.table} {key}".strip(), detail)


async def check_segments(store: ReachedStore, connection: Connection, now: datetime) -> AsyncIterator[Finding]:
    """Walk along the chain of segments and compare each with the database."""
    folder = SegmentFolder(store.root / "events")
    previous, after = NO_SEGMENT, 0
    for first in await asyncio.to_thread(lambda: list(folder.firsts())):
        name = str(folder.facts_path(first).relative_to(store.root))
        try:
            stored = await asyncio.to_thread(folder.read, first)
        except (SegmentDamaged, OSError) as error:
            yield Finding("segment_damaged", name, str(error))
            # Nothing can be said of what follows but that it is not tied to this one.
            previous, after = "", -1
            continue
        for finding in _chain(stored, name, previous, after, store):
            yield finding
        async for finding in _against_rows(folder, stored, name, connection):
            yield finding
        previous, after = stored.sha256, stored.segment.last
    waiting = await connection.fetchrow(statements("keeping")["oldest_after"], max(after, 0))
    if after >= 0 and waiting is not None and waiting["number"] and waiting["at"] < now - _LATE and store.is_served:
        yield Finding(
            "segments_late", f"position {after + 1}", f"{waiting['number']} events are in no segment of the store yet"
        )


def _chain(stored: StoredSegment, name: str, previous: str, after: int, store: ReachedStore) -> list[Finding]:
    found = []
    segment = stored.segment
    if segment.store_id != store.identity.store_id:
        found.append(Finding("segment_foreign", name, "it belongs to another store"))
    if after < 0:
        return found
    if segment.first != after + 1:
        found.append(Finding("segment_missing", name, f"positions {after + 1} to {segment.first - 1} are missing"))
    elif segment.previous != previous:
        found.append(Finding("segment_unchained", name, "the segment before it is not the one that it names"))
    return found


async def _against_rows(
    folder: SegmentFolder, stored: StoredSegment, name: str, connection: Connection
) -> AsyncIterator[Finding]:
    segment = stored.segment
    rows = {
        row["position"]: row
        for row in await connection.fetch(statements("keeping")["events_between"], segment.first, segment.last)
    }
    for event in segment.events:
        row = rows.get(event.position)
        if row is None:
            yield Finding("event_missing", f"position {event.position}", f"{name} has it, the database does not")
            continue
        held = facts_of(row)
        if held.reason_commitment is None and row["salt"] is None:
            held = replace(held, reason_commitment=event.reason_commitment)
        if held != event:
            yield Finding("event_altered", f"position {event.position}", f"{name} and the database differ")
    payloads = str(folder.payloads_path(segment.first).relative_to(folder.root.parent))
    try:
        said = await asyncio.to_thread(folder.said, segment.first)
    except SegmentDamaged as error:
        yield Finding("payloads_damaged", payloads, str(error))
        return
    for position in strangers(segment, said)[:_SHOWN]:
        yield Finding("payloads_damaged", payloads, f"position {position} is not what was committed to")
    for finding in _erased(payloads, said, rows):
        yield finding


def _erased(name: str, said: Mapping[int, EventSaid], rows: Mapping[int, Row]) -> list[Finding]:
    """An erased payload is erased in both places."""
    there = {position for position, row in rows.items() if row["salt"] is not None}
    only_rows, only_store = sorted(there - said.keys()), sorted((said.keys() & rows.keys()) - there)
    found = []
    if only_rows:
        found.append(Finding("payload_missing", name, f"the database has payloads that it lacks: {only_rows[:_SHOWN]}"))
    if only_store:
        found.append(Finding("payload_not_erased", name, f"erased in the database, not here: {only_store[:_SHOWN]}"))
    return found
