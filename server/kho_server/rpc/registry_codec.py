"""Agencies, officers, principals and the lines of batches between wire and domain."""

import hashlib
from collections.abc import Sequence
from datetime import UTC, date, datetime

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp

from kho.v1 import error_reason_pb2, registry_pb2, registry_service_pb2
from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.registration import Line
from kho_server.archive.registration_fields import SaidAgency, SaidDated, SaidOfficer, SaidPrincipal
from kho_server.rpc.status import told_of
from kho_storage.records.registry import Agency, DatedCode, DatedName, Officer, PrincipalKind

_KINDS = {
    registry_pb2.PRINCIPAL_KIND_STATION: PrincipalKind.STATION,
    registry_pb2.PRINCIPAL_KIND_AGENCY_SYSTEM: PrincipalKind.AGENCY_SYSTEM,
    registry_pb2.PRINCIPAL_KIND_PORTAL: PrincipalKind.PORTAL,
    registry_pb2.PRINCIPAL_KIND_OPERATOR: PrincipalKind.OPERATOR,
    registry_pb2.PRINCIPAL_KIND_ADMINISTRATOR: PrincipalKind.ADMINISTRATOR,
}


def fingerprint_of(request: Message) -> bytes:
    """Return SHA-256 over a request: two requests under one id are the same if this is."""
    return hashlib.sha256(request.SerializeToString(deterministic=True)).digest()


def said_agency(message: registry_pb2.Agency) -> SaidAgency:
    """Return an agency as it was sent, unparsed."""
    return SaidAgency(message.agency_id, _said_dated(message.codes), _said_dated(message.names))


def said_officer(message: registry_pb2.Officer) -> SaidOfficer:
    """Return an officer as it was sent, unparsed."""
    return SaidOfficer(
        message.agency_id, message.officer_id, message.display_name, message.valid_from, message.valid_to
    )


def said_principal(message: registry_service_pb2.PrincipalRegistration) -> SaidPrincipal:
    """Return a caller as it was sent, unparsed. Refusal: DATE_IMPOSSIBLE."""
    principal = message.principal
    return SaidPrincipal(
        kind=_KINDS.get(principal.kind),
        agency_id=principal.agency_id,
        display_name=principal.display_name,
        certificate=message.certificate,
        certificate_sha256=principal.certificate_sha256,
        issuer_key_sha256=principal.issuer_key_sha256,
        subject=principal.subject,
        default_officer_id=principal.default_officer_id,
        valid_from=instant(principal.valid_from, "valid_from") if principal.HasField("valid_from") else None,
        valid_to=instant(principal.valid_to, "valid_to") if principal.HasField("valid_to") else None,
    )


def line_message(line: Line) -> registry_service_pb2.RegistrationLine:
    """Return what became of a line: its id, or why it was refused, as a single call would have been told."""
    if line.refused is None:
        return registry_service_pb2.RegistrationLine(id=line.id)
    told = told_of(line.refused)
    return registry_service_pb2.RegistrationLine(
        id=line.id,
        refusal=error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{told.reason.value}"),
        message_vi=told.text_vi,
        message_en=told.text_en,
    )


def agency_message(agency: Agency) -> registry_pb2.Agency:
    """Return an agency as a message."""
    return registry_pb2.Agency(
        agency_id=agency.agency_id,
        codes=[_dated(code, code.code) for code in agency.codes],
        names=[_dated(name, name.name) for name in agency.names],
        revoked_at=timestamp(agency.revoked_at),
    )


def officer_message(officer: Officer) -> registry_pb2.Officer:
    """Return an officer as a message."""
    return registry_pb2.Officer(
        agency_id=officer.agency_id,
        officer_id=officer.officer_id,
        display_name=officer.display_name,
        valid_from=day_text(officer.valid_from),
        valid_to=day_text(officer.valid_to),
        revoked_at=timestamp(officer.revoked_at),
    )


def day_text(day: date | None) -> str:
    """Return a day as ISO 8601, empty for an open one."""
    return day.isoformat() if day else ""


def timestamp(at: datetime | None) -> Timestamp | None:
    """Return an instant as a message, None for none."""
    if at is None:
        return None
    message = Timestamp()
    message.FromDatetime(at)
    return message


def instant(message: Timestamp, field: str) -> datetime:
    """Return an instant of a message. Refusal: DATE_IMPOSSIBLE outside the years 1 to 9999."""
    try:
        return message.ToDatetime(tzinfo=UTC)
    except (ValueError, OverflowError) as error:
        raise Refusal(Reason.DATE_IMPOSSIBLE, field=field) from error


def _said_dated(messages: Sequence[registry_pb2.DatedText]) -> tuple[SaidDated, ...]:
    return tuple(SaidDated(message.text, message.valid_from, message.valid_to) for message in messages)


def _dated(dated: DatedCode | DatedName, text: str) -> registry_pb2.DatedText:
    return registry_pb2.DatedText(text=text, valid_from=day_text(dated.valid_from), valid_to=day_text(dated.valid_to))
