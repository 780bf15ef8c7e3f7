"""Results between wire and domain."""

from datetime import date, datetime

from kho.v1 import result_pb2, upload_service_pb2
from kho_server.archive.declaring import SaidOfResult
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rpc.verdict_codec import summary_message
from kho_server.rules.legal_days import Validity, legal_day
from kho_server.rules.public_code import PublicCode
from kho_storage.records.document import DocumentState, Outcome, StoredResult

_OUTCOMES = {
    result_pb2.OUTCOME_UNSPECIFIED: Outcome.GRANTED,
    result_pb2.OUTCOME_GRANTED: Outcome.GRANTED,
    result_pb2.OUTCOME_REFUSED: Outcome.REFUSED,
}
_OUTCOME_NUMBERS = {Outcome.GRANTED: result_pb2.OUTCOME_GRANTED, Outcome.REFUSED: result_pb2.OUTCOME_REFUSED}


def said_of_result(message: upload_service_pb2.ResultDeclaration) -> SaidOfResult:
    """Return what a station said of a result, unparsed."""
    if message.outcome not in _OUTCOMES:
        raise Refusal(Reason.FIELD_MALFORMED, field="document.result.outcome")
    return SaidOfResult(
        type_code=message.type_code,
        issuer_code=message.issuer_code,
        owner_ids=tuple(message.owner_ids),
        outcome=_OUTCOMES[message.outcome],
        number=message.number,
        issued_on=message.issued_on,
        valid_from=message.valid_from,
        valid_to=message.valid_to,
        given_code=message.given_code,
        territory=message.territory,
        subject=message.subject,
    )


def shown_public_code(key: str) -> str:
    """Return a public code as it is printed and read out."""
    return PublicCode.parse(key).text


def result_message(result: StoredResult, on: date | datetime, *, with_owners: bool) -> result_pb2.Result:
    """Return a result as it stands on a legal day."""
    declared = result.declaration
    day = legal_day(on) if isinstance(on, datetime) else on
    message = result_pb2.Result(
        document_id=str(result.document_id),
        result_code=result.code,
        public_code=shown_public_code(result.public_code),
        type_code=declared.type_code,
        issuer_code=declared.issuer_code,
        owner_ids=[owner.owner_id for owner in declared.owners] if with_owners else [],
        outcome=_OUTCOME_NUMBERS[declared.outcome],
        number=declared.number or "",
        issued_on=_text(declared.issued_on),
        valid_from=_text(declared.valid_from),
        valid_to=_text(declared.valid_to),
        # Whether it was recalled after the backup from which it came back, nobody knows yet.
        in_force=result.state is not DocumentState.RESTORED_UNCONFIRMED
        and Validity(declared.valid_from, declared.valid_to).in_force(day),
        as_of=day.isoformat(),
        kind=result.kind.value,
        territory=declared.territory or "",
        subject=declared.subject or "",
    )
    if result.indication is not None:
        message.verdict.CopyFrom(summary_message(result.indication, result.sub_indication))
    if result.content is not None:
        message.digest = str(result.content.digest)
        message.size_bytes = result.content.digest.size_bytes
        message.media_type = result.content.media_type
    return message


def _text(day: date | None) -> str:
    return day.isoformat() if day else ""
