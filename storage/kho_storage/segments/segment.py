"""Events as two files: facts that are chained by digest and stay, and payloads beside them that may go.

A segment holds the events of positions FIRST to LAST. Its facts file has one header line and one line for each event:

    {"first":1,"format":1,"last":2,"previous":"<SHA-256 of the facts file before, 64 zeros for the first>","store_id":…}
    {"at":…,"commitment":…,"event_id":…,"kind":…,"officer_id":…,"position":1,"principal_id":…,…}

Its payloads file has a line for each event whose payload has not been erased: position, salt, payload and reason. The
commitment in the chain is SHA-256(salt || canonical payload); without salt and payload it says nothing of a person.
So a payload can be erased, by a rewrite of the payloads file, while the chain stays whole and goes on proving that the
event happened, when, and that what is left of the others is what was said. JSON has sorted keys and no spaces.
"""

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

FORMAT = 1
NO_SEGMENT = "0" * 64


class SegmentDamaged(ValueError):
    """A segment is not what a Kho wrote, or not what its chain says it is."""


@dataclass(frozen=True, slots=True)
class EventFacts:
    """What an event says for ever. `reason_commitment` is SHA-256(salt || reason), None without a reason."""

    position: int
    event_id: UUID
    subject_kind: str
    subject_id: str
    kind: str
    principal_id: UUID | None
    officer_id: str | None
    at: datetime
    commitment: bytes
    reason_commitment: bytes | None


@dataclass(frozen=True, slots=True)
class EventSaid:
    """What may be erased of an event."""

    position: int
    salt: bytes
    payload: Mapping[str, Any]
    reason: str | None


@dataclass(frozen=True, slots=True)
class Segment:
    """The facts file of a segment; `previous` is the SHA-256 of the facts file before it."""

    store_id: UUID
    first: int
    last: int
    previous: str
    events: tuple[EventFacts, ...]


def canonical(value: Mapping[str, Any]) -> bytes:
    """Return the one spelling of a JSON object: sorted keys, no spaces, UTF-8."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def reason_commitment(salt: bytes, reason: str | None) -> bytes | None:
    """Return what the chain keeps of a reason."""
    return None if reason is None else hashlib.sha256(salt + reason.encode()).digest()


def facts_file(segment: Segment) -> bytes:
    """Write the facts file."""
    header = {
        "format": FORMAT,
        "store_id": str(segment.store_id),
        "first": segment.first,
        "last": segment.last,
        "previous": segment.previous,
    }
    return b"".join(canonical(line) + b"\n" for line in (header, *map(_facts_line, segment.events)))


def payloads_file(said: Iterable[EventSaid]) -> bytes:
    """Write the payloads file."""
    return b"".join(
        canonical({"position": one.position, "salt": one.salt.hex(), "payload": one.payload, "reason": one.reason})
        + b"\n"
        for one in said
    )


def read_facts(data: bytes) -> Segment:
    """Read a facts file. SegmentDamaged: it is cut, of a newer format, or its positions are not FIRST to LAST."""
    try:
        header, *lines = [json.loads(line) for line in data.splitlines()]
        if header["format"] > FORMAT:
            raise SegmentDamaged(f"the segment has format {header['format']}, this Kho knows formats up to {FORMAT}")
        segment = Segment(
            UUID(header["store_id"]),
            int(header["first"]),
            int(header["last"]),
            str(header["previous"]),
            tuple(_facts_of(line) for line in lines),
        )
    except SegmentDamaged:
        raise
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentDamaged("the segment cannot be read") from error
    if not data.endswith(b"\n") or [event.position for event in segment.events] != list(
        range(segment.first, segment.last + 1)
    ):
        raise SegmentDamaged("the segment does not hold the positions that its header names")
    return segment


def read_payloads(data: bytes) -> dict[int, EventSaid]:
    """Read a payloads file by position. SegmentDamaged: a line is not what a Kho writes."""
    try:
        lines = [json.loads(line) for line in data.splitlines()]
        return {
            line["position"]: EventSaid(
                int(line["position"]), bytes.fromhex(line["salt"]), dict(line["payload"]), line["reason"]
            )
            for line in lines
        }
    except (ValueError, KeyError, TypeError) as error:
        raise SegmentDamaged("the payloads cannot be read") from error


def strangers(segment: Segment, said: Mapping[int, EventSaid]) -> Sequence[int]:
    """Return the positions whose payload or reason is not the one that the chain commits to, or not of it at all."""
    facts = {event.position: event for event in segment.events}
    return [
        position
        for position, one in sorted(said.items())
        if position not in facts
        or hashlib.sha256(one.salt + canonical(one.payload)).digest() != facts[position].commitment
        or reason_commitment(one.salt, one.reason) != facts[position].reason_commitment
    ]


def _facts_line(event: EventFacts) -> dict[str, Any]:
    return {
        "position": event.position,
        "event_id": str(event.event_id),
        "subject_kind": event.subject_kind,
        "subject_id": event.subject_id,
        "kind": event.kind,
        "principal_id": str(event.principal_id) if event.principal_id else None,
        "officer_id": event.officer_id,
        "at": event.at.astimezone(UTC).isoformat(),
        "commitment": event.commitment.hex(),
        "reason_commitment": event.reason_commitment.hex() if event.reason_commitment else None,
    }


def _facts_of(line: Mapping[str, Any]) -> EventFacts:
    reason = line["reason_commitment"]
    return EventFacts(
        position=int(line["position"]),
        event_id=UUID(line["event_id"]),
        subject_kind=str(line["subject_kind"]),
        subject_id=str(line["subject_id"]),
        kind=str(line["kind"]),
        principal_id=UUID(line["principal_id"]) if line["principal_id"] else None,
        officer_id=line["officer_id"],
        at=datetime.fromisoformat(line["at"]),
        commitment=bytes.fromhex(line["commitment"]),
        reason_commitment=bytes.fromhex(reason) if reason else None,
    )
