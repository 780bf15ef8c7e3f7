"""Grants and access records between wire and domain."""

from kho.v1 import access_service_pb2 as pb
from kho_server.archive.granting import SaidGrant
from kho_server.rpc.registry_codec import day_text, timestamp
from kho_storage.records.access import ListedAccess
from kho_storage.records.registry import Grant, GrantAction

_ACTIONS = {pb.GRANT_ACTION_REUSE: GrantAction.REUSE, pb.GRANT_ACTION_ISSUE: GrantAction.ISSUE}
_ACTION_NUMBERS = {action: number for number, action in _ACTIONS.items()}


def said_grant(message: pb.Grant) -> SaidGrant:
    """Return a grant as it was sent, unparsed."""
    return SaidGrant(
        grantor_agency_id=message.grantor_agency_id,
        grantee_agency_id=message.grantee_agency_id,
        action=_ACTIONS.get(message.action),
        type_code=message.type_code,
        valid_from=message.valid_from,
        valid_to=message.valid_to,
        ground=message.ground,
    )


def grant_message(grant: Grant) -> pb.Grant:
    """Return a grant as a message."""
    return pb.Grant(
        grant_id=str(grant.grant_id),
        grantor_agency_id=grant.grantor_id,
        grantee_agency_id=grant.grantee_id,
        action=_ACTION_NUMBERS[grant.action],
        type_code=grant.type_code or "",
        valid_from=day_text(grant.valid_from),
        valid_to=day_text(grant.valid_to),
        ground=grant.ground,
        revoked_at=timestamp(grant.revoked_at),
    )


def access_message(listed: ListedAccess) -> pb.AccessRecord:
    """Return an access record as a message."""
    record = listed.record
    return pb.AccessRecord(
        access_id=str(record.access_id),
        at=timestamp(record.at),
        agency_id=listed.agency_id or "",
        officer_id=record.officer_id or "",
        action=record.action.value,
        outcome=record.outcome.value,
        dossier_code=record.dossier_code or "",
        bytes_sent=-1 if listed.bytes_sent is None else listed.bytes_sent,
    )
