"""Officers in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kho_storage.catalog.database import Database, Row
from kho_storage.catalog.gathered import Gathered
from kho_storage.catalog.json_values import day_text
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.catalog.statements import statements
from kho_storage.catalog.storable_text import is_storable
from kho_storage.errors import Conflict
from kho_storage.records.registry import Actor, Officer


class PostgresOfficers:
    """The part of the registry that knows officers."""

    def __init__(self, database: Database) -> None:
        """Take an opened database."""
        self._database = database
        self._officers_asked: Gathered[tuple[UUID, str], Officer] = Gathered(self._officers_of)

    async def register_officer(self, officer: Officer, actor: Actor, at: datetime) -> Officer:
        """Register an officer; the same registration again: no change.

        Conflict("officer_id_taken"): other facts, or a revoked officer, stand under it. Conflict("agency_unknown").
        """
        payload = {
            "agency_uuid": str(officer.agency_uuid),
            "officer_id": officer.officer_id,
            "display_name": officer.display_name,
            "valid_from": day_text(officer.valid_from),
            "valid_to": day_text(officer.valid_to),
        }
        event = NewEvent(
            "officer", _subject(officer.agency_uuid, officer.officer_id), "officer_registered", actor, at, payload
        )
        try:
            async with self._database.transaction() as connection:
                await record(connection, event)
        except Conflict as conflict:
            standing = await self.officer(officer.agency_uuid, officer.officer_id)
            if conflict.constraint != "officer_id_taken" or standing != officer:
                raise
        return officer

    async def revoke_officer(
        self, agency_id: str, officer_id: str, reason: str, actor: Actor, at: datetime
    ) -> Officer | None:
        """Revoke an officer; None if there is none; revoked already: no change."""
        named = statements("registry")
        async with self._database.transaction() as connection:
            agency_uuid = await connection.fetchval(named["lock_officer"], agency_id, officer_id)
            if agency_uuid is None:
                return None
            row = await connection.fetchrow(named["officer"], agency_uuid, officer_id)
            assert row is not None
            if row["revoked_at"] is None:
                payload = {"agency_uuid": str(agency_uuid), "officer_id": officer_id}
                subject = _subject(agency_uuid, officer_id)
                await record(connection, NewEvent("officer", subject, "officer_revoked", actor, at, payload, reason))
                row = await connection.fetchrow(named["officer"], agency_uuid, officer_id)
                assert row is not None
        return _officer_of(row)

    async def officer(self, agency_uuid: UUID, officer_id: str) -> Officer | None:
        """Return an officer of an agency."""
        if not is_storable(officer_id):
            return None
        return (await self._officers_asked.find([(agency_uuid, officer_id)])).get((agency_uuid, officer_id))

    async def officers(self, agency_id: str | None, after: tuple[str, str], limit: int) -> tuple[Officer, ...]:
        """Return officers in order of (agency id, officer id); agency None: of all."""
        rows = await self._database.fetch(statements("registry")["list_officers"], agency_id, *after, limit)
        return tuple(_officer_of(row) for row in rows)

    async def _officers_of(self, names: Sequence[tuple[UUID, str]]) -> dict[tuple[UUID, str], Officer]:
        agencies, officers = [name[0] for name in names], [name[1] for name in names]
        rows = await self._database.fetch(statements("registry")["officers_by_name"], agencies, officers)
        return {(row["agency_uuid"], row["officer_id"]): _officer_of(row) for row in rows}


def _subject(agency_uuid: UUID, officer_id: str) -> str:
    return f"{agency_uuid}/{officer_id}"


def _officer_of(row: Row) -> Officer:
    return Officer(
        agency_uuid=row["agency_uuid"],
        agency_id=row["agency_id"],
        officer_id=row["officer_id"],
        display_name=row["display_name"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        revoked_at=row["revoked_at"],
    )
