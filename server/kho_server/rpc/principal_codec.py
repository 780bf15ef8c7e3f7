"""Principals as messages."""

from datetime import datetime

from google.protobuf.timestamp_pb2 import Timestamp

from kho.v1 import registry_pb2 as pb
from kho_storage.records.registry import Principal, PrincipalKind

KIND_NUMBERS: dict[PrincipalKind, pb.PrincipalKind.ValueType] = {
    PrincipalKind.STATION: pb.PRINCIPAL_KIND_STATION,
    PrincipalKind.AGENCY_SYSTEM: pb.PRINCIPAL_KIND_AGENCY_SYSTEM,
    PrincipalKind.PORTAL: pb.PRINCIPAL_KIND_PORTAL,
    PrincipalKind.OPERATOR: pb.PRINCIPAL_KIND_OPERATOR,
    PrincipalKind.ADMINISTRATOR: pb.PRINCIPAL_KIND_ADMINISTRATOR,
}


def principal_message(principal: Principal) -> pb.Principal:
    """Return a principal as a message; a revoked agency shows as revocation of its principals."""
    return pb.Principal(
        principal_id=str(principal.principal_id),
        kind=KIND_NUMBERS[principal.kind],
        agency_id=principal.agency_id or "",
        display_name=principal.display_name,
        certificate_sha256=principal.certificate_sha256 or "",
        issuer_key_sha256=principal.issuer_key_sha256 or "",
        subject=principal.subject or "",
        default_officer_id=principal.default_officer_id or "",
        valid_from=_timestamp(principal.valid_from),
        valid_to=_timestamp(principal.valid_to),
        revoked_at=_timestamp(principal.revoked_at or principal.agency_revoked_at),
    )


def _timestamp(instant: datetime | None) -> Timestamp | None:
    if instant is None:
        return None
    message = Timestamp()
    message.FromDatetime(instant)
    return message
