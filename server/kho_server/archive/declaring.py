"""From what a station says of a document to a declaration that can be sealed."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from uuid import UUID

from kho_server.archive.caller import Caller
from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.rules.agency_code import AgencyCode
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.document_number import DocumentNumber
from kho_server.rules.dossier_code import DossierCode
from kho_server.rules.errors import RuleViolation
from kho_server.rules.legal_days import Validity, parse_day
from kho_server.rules.owner_id import OwnerId
from kho_server.rules.procedure_code import ProcedureCode
from kho_server.rules.result_code import ResultCode
from kho_server.rules.result_type import ResultType
from kho_server.rules.text import clean_text
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.records.document import (
    CopyForm,
    Declaration,
    DocumentKind,
    GivenCode,
    Lane,
    Outcome,
    Owner,
    ResultDeclaration,
)
from kho_storage.records.registry import Agency, GrantAction

_MAX_OWNERS = 16
_MAX_SUBJECT = 500  # NĐ 30/2020 Phụ lục VI: Subject 500
_MAX_TERRITORY = 200
_AGENCY_ID = re.compile(r"[a-z0-9][a-z0-9-]{0,62}")


@dataclass(frozen=True, slots=True)
class SaidOfResult:
    """What a station said of a result, unparsed; empty means not stated."""

    type_code: str = ""
    issuer_code: str = ""
    owner_ids: Sequence[str] = ()
    outcome: Outcome = Outcome.GRANTED
    number: str = ""
    issued_on: str = ""
    valid_from: str = ""
    valid_to: str = ""
    given_code: str = ""
    territory: str = ""
    subject: str = ""


@dataclass(frozen=True, slots=True)
class SaidOfDocument:
    """What a station said of a document, unparsed."""

    kind: DocumentKind | None
    lane: Lane
    dossier_code: str
    procedure_code: str
    sheets: int = 0
    scanned_at: datetime | None = None
    copy_form: CopyForm | None = None
    copy_of: str = ""
    result: SaidOfResult | None = None


@dataclass(frozen=True, slots=True)
class Declared:
    """A declaration, the values that make a result code, and remarks for the clerk."""

    declaration: Declaration
    owner: OwnerId | None
    result_type: ResultType | None
    warnings: tuple[CodeWarning, ...] = field(default=())


async def declare(said: SaidOfDocument, caller: Caller, registry: RegistryCatalog, today: date) -> Declared:
    """Parse what a station said.

    Refusals: FIELD_REQUIRED, FIELD_MALFORMED, ISSUER_NOT_ALLOWED; RuleViolation for codes, days and texts.
    """
    if said.kind is None:
        raise Refusal(Reason.FIELD_REQUIRED, field="document.kind")
    if not said.dossier_code:
        raise Refusal(Reason.FIELD_REQUIRED, field="document.dossier_code")
    if not said.procedure_code:
        raise Refusal(Reason.FIELD_REQUIRED, field="document.procedure_code")
    dossier = DossierCode.parse(said.dossier_code, today, field="document.dossier_code")
    procedure = ProcedureCode.parse(said.procedure_code, today, field="document.procedure_code")
    warnings = [*dossier.warnings, *procedure.warnings]
    result, owner, result_type = None, None, None
    if said.kind is DocumentKind.PROCESSING:
        if said.result is not None:
            raise Refusal(Reason.FIELD_MALFORMED, field="document.result")
    else:
        if said.result is None:
            raise Refusal(Reason.FIELD_REQUIRED, field="document.result")
        result, owner, result_type, more = await _declare_result(said.result, caller, registry, today)
        warnings += more
    copy_of: UUID | None = parse_uuid("document.copy_of", said.copy_of) if said.copy_of else None
    return Declared(
        Declaration(
            kind=said.kind,
            lane=said.lane,
            dossier_code=dossier.text,
            dossier_key=dossier.key,
            procedure_code=procedure.text,
            procedure_key=procedure.key,
            scanned_at=said.scanned_at,
            copy_form=said.copy_form,
            copy_of=copy_of,
            result=result,
        ),
        owner,
        result_type,
        tuple(warnings),
    )


async def _declare_result(
    said: SaidOfResult, caller: Caller, registry: RegistryCatalog, today: date
) -> tuple[ResultDeclaration, OwnerId | None, ResultType, list[CodeWarning]]:
    if not said.type_code:
        raise Refusal(Reason.FIELD_REQUIRED, field="document.result.type_code")
    result_type = ResultType.parse(said.type_code, today, field="document.result.type_code")
    if len(said.owner_ids) > _MAX_OWNERS:
        raise Refusal(Reason.FIELD_TOO_LONG, field="document.result.owner_ids", limit=_MAX_OWNERS)
    owners = [OwnerId.parse(text, today, field="document.result.owner_ids") for text in said.owner_ids]
    if len({owner.key for owner in owners}) != len(owners):
        raise Refusal(Reason.FIELD_MALFORMED, field="document.result.owner_ids")
    number = DocumentNumber.parse(said.number, today, field="document.result.number") if said.number else None
    issued_on = parse_day("document.result.issued_on", said.issued_on) if said.issued_on else None
    validity = Validity(
        parse_day("document.result.valid_from", said.valid_from) if said.valid_from else None,
        parse_day("document.result.valid_to", said.valid_to) if said.valid_to else None,
    )
    issuer = await _issuer(said.issuer_code, result_type, caller, registry, today)
    if validity.valid_to is not None and issued_on is not None and validity.valid_to < issued_on:
        raise Refusal(Reason.DATES_CROSSED, field="document.result.valid_to")
    given = ResultCode.parse(said.given_code, field="document.result.given_code") if said.given_code else None
    stated = (value for value in (result_type, *owners, number, given) if value is not None)
    warnings = [warning for value in stated for warning in value.warnings]
    declaration = ResultDeclaration(
        type_code=result_type.text,
        issuer_uuid=issuer.agency_uuid,
        issuer_code=issuer.code_on(issued_on or today) or issuer.agency_id,
        owners=tuple(Owner(owner.text, owner.key) for owner in owners),
        outcome=said.outcome,
        number=number.text if number else None,
        number_key=number.key if number else None,
        issued_on=issued_on,
        valid_from=validity.valid_from,
        valid_to=validity.valid_to,
        territory=clean_text("document.result.territory", said.territory, _MAX_TERRITORY) or None,
        subject=clean_text("document.result.subject", said.subject, _MAX_SUBJECT) or None,
        given_code=GivenCode(given.text, given.key) if given else None,
    )
    return declaration, owners[0] if owners else None, result_type, warnings


async def _issuer(said: str, result_type: ResultType, caller: Caller, registry: RegistryCatalog, today: date) -> Agency:
    """Return the issuer: the caller's agency, or one that delegated this type to it. Everyone else looks the same."""
    own = await registry.agency(caller.agency_id)
    if own is None:
        raise Refusal(Reason.ISSUER_NOT_ALLOWED, field="document.result.issuer_code")
    if not said or said == own.agency_id:
        return own
    try:
        key = AgencyCode.parse(said, today, field="document.result.issuer_code").key
    except RuleViolation:
        # The stable id of an agency is as good a name as its code.
        issuer = await registry.agency(said) if _AGENCY_ID.fullmatch(said) else None
        if issuer is None:
            raise
    else:
        issuer = await registry.agency_by_code(key)
    if issuer is not None and issuer.agency_uuid == own.agency_uuid:
        return own
    if issuer is not None:
        for grant in await registry.grants_between(issuer.agency_uuid, own.agency_uuid):
            if grant.action is GrantAction.ISSUE and grant.allows(result_type.key, today):
                return issuer
    raise Refusal(Reason.ISSUER_NOT_ALLOWED, field="document.result.issuer_code")
