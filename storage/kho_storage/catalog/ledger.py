"""Events first: an event, its payload and its projection are written in one transaction.

What is, is a projection of what happened: `record` applies an event's projection statements (sql/projections_*.sql,
sections `KIND` and `KIND_2`, `KIND_3`, ...) with one jsonb argument, the payload together with `_event_id`, `_at`,
`_principal_id`, `_officer_id` and `_reason`. Nothing else may write a projection table, so `rebuild` can empty them
all and apply every event again.
"""

import hashlib
import json
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache
from typing import Any
from uuid import UUID

from kho_storage.catalog.database import Connection, Database
from kho_storage.catalog.statements import statements
from kho_storage.identifiers import time_ordered_uuid
from kho_storage.records.registry import Actor

# Emptied by rebuild, in an order that foreign keys allow.
PROJECTIONS = (
    "kho.verdict",
    "kho.result_owner",
    "kho.result",
    "kho.result_code",
    "kho.blob_reference",
    "kho.document_version",
    "kho.document",
    "kho.dossier",
    "kho.access_grant",
    "kho.principal",
    "kho.officer",
    "kho.agency_name",
    "kho.agency_code",
    "kho.agency",
)


# What a rebuild found in a manifest stands as what was sealed; the kind says that no event told of it.
_PROJECTED_AS = {"document_restored": "document_sealed", "version_restored": "version_sealed"}
_SUFFIXES = ("", "_2", "_3", "_4", "_5", "_6")
_PROJECTION_FILES = ("projections_registry", "projections_documents")


@dataclass(frozen=True, slots=True)
class NewEvent:
    """Something that is about to have happened. The payload holds JSON values only."""

    subject_kind: str
    subject_id: str
    kind: str
    actor: Actor
    at: datetime
    payload: dict[str, Any]
    reason: str | None = None
    event_id: UUID = field(default_factory=time_ordered_uuid)


def canonical(payload: dict[str, Any]) -> bytes:
    """Return the one spelling of a payload that is committed to: sorted keys, no spaces, UTF-8."""
    return json.dumps(payload, sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()


def commitment(salt: bytes, payload: dict[str, Any]) -> bytes:
    """Return SHA-256 over salt and canonical payload; without the salt it says nothing about the payload."""
    return hashlib.sha256(salt + canonical(payload)).digest()


async def record(connection: Connection, event: NewEvent) -> None:
    """Write an event and apply its projection; the caller holds the transaction. Conflict: a rule forbids it."""
    named = statements("ledger")
    salt = secrets.token_bytes(16)
    await connection.execute(
        named["insert_event"],
        event.event_id,
        event.subject_kind,
        event.subject_id,
        event.kind,
        event.actor.principal_id,
        event.actor.officer_id,
        event.reason,
        event.at,
        commitment(salt, event.payload),
        salt,
        event.payload,
    )
    await _project(
        connection,
        event.kind,
        {
            **event.payload,
            "_event_id": str(event.event_id),
            "_at": event.at.isoformat(),
            "_principal_id": str(event.actor.principal_id) if event.actor.principal_id else None,
            "_officer_id": event.actor.officer_id,
            "_reason": event.reason,
        },
    )


async def record_between(connection: Connection, event: NewEvent) -> None:
    """Record an event that concerns everything: its position separates all that was before from all that comes after.

    Other writers wait until the caller's transaction ends, so that a rebuild meets them on the side where they were.
    """
    sequencing = statements("sequencer")
    await connection.execute(sequencing["lock_sequencer"])
    await connection.execute(statements("keeping")["lock_events"])
    await _give_all(connection, sequencing["give_positions"])
    await record(connection, event)
    await _give_all(connection, sequencing["give_positions"])


async def _give_all(connection: Connection, give: str) -> None:
    while int((await connection.execute(give, 10_000)).rpartition(" ")[2]):
        pass


@cache
def _projections() -> dict[str, str]:
    """Return the projection statements of all kinds of events; a kind in two files is a ValueError."""
    found: dict[str, str] = {}
    for file in _PROJECTION_FILES:
        named = statements(file)
        if both := found.keys() & named.keys():
            raise ValueError(f"{file}.sql projects again: {', '.join(sorted(both))}")
        found.update(named)
    return found


async def _project(connection: Connection, kind: str, facts: dict[str, Any]) -> None:
    """Apply the projection statements of one kind of event; a kind without any projects nothing."""
    named = _projections()
    kind = _PROJECTED_AS.get(kind, kind)
    for suffix in _SUFFIXES:
        statement = named.get(kind + suffix)
        if statement is None:
            return
        await connection.execute(statement, facts)


def projection_statements() -> dict[str, tuple[str, ...]]:
    """Return, for every kind of event that projects something, its statements in order."""
    named = _projections()
    found: dict[str, tuple[str, ...]] = {}
    for kind in sorted(name for name in named if not name.rpartition("_")[2].isdigit()):
        found[kind] = tuple(named[kind + suffix] for suffix in _SUFFIXES if kind + suffix in named)
    return found | {kind: found[other] for kind, other in _PROJECTED_AS.items()}


async def rebuild(database: Database) -> int:
    """Empty every projection and apply all events again in their order; returns how many there were.

    Operational tables stay. Only for a server that is not serving.
    """
    named = statements("ledger")
    count = 0
    async with database.transaction() as connection:
        await connection.execute(f"TRUNCATE {', '.join(PROJECTIONS)}, kho.verification_task")
        async for row in connection.cursor(named["all_events"]):
            await _project(connection, row["kind"], row["facts"])
            count += 1
    return count
