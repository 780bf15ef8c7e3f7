"""Who may have whose results: grants are added, revoked and listed."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.archive.registration_fields import parse_agency_id, parse_officer_id, parse_reason
from kho_server.archive.request_fields import parse_uuid
from kho_server.rules.legal_days import Validity, legal_day
from kho_server.rules.result_type import ResultType
from kho_server.rules.text import clean_text
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.errors import Conflict
from kho_storage.records.registry import Actor, Agency, Grant, GrantAction, PrincipalKind

_MAX_GROUND = 500


@dataclass(frozen=True, slots=True)
class SaidGrant:
    """A grant as it was sent; no type means all types, no first day means today."""

    grantor_agency_id: str
    grantee_agency_id: str
    action: GrantAction | None
    type_code: str = ""
    valid_from: str = ""
    valid_to: str = ""
    ground: str = ""


class Granting:
    """Administrators grant for any agency, an agency's system for its own, in the name of an officer."""

    def __init__(
        self, registry: RegistryCatalog, clock: Callable[[], datetime], on_change: Callable[[], None] = lambda: None
    ) -> None:
        """`on_change` is called after every change."""
        self._registry = registry
        self._clock = clock
        self._on_change = on_change

    async def add(self, caller: Caller, officer_id: str, said: SaidGrant, grant_id: UUID) -> Grant:
        """Add a grant; the same id again: no change.

        Refusals: PRINCIPAL_KIND_NOT_ALLOWED, OFFICER_REQUIRED, OFFICER_NOT_ACCEPTED, REGISTRATION_NOT_FOUND, fields.
        """
        caller.must_be(PrincipalKind.ADMINISTRATOR, PrincipalKind.AGENCY_SYSTEM)
        now = self._clock()
        today = legal_day(now)
        if said.action is None:
            raise Refusal(Reason.FIELD_REQUIRED, field="grant.action")
        grantor_id = parse_agency_id(said.grantor_agency_id, "grant.grantor_agency_id")
        grantee_id = parse_agency_id(said.grantee_agency_id, "grant.grantee_agency_id")
        if grantor_id == grantee_id:
            raise Refusal(Reason.FIELD_MALFORMED, field="grant.grantee_agency_id")
        actor = await self._actor(caller, officer_id, grantor_id)
        validity = Validity.parse(said.valid_from or today.isoformat(), said.valid_to)
        type_code = ResultType.parse(said.type_code, today, field="grant.type_code").key if said.type_code else None
        ground = clean_text("grant.ground", said.ground, _MAX_GROUND, required=True)
        grantor = await self._living_agency(grantor_id, "grant.grantor_agency_id")
        grantee = await self._living_agency(grantee_id, "grant.grantee_agency_id")
        grant = Grant(
            grant_id=grant_id,
            grantor_uuid=grantor.agency_uuid,
            grantor_id=grantor.agency_id,
            grantee_uuid=grantee.agency_uuid,
            grantee_id=grantee.agency_id,
            action=said.action,
            type_code=type_code,
            valid_from=validity.valid_from or today,
            valid_to=validity.valid_to,
            ground=ground,
            revoked_at=None,
        )
        try:
            added = await self._registry.add_grant(grant, actor, now)
        except Conflict as conflict:
            raise Absent(Reason.REGISTRATION_NOT_FOUND, kind="agency") from conflict
        self._on_change()
        return added

    async def revoke(self, caller: Caller, officer_id: str, grant_id: str, reason: str) -> None:
        """Revoke a grant: the next question is answered without it. A grant of others does not exist.

        Refusals: PRINCIPAL_KIND_NOT_ALLOWED, OFFICER_REQUIRED, OFFICER_NOT_ACCEPTED, REGISTRATION_NOT_FOUND, fields.
        """
        caller.must_be(PrincipalKind.ADMINISTRATOR, PrincipalKind.AGENCY_SYSTEM)
        known, why = parse_uuid("grant_id", grant_id), parse_reason(reason)
        grant = await self._registry.grant(known)
        is_agency = caller.principal.kind is PrincipalKind.AGENCY_SYSTEM
        if grant is None or (is_agency and grant.grantor_uuid != caller.agency_uuid):
            raise Absent(Reason.REGISTRATION_NOT_FOUND, kind="grant")
        actor = await self._actor(caller, officer_id, grant.grantor_id)
        await self._registry.revoke_grant(known, why, actor, self._clock())
        self._on_change()

    async def grants(self, caller: Caller, after: UUID | None, limit: int) -> tuple[Grant, ...]:
        """Return grants by id: administrators all, agencies those they gave or got.

        Refusal: PRINCIPAL_KIND_NOT_ALLOWED.
        """
        if caller.principal.kind is PrincipalKind.ADMINISTRATOR:
            return await self._registry.grants(None, after, limit)
        return await self._registry.grants(caller.agency_uuid, after, limit)

    async def _actor(self, caller: Caller, officer_id: str, grantor_id: str) -> Actor:
        if caller.principal.kind is PrincipalKind.ADMINISTRATOR:
            return caller.actor(parse_officer_id(officer_id) if officer_id else None)
        if caller.agency_id != grantor_id:
            raise Refusal(Reason.PRINCIPAL_KIND_NOT_ALLOWED, kind=caller.principal.kind.value)
        officer = await acting_officer(caller, officer_id, self._registry, legal_day(self._clock()))
        return caller.actor(officer.officer_id)

    async def _living_agency(self, agency_id: str, field: str) -> Agency:
        agency = await self._registry.agency(agency_id)
        if agency is None or agency.revoked_at is not None:
            raise Absent(Reason.REGISTRATION_NOT_FOUND, field=field, kind="agency")
        return agency
