"""Administrators say who is who: agencies, officers, principals."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TypeVar
from uuid import UUID

from kho_server.archive.caller import Caller
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.archive.registration_fields import (
    BATCH_LINES,
    SaidAgency,
    SaidOfficer,
    SaidPrincipal,
    parse_agency_id,
    parse_codes,
    parse_credential,
    parse_display_name,
    parse_kind,
    parse_names,
    parse_officer_id,
    parse_reason,
)
from kho_server.archive.request_fields import parse_uuid
from kho_server.rules.errors import RuleViolation
from kho_server.rules.legal_days import Validity, legal_day
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.errors import Conflict
from kho_storage.records.registry import Actor, Agency, Officer, Principal, PrincipalKind

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Line:
    """What became of one line of a batch: the id of what stands now, or why not."""

    id: str
    refused: Refusal | RuleViolation | None


class Registration:
    """The use cases of administrators; everybody else is refused: PRINCIPAL_KIND_NOT_ALLOWED.

    Every method may be called again with the same arguments and changes nothing then. Of a batch each line is one
    transaction: a refused line stops no other. CatalogUnavailable: lines may have been registered; send it again.
    """

    def __init__(
        self, registry: RegistryCatalog, clock: Callable[[], datetime], on_change: Callable[[], None] = lambda: None
    ) -> None:
        """`on_change` is called after every change, so that nothing remembered outlives it."""
        self._registry = registry
        self._clock = clock
        self._on_change = on_change

    async def register_agencies(self, caller: Caller, officer_id: str, lines: Sequence[SaidAgency]) -> list[Line]:
        """Register agencies, or add codes and names to them. Refusals: FIELD_REQUIRED, BATCH_TOO_LARGE."""
        actor = self._actor(caller, officer_id)
        return await self._batch("agencies", lines, lambda _, said: self._agency(said, actor))

    async def register_officers(self, caller: Caller, officer_id: str, lines: Sequence[SaidOfficer]) -> list[Line]:
        """Register officers. Refusals: FIELD_REQUIRED, BATCH_TOO_LARGE."""
        actor = self._actor(caller, officer_id)
        return await self._batch("officers", lines, lambda _, said: self._officer(said, actor))

    async def register_principals(
        self, caller: Caller, officer_id: str, lines: Sequence[SaidPrincipal], made_id: Callable[[int], UUID]
    ) -> list[Line]:
        """Register callers; `made_id` gives the id of a line by its number, the same one when it is sent again.

        Refusals: FIELD_REQUIRED, BATCH_TOO_LARGE.
        """
        actor = self._actor(caller, officer_id)
        return await self._batch(
            "principals", lines, lambda number, said: self._principal(said, made_id(number), actor)
        )

    async def revoke_agency(self, caller: Caller, officer_id: str, agency_id: str, reason: str) -> None:
        """Revoke an agency. Refusals: REGISTRATION_NOT_FOUND, fields."""
        actor = self._actor(caller, officer_id)
        known, why = parse_agency_id(agency_id), parse_reason(reason)
        self._found("agency", await self._registry.revoke_agency(known, why, actor, self._clock()))

    async def revoke_officer(
        self, caller: Caller, acting_officer_id: str, agency_id: str, officer_id: str, reason: str
    ) -> None:
        """Revoke an officer. Refusals: REGISTRATION_NOT_FOUND, fields."""
        actor = self._actor(caller, acting_officer_id, field="acting_officer_id")
        agency, officer, why = parse_agency_id(agency_id), parse_officer_id(officer_id), parse_reason(reason)
        self._found("officer", await self._registry.revoke_officer(agency, officer, why, actor, self._clock()))

    async def revoke_principal(self, caller: Caller, officer_id: str, principal_id: str, reason: str) -> None:
        """Revoke a caller. Refusals: REGISTRATION_NOT_FOUND, fields."""
        actor = self._actor(caller, officer_id)
        known, why = parse_uuid("principal_id", principal_id), parse_reason(reason)
        self._found("principal", await self._registry.revoke_principal(known, why, actor, self._clock()))

    async def _agency(self, said: SaidAgency, actor: Actor) -> str:
        now = self._clock()
        agency_id = parse_agency_id(said.agency_id)
        codes = parse_codes(said.codes, legal_day(now))
        names = parse_names(said.names)
        try:
            agency = await self._registry.register_agency(agency_id, codes, names, actor, now)
        except Conflict as conflict:
            raise Refusal(Reason.REGISTRATION_EXISTS, kind="agency") from conflict
        return agency.agency_id

    async def _officer(self, said: SaidOfficer, actor: Actor) -> str:
        agency = await self._living_agency(parse_agency_id(said.agency_id))
        validity = Validity.parse(said.valid_from, said.valid_to)
        officer = Officer(
            agency_uuid=agency.agency_uuid,
            agency_id=agency.agency_id,
            officer_id=parse_officer_id(said.officer_id),
            display_name=parse_display_name(said.display_name),
            valid_from=validity.valid_from,
            valid_to=validity.valid_to,
            revoked_at=None,
        )
        try:
            return (await self._registry.register_officer(officer, actor, self._clock())).officer_id
        except Conflict as conflict:
            raise Refusal(Reason.REGISTRATION_EXISTS, kind="officer") from conflict

    async def _principal(self, said: SaidPrincipal, principal_id: UUID, actor: Actor) -> str:
        now = self._clock()
        kind = parse_kind(said)
        credential = parse_credential(said)
        agency = await self._living_agency(parse_agency_id(said.agency_id)) if said.agency_id else None
        if said.valid_to is not None and said.valid_to <= (said.valid_from or now):
            raise Refusal(Reason.DATES_CROSSED, field="valid_to")
        principal = Principal(
            principal_id=principal_id,
            kind=kind,
            agency_uuid=agency.agency_uuid if agency else None,
            agency_id=agency.agency_id if agency else None,
            display_name=parse_display_name(said.display_name),
            certificate_sha256=credential.certificate_sha256,
            issuer_key_sha256=credential.issuer_key_sha256,
            subject=credential.subject,
            default_officer_id=await self._default_officer(agency, said.default_officer_id, now),
            valid_from=said.valid_from or now,
            valid_to=said.valid_to,
            revoked_at=None,
        )
        try:
            return str((await self._registry.register_principal(principal, actor, now)).principal_id)
        except Conflict as conflict:
            raise Refusal(Reason.REGISTRATION_EXISTS, kind="principal") from conflict

    async def _default_officer(self, agency: Agency | None, officer_id: str, now: datetime) -> str | None:
        if agency is None or not officer_id:
            return None
        known = parse_officer_id(officer_id, "default_officer_id")
        officer = await self._registry.officer(agency.agency_uuid, known)
        if officer is None or not officer.acts_on(legal_day(now)):
            raise Absent(Reason.REGISTRATION_NOT_FOUND, field="default_officer_id", kind="officer")
        return known

    async def _living_agency(self, agency_id: str) -> Agency:
        agency = await self._registry.agency(agency_id)
        if agency is None or agency.revoked_at is not None:
            raise Absent(Reason.REGISTRATION_NOT_FOUND, field="agency_id", kind="agency")
        return agency

    async def _batch(self, field: str, lines: Sequence[T], register: Callable[[int, T], Awaitable[str]]) -> list[Line]:
        if not lines:
            raise Refusal(Reason.FIELD_REQUIRED, field=field)
        if len(lines) > BATCH_LINES:
            raise Refusal(Reason.BATCH_TOO_LARGE, field=field, limit=BATCH_LINES)
        answers = []
        try:
            for number, said in enumerate(lines):
                try:
                    answers.append(Line(await register(number, said), None))
                except (Refusal, RuleViolation) as refused:
                    answers.append(Line("", refused))
        finally:
            self._on_change()
        return answers

    def _found(self, kind: str, registration: object | None) -> None:
        if registration is None:
            raise Absent(Reason.REGISTRATION_NOT_FOUND, kind=kind)
        self._on_change()

    @staticmethod
    def _actor(caller: Caller, officer_id: str, field: str = "officer_id") -> Actor:
        """Return who acts: an administrator, and the officer that it names, if any."""
        caller.must_be(PrincipalKind.ADMINISTRATOR)
        return caller.actor(parse_officer_id(officer_id, field) if officer_id else None)
