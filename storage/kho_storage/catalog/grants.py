"""Grants between agencies in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kho_storage.catalog.database import Database, Row
from kho_storage.catalog.gathered import Gathered
from kho_storage.catalog.json_values import day_text
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.catalog.statements import statements
from kho_storage.errors import Conflict
from kho_storage.records.registry import Actor, Grant, GrantAction


class PostgresGrants:
    """The part of the registry that knows grants."""

    def __init__(self, database: Database) -> None:
        """Take an opened database."""
        self._database = database
        self._grants_asked: Gathered[tuple[UUID, UUID], tuple[Grant, ...]] = Gathered(self._grants_of)

    async def add_grant(self, grant: Grant, actor: Actor, at: datetime) -> Grant:
        """Add a grant; the same grant id again: no change, what stands is returned.

        Conflict("agency_unknown"): grantor or grantee is not registered. Conflict("grant_between_two").
        """
        subject = str(grant.grant_id)
        payload = {
            "grant_id": subject,
            "grantor_uuid": str(grant.grantor_uuid),
            "grantee_uuid": str(grant.grantee_uuid),
            "action": grant.action.value,
            "type_code": grant.type_code,
            "valid_from": day_text(grant.valid_from),
            "valid_to": day_text(grant.valid_to),
            "ground": grant.ground,
        }
        try:
            async with self._database.transaction() as connection:
                await record(connection, NewEvent("grant", subject, "grant_added", actor, at, payload))
        except Conflict as conflict:
            if conflict.constraint in {"grantor_unknown", "grantee_unknown"}:
                raise Conflict("agency_unknown") from conflict
            standing = await self.grant(grant.grant_id)
            if standing is None:
                raise
            return standing
        return grant

    async def revoke_grant(self, grant_id: UUID, reason: str, actor: Actor, at: datetime) -> Grant | None:
        """Revoke a grant; None if there is none; revoked already: no change."""
        named = statements("registry")
        async with self._database.transaction() as connection:
            if await connection.fetchval(named["lock_grant"], grant_id) is None:
                return None
            row = await connection.fetchrow(named["grant"], grant_id)
            assert row is not None
            if row["revoked_at"] is None:
                payload = {"grant_id": str(grant_id)}
                await record(connection, NewEvent("grant", str(grant_id), "grant_revoked", actor, at, payload, reason))
                row = await connection.fetchrow(named["grant"], grant_id)
                assert row is not None
        return _grant_of(row)

    async def grant(self, grant_id: UUID) -> Grant | None:
        """Return a grant."""
        row = await self._database.fetch_one(statements("registry")["grant"], grant_id)
        return _grant_of(row) if row else None

    async def grants_between(self, grantor_uuid: UUID, grantee_uuid: UUID) -> tuple[Grant, ...]:
        """Return the grants of a pair that are not revoked."""
        pair = (grantor_uuid, grantee_uuid)
        return (await self._grants_asked.find([pair])).get(pair, ())

    async def grants(self, agency_uuid: UUID | None, after: UUID | None, limit: int) -> tuple[Grant, ...]:
        """Return grants in order of id; given an agency, those that it gave or got."""
        rows = await self._database.fetch(statements("registry")["list_grants"], agency_uuid, after, limit)
        return tuple(_grant_of(row) for row in rows)

    async def _grants_of(self, pairs: Sequence[tuple[UUID, UUID]]) -> dict[tuple[UUID, UUID], tuple[Grant, ...]]:
        grantors, grantees = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
        rows = await self._database.fetch(statements("registry")["grants_between"], grantors, grantees)
        found: dict[tuple[UUID, UUID], tuple[Grant, ...]] = {}
        for row in rows:
            pair = (row["grantor_uuid"], row["grantee_uuid"])
            found[pair] = (*found.get(pair, ()), _grant_of(row))
        return found


def _grant_of(row: Row) -> Grant:
    return Grant(
        grant_id=row["grant_id"],
        grantor_uuid=row["grantor_uuid"],
        grantor_id=row["grantor_id"],
        grantee_uuid=row["grantee_uuid"],
        grantee_id=row["grantee_id"],
        action=GrantAction(row["action"]),
        type_code=row["type_code"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        ground=row["ground"],
        revoked_at=row["revoked_at"],
    )
