"""Who calls, in whose name, and under which request id."""

from dataclasses import dataclass
from datetime import date
from uuid import UUID

from kho_server.archive.refusals import Reason, Refusal
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.records.registry import Actor, Officer, Principal, PrincipalKind

AGENCY_KINDS = frozenset({PrincipalKind.STATION, PrincipalKind.AGENCY_SYSTEM})


@dataclass(frozen=True, slots=True)
class Caller:
    """A registered principal during one call; `request_id` is the server's id of the call, for logs and errors."""

    principal: Principal
    request_id: str

    def must_be(self, *kinds: PrincipalKind) -> None:
        """Refuse kinds of principals that never make this call: PRINCIPAL_KIND_NOT_ALLOWED."""
        if self.principal.kind not in kinds:
            raise Refusal(Reason.PRINCIPAL_KIND_NOT_ALLOWED, kind=self.principal.kind.value)

    @property
    def agency_uuid(self) -> UUID:
        """The caller's agency; callers without one are refused: PRINCIPAL_KIND_NOT_ALLOWED."""
        if self.principal.agency_uuid is None:
            raise Refusal(Reason.PRINCIPAL_KIND_NOT_ALLOWED, kind=self.principal.kind.value)
        return self.principal.agency_uuid

    @property
    def agency_id(self) -> str:
        """The stable id of the caller's agency; refused like `agency_uuid` without one."""
        if self.principal.agency_id is None:
            raise Refusal(Reason.PRINCIPAL_KIND_NOT_ALLOWED, kind=self.principal.kind.value)
        return self.principal.agency_id

    @property
    def scope(self) -> UUID:
        """Within which request ids are unique: the agency, or the principal where there is none."""
        return self.principal.agency_uuid or self.principal.principal_id

    def actor(self, officer_id: str | None) -> Actor:
        """Return the actor of an event."""
        return Actor(self.principal.principal_id, officer_id)


async def acting_officer(caller: Caller, officer_id: str, registry: RegistryCatalog, today: date) -> Officer:
    """Return the officer in whose name a call acts: the one named, else the principal's default.

    Refusals: PRINCIPAL_KIND_NOT_ALLOWED for callers without an agency, OFFICER_REQUIRED, OFFICER_NOT_ACCEPTED.
    """
    # Before the officer: an operator who is asked for one would look for what cannot help.
    agency_uuid = caller.agency_uuid
    wanted = officer_id or caller.principal.default_officer_id
    if not wanted:
        raise Refusal(Reason.OFFICER_REQUIRED, field="officer_id")
    # What no registration can hold is not asked for: PostgreSQL refuses a zero character with an error of its own.
    is_possible = len(wanted) <= 64 and wanted.isprintable()
    officer = await registry.officer(agency_uuid, wanted) if is_possible else None
    if officer is None or not officer.acts_on(today):
        raise Refusal(Reason.OFFICER_NOT_ACCEPTED, field="officer_id")
    return officer
