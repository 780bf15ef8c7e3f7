"""Registered callers in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kho_storage.catalog.database import Database, Row
from kho_storage.catalog.json_values import instant_text, uuid_text
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.catalog.statements import statements
from kho_storage.catalog.storable_text import is_storable
from kho_storage.errors import Conflict
from kho_storage.records.registry import Actor, Principal, PrincipalKind


class PostgresPrincipals:
    """The part of the registry that knows callers."""

    def __init__(self, database: Database) -> None:
        """Take an opened database."""
        self._database = database

    async def register_principal(self, principal: Principal, actor: Actor, at: datetime) -> Principal:
        """Register a caller; the same principal id again: no change, what stands is returned.

        Conflict("principal_certificate_taken" | "principal_subject_taken" | "agency_unknown" | "officer_unknown"
        | a check's name).
        """
        subject = str(principal.principal_id)
        payload = {
            "principal_id": subject,
            "kind": principal.kind.value,
            "agency_uuid": uuid_text(principal.agency_uuid),
            "display_name": principal.display_name,
            "certificate_sha256": principal.certificate_sha256,
            "issuer_key_sha256": principal.issuer_key_sha256,
            "subject": principal.subject,
            "default_officer_id": principal.default_officer_id,
            "valid_from": instant_text(principal.valid_from),
            "valid_to": instant_text(principal.valid_to),
        }
        try:
            async with self._database.transaction() as connection:
                await record(connection, NewEvent("principal", subject, "principal_registered", actor, at, payload))
        except Conflict:
            # The id is looked for whatever the constraint: PostgreSQL names the first one that it met.
            standing = await self._principal(principal.principal_id)
            if standing is None:
                raise
            return standing
        return principal

    async def revoke_principal(self, principal_id: UUID, reason: str, actor: Actor, at: datetime) -> Principal | None:
        """Revoke a caller; None if there is none; revoked already: no change."""
        named = statements("registry")
        async with self._database.transaction() as connection:
            if await connection.fetchval(named["lock_principal"], principal_id) is None:
                return None
            row = await connection.fetchrow(named["principal"], principal_id)
            assert row is not None
            if row["revoked_at"] is None:
                subject = str(principal_id)
                payload = {"principal_id": subject}
                await record(
                    connection, NewEvent("principal", subject, "principal_revoked", actor, at, payload, reason)
                )
                row = await connection.fetchrow(named["principal"], principal_id)
                assert row is not None
        return _principal_of(row)

    async def principal_by_certificate(
        self, certificate_sha256: str, issuer_key_sha256s: Sequence[str], subject: str
    ) -> Principal | None:
        """Return the living registration of a certificate, else the last revoked one, else None."""
        statement = statements("registry")["principal_by_certificate"]
        # A subject is the certificate's choice; one that cannot be stored leaves the fingerprint.
        named = subject if is_storable(subject) else None
        row = await self._database.fetch_one(statement, certificate_sha256, list(issuer_key_sha256s), named)
        return _principal_of(row) if row else None

    async def principals(self, agency_id: str | None, after: UUID | None, limit: int) -> tuple[Principal, ...]:
        """Return principals in order of id; agency None: all."""
        rows = await self._database.fetch(statements("registry")["list_principals"], agency_id, after, limit)
        return tuple(_principal_of(row) for row in rows)

    async def _principal(self, principal_id: UUID) -> Principal | None:
        row = await self._database.fetch_one(statements("registry")["principal"], principal_id)
        return _principal_of(row) if row else None


def _principal_of(row: Row) -> Principal:
    return Principal(
        principal_id=row["principal_id"],
        kind=PrincipalKind(row["kind"]),
        agency_uuid=row["agency_uuid"],
        agency_id=row["agency_id"],
        display_name=row["display_name"],
        certificate_sha256=row["certificate_sha256"],
        issuer_key_sha256=row["issuer_key_sha256"],
        subject=row["subject"],
        default_officer_id=row["default_officer_id"],
        valid_from=row["valid_from"],
        valid_to=row["valid_to"],
        revoked_at=row["revoked_at"],
        agency_revoked_at=row["agency_revoked_at"],
    )
