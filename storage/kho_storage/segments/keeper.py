"""Writes events into segments: the store then tells by itself what happened."""

import asyncio
import logging
from collections.abc import Sequence
from uuid import UUID

from kho_storage.catalog.database import Database, Row
from kho_storage.catalog.statements import statements
from kho_storage.errors import StoreMismatch
from kho_storage.segments.folder import SegmentFolder, StoredSegment
from kho_storage.segments.segment import NO_SEGMENT, EventFacts, EventSaid, Segment, SegmentDamaged, reason_commitment

_log = logging.getLogger(__name__)


class SegmentKeeper:
    """Continues the chain of one store; one of them writes at a time (see DataFolder)."""

    def __init__(self, folder: SegmentFolder, database: Database, store_id: UUID, *, most_events: int = 2000) -> None:
        """`most_events` bounds a segment and the memory that writing it takes."""
        self._folder = folder
        self._database = database
        self._store_id = store_id
        self._most_events = most_events
        self._sql = statements("keeping")
        self._last: StoredSegment | None = None
        self._has_looked = False
        self._turn = asyncio.Lock()

    async def must_follow(self) -> None:
        """Check that the database goes on where the store's segments end.

        StoreMismatch: an older database lies over this folder, or another one; its positions would be given to other
        events than the store knows. SegmentDamaged as StoreMismatch.
        """
        last = await self._newest()
        if last is None:
            return
        end = last.segment.events[-1]
        row = await self._database.fetch_one(self._sql["event_at"], end.position)
        if row is None or row["event_id"] != end.event_id:
            raise StoreMismatch(
                f"the store knows events up to position {end.position}, the database does not: it is older than its "
                "data folder, or another's. Give the folder its own database back; if that is lost, move the database "
                "away and run: kho rebuild"
            )

    async def keep(self) -> int:
        """Write all events with positions that are in no segment yet; returns how many. Memory: one segment."""
        async with self._turn:
            return await self._keep()

    async def _keep(self) -> int:
        last = await self._newest()
        written = 0
        while True:
            after = last.segment.last if last else 0
            rows = await self._database.fetch(self._sql["events_from"], after, self._most_events)
            if not rows:
                return written
            events = tuple(map(facts_of, rows))
            previous = last.sha256 if last else NO_SEGMENT
            if events[-1].position != after + len(events):
                raise StoreMismatch(f"events after position {after} have gaps in the database; kho check names them")
            segment = Segment(self._store_id, after + 1, events[-1].position, previous, events)
            last = await asyncio.to_thread(self._folder.write, segment, said_of(rows))
            self._last = last
            written += len(events)
            if len(rows) < self._most_events:
                return written

    async def _newest(self) -> StoredSegment | None:
        if not self._has_looked:
            try:
                self._last = await asyncio.to_thread(self._folder.last)
            except SegmentDamaged as error:
                raise StoreMismatch(
                    f"the newest segment of events in {self._folder.root} is damaged ({error}): put it back from a "
                    "backup; kho check names it"
                ) from error
            self._has_looked = True
        return self._last


def facts_of(row: Row) -> EventFacts:
    """Return the facts of an event; a reason without salt is not committed to, for it could be guessed."""
    return EventFacts(
        position=row["position"],
        event_id=row["event_id"],
        subject_kind=row["subject_kind"],
        subject_id=row["subject_id"],
        kind=row["kind"],
        principal_id=row["principal_id"],
        officer_id=row["officer_id"],
        at=row["at"],
        commitment=row["commitment"],
        reason_commitment=reason_commitment(row["salt"], row["reason"]) if row["salt"] else None,
    )


def said_of(rows: Sequence[Row]) -> list[EventSaid]:
    """Return what the events say, as far as it was not erased."""
    return [EventSaid(row["position"], row["salt"], row["payload"], row["reason"]) for row in rows if row["salt"]]
