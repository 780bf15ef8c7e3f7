"""Agencies in PostgreSQL."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import uuid4

from kho_storage.catalog.database import Connection, Database, Row
from kho_storage.catalog.json_values import day_of, day_text
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.catalog.statements import statements
from kho_storage.catalog.storable_text import is_storable
from kho_storage.errors import Conflict
from kho_storage.records.registry import Actor, Agency, DatedCode, DatedName


class PostgresAgencies:
    """The part of the registry that knows agencies."""

    def __init__(self, database: Database) -> None:
        """Take an opened database."""
        self._database = database

    async def register_agency(
        self, agency_id: str, codes: Sequence[DatedCode], names: Sequence[DatedName], actor: Actor, at: datetime
    ) -> Agency:
        """Register an agency or add to it; a code or name that it has gets the days that are sent now.

        Conflict("agency_code_taken"): a code belongs, or belonged, to another agency. Conflict("agency_revoked").
        """
        named = statements("registry")
        async with self._database.transaction() as connection:
            await connection.execute(named["lock_agencies"])
            known = await _agency(connection, named["agency_by_id"], agency_id)
            event = _registered(agency_id, codes, names) if known is None else _extended(known, codes, names)
            if event is not None:
                kind, payload = event
                subject = payload["agency_uuid"]
                await record(connection, NewEvent("agency", subject, kind, actor, at, payload))
            agency = await _agency(connection, named["agency_by_id"], agency_id)
        assert agency is not None
        return agency

    async def revoke_agency(self, agency_id: str, reason: str, actor: Actor, at: datetime) -> Agency | None:
        """Revoke an agency; None if there is none; revoked already: no change."""
        named = statements("registry")
        async with self._database.transaction() as connection:
            await connection.execute(named["lock_agencies"])
            agency = await _agency(connection, named["agency_by_id"], agency_id)
            if agency is None or agency.revoked_at is not None:
                return agency
            subject = str(agency.agency_uuid)
            payload = {"agency_uuid": subject, "agency_id": agency_id}
            await record(connection, NewEvent("agency", subject, "agency_revoked", actor, at, payload, reason))
        return replace(agency, revoked_at=at)

    async def agency(self, agency_id: str) -> Agency | None:
        """Return an agency by its stable id."""
        if not is_storable(agency_id):
            return None
        row = await self._database.fetch_one(statements("registry")["agency_by_id"], agency_id)
        return agency_of(row) if row else None

    async def agency_by_code(self, code_key: str) -> Agency | None:
        """Return the agency that has, or ever had, a code."""
        if not is_storable(code_key):
            return None
        row = await self._database.fetch_one(statements("registry")["agency_by_code"], code_key)
        return agency_of(row) if row else None

    async def agencies(self, after: str, limit: int) -> tuple[Agency, ...]:
        """Return agencies in order of id."""
        rows = await self._database.fetch(statements("registry")["list_agencies"], after, limit)
        return tuple(agency_of(row) for row in rows)


def agency_of(row: Row) -> Agency:
    """Read a row of kho.registered_agency."""
    return Agency(
        agency_uuid=row["agency_uuid"],
        agency_id=row["agency_id"],
        codes=tuple(DatedCode(code, key, day_of(first), day_of(last)) for code, key, first, last in row["codes"]),
        names=tuple(DatedName(name, day_of(first), day_of(last)) for name, first, last in row["names"]),
        registered_at=row["registered_at"],
        revoked_at=row["revoked_at"],
    )


async def _agency(connection: Connection, statement: str, agency_id: str) -> Agency | None:
    row = await connection.fetchrow(statement, agency_id)
    return agency_of(row) if row else None


def _registered(agency_id: str, codes: Sequence[DatedCode], names: Sequence[DatedName]) -> tuple[str, dict[str, Any]]:
    return "agency_registered", {
        "agency_uuid": str(uuid4()),
        "agency_id": agency_id,
        "codes": _codes(codes),
        "names": _names(enumerate(names, start=1)),
    }


def _extended(
    known: Agency, codes: Sequence[DatedCode], names: Sequence[DatedName]
) -> tuple[str, dict[str, Any]] | None:
    """Return the event that adds what is new, or None when there is nothing new."""
    if known.revoked_at is not None:
        raise Conflict("agency_revoked")
    ordinals = {dated.name: ordinal for ordinal, dated in enumerate(known.names, start=1)}
    for dated in names:
        ordinals.setdefault(dated.name, len(ordinals) + 1)
    new_codes = [dated for dated in codes if dated not in known.codes]
    new_names = [(ordinals[dated.name], dated) for dated in names if dated not in known.names]
    if not new_codes and not new_names:
        return None
    return "agency_extended", {
        "agency_uuid": str(known.agency_uuid),
        "agency_id": known.agency_id,
        "codes": _codes(new_codes),
        "names": _names(new_names),
    }


def _codes(codes: Iterable[DatedCode]) -> list[dict[str, str | None]]:
    return [
        {
            "code": dated.code,
            "key": dated.key,
            "valid_from": day_text(dated.valid_from),
            "valid_to": day_text(dated.valid_to),
        }
        for dated in codes
    ]


def _names(names: Iterable[tuple[int, DatedName]]) -> list[dict[str, str | int | None]]:
    return [
        {
            "ordinal": ordinal,
            "name": dated.name,
            "valid_from": day_text(dated.valid_from),
            "valid_to": day_text(dated.valid_to),
        }
        for ordinal, dated in names
    ]
