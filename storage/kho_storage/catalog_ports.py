"""Ports of the index side of the house. Adapters stand in `kho_storage.catalog`.

Law of every changing method: event, payload, projection and kept answer are one transaction, durable on return.
Every method may raise CatalogUnavailable; of a changing one nothing is then known, and it may be repeated.
"""

from collections.abc import Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kho_storage.records.access import AccessRecord, KeptAnswer, ListedAccess
from kho_storage.records.registry import Actor, Agency, DatedCode, DatedName, Grant, Officer, Principal


class RegistryCatalog(Protocol):
    """Agencies, officers, principals and grants. Lists are keyset-paged: `after` is the last key of the page before."""

    async def register_agency(
        self, agency_id: str, codes: Sequence[DatedCode], names: Sequence[DatedName], actor: Actor, at: datetime
    ) -> Agency:
        """Register an agency, or add to it the codes and names that it does not have yet (the same again: no change).

        Conflict("agency_code_taken"): a code belongs, or belonged, to another agency.
        """
        ...

    async def revoke_agency(self, agency_id: str, reason: str, actor: Actor, at: datetime) -> Agency | None:
        """Revoke an agency; None if there is none; revoked already: no change."""
        ...

    async def agency(self, agency_id: str) -> Agency | None:
        """Return an agency by its stable id."""
        ...

    async def agency_by_code(self, code_key: str) -> Agency | None:
        """Return the agency that has, or ever had, a code."""
        ...

    async def agencies(self, after: str, limit: int) -> tuple[Agency, ...]:
        """Return agencies in order of id."""
        ...

    async def register_officer(self, officer: Officer, actor: Actor, at: datetime) -> Officer:
        """Register an officer. Conflict("officer_id_taken") unless the same registration stands already.

        Conflict("agency_unknown"): no such agency.
        """
        ...

    async def revoke_officer(
        self, agency_id: str, officer_id: str, reason: str, actor: Actor, at: datetime
    ) -> Officer | None:
        """Revoke an officer; None if there is none."""
        ...

    async def officer(self, agency_uuid: UUID, officer_id: str) -> Officer | None:
        """Return an officer of an agency."""
        ...

    async def officers(self, agency_id: str | None, after: tuple[str, str], limit: int) -> tuple[Officer, ...]:
        """Return officers in order of (agency id, officer id); agency None: of all."""
        ...

    async def register_principal(self, principal: Principal, actor: Actor, at: datetime) -> Principal:
        """Register a caller. Conflict("principal_certificate_taken" | "principal_subject_taken" | "agency_unknown"
        | "officer_unknown" | a check's name).
        """
        ...

    async def revoke_principal(self, principal_id: UUID, reason: str, actor: Actor, at: datetime) -> Principal | None:
        """Revoke a caller; None if there is none."""
        ...

    async def principal_by_certificate(
        self, certificate_sha256: str, issuer_key_sha256s: Sequence[str], subject: str
    ) -> Principal | None:
        """Return the living registration of a certificate, by fingerprint first, then by issuer key and subject.

        Without a living one the last revoked one, so that the caller can be told; None if it never was registered.
        """
        ...

    async def principals(self, agency_id: str | None, after: UUID | None, limit: int) -> tuple[Principal, ...]:
        """Return principals in order of id; agency None: all."""
        ...

    async def add_grant(self, grant: Grant, actor: Actor, at: datetime) -> Grant:
        """Add a grant. Conflict("agency_unknown"): grantor or grantee is not registered."""
        ...

    async def revoke_grant(self, grant_id: UUID, reason: str, actor: Actor, at: datetime) -> Grant | None:
        """Revoke a grant; None if there is none."""
        ...

    async def grant(self, grant_id: UUID) -> Grant | None:
        """Return a grant."""
        ...

    async def grants_between(self, grantor_uuid: UUID, grantee_uuid: UUID) -> tuple[Grant, ...]:
        """Return the grants of a pair that are not revoked."""
        ...

    async def grants(self, agency_uuid: UUID | None, after: UUID | None, limit: int) -> tuple[Grant, ...]:
        """Return grants in order of id; given an agency, those that it gave or got."""
        ...


class AccessLog(Protocol):
    """Durable records of every disclosure."""

    async def record(self, records: Sequence[AccessRecord]) -> None:
        """Write records; on return they are durable. Concurrent calls share one commit."""
        ...

    async def close(self, access_id: UUID, at: datetime, closed_at: datetime, bytes_sent: int) -> None:
        """Write down what really left; may lag behind, is never lost while the server lives, not waited for."""
        ...

    async def of_document(
        self, document_uuid: UUID, after: tuple[datetime, UUID] | None, limit: int
    ) -> tuple[ListedAccess, ...]:
        """Return who had, or was refused, a document, newest first."""
        ...


class AnswerBook(Protocol):
    """Answers of changing calls, kept for 30 days."""

    async def find(self, scope: UUID, request_id: UUID) -> KeptAnswer | None:
        """Return the kept answer of a request."""
        ...

    async def keep(self, answer: KeptAnswer) -> None:
        """Keep an answer; Conflict("request_answered") if the request has one already."""
        ...

    async def forget_before(self, instant: datetime) -> int:
        """Forget answers older than an instant; returns how many."""
        ...
