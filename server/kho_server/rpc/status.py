"""The one table from what went wrong inside to what a caller is told.

A caller gets a gRPC status and, in trailers, google.rpc.Status with ErrorInfo (reason, domain "kho.v1", request id),
LocalizedMessage in Vietnamese and, where they fit, BadRequest and RetryInfo: under 8 KiB together (AIP-193). What
is not in this table is INTERNAL_FAULT with nothing of the inside in it.
"""

import dataclasses
import errno
from collections.abc import Mapping
from datetime import timedelta

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status

from kho_server.archive.refusal_texts import texts_of
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rpc.rule_reasons import REASON_OF_RULE
from kho_server.rules.errors import RuleViolation
from kho_server.verification import errors as verification
from kho_storage import errors as storage

DOMAIN = "kho.v1"
STATUS_TRAILER = "grpc-status-details-bin"
REQUEST_ID_KEY = "kho-request-id"
# AIP-193 asks for less than 8 KiB; gRPC drops headers over 8 KiB in all, of which message and ids take a part.
DETAILS_BYTES = 6 * 1024
_FACT_CHARS = 512
_FACTS = 16

_Code = grpc.StatusCode

STATUS_OF: Mapping[Reason, grpc.StatusCode] = {
    Reason.CLIENT_CERTIFICATE_UNKNOWN: _Code.UNAUTHENTICATED,
    Reason.CLIENT_CERTIFICATE_REVOKED: _Code.UNAUTHENTICATED,
    Reason.PRINCIPAL_KIND_NOT_ALLOWED: _Code.PERMISSION_DENIED,
    Reason.OFFICER_REQUIRED: _Code.INVALID_ARGUMENT,
    Reason.OFFICER_NOT_ACCEPTED: _Code.PERMISSION_DENIED,
    Reason.FIELD_REQUIRED: _Code.INVALID_ARGUMENT,
    Reason.FIELD_MALFORMED: _Code.INVALID_ARGUMENT,
    Reason.FIELD_TOO_LONG: _Code.INVALID_ARGUMENT,
    Reason.CONTROL_CHARACTER: _Code.INVALID_ARGUMENT,
    Reason.CODE_MALFORMED: _Code.INVALID_ARGUMENT,
    Reason.DATE_IMPOSSIBLE: _Code.INVALID_ARGUMENT,
    Reason.DATES_CROSSED: _Code.INVALID_ARGUMENT,
    Reason.PAGE_TOKEN_INVALID: _Code.INVALID_ARGUMENT,
    Reason.BATCH_TOO_LARGE: _Code.INVALID_ARGUMENT,
    Reason.REQUEST_ID_REUSED: _Code.ALREADY_EXISTS,
    Reason.MESSAGE_TOO_LARGE: _Code.RESOURCE_EXHAUSTED,
    Reason.UPLOAD_NOT_OPEN: _Code.FAILED_PRECONDITION,
    Reason.UPLOAD_SUPERSEDED: _Code.ABORTED,
    Reason.UPLOAD_STALLED: _Code.DEADLINE_EXCEEDED,
    Reason.TOO_MANY_PAGES: _Code.INVALID_ARGUMENT,
    Reason.NOTHING_DECLARED: _Code.INVALID_ARGUMENT,
    Reason.PART_NOT_DECLARED: _Code.INVALID_ARGUMENT,
    Reason.PART_TWICE: _Code.ALREADY_EXISTS,
    Reason.PART_EMPTY: _Code.INVALID_ARGUMENT,
    Reason.PART_TOO_LARGE: _Code.INVALID_ARGUMENT,
    Reason.CHUNK_TOO_LARGE: _Code.INVALID_ARGUMENT,
    Reason.OFFSET_GAP: _Code.OUT_OF_RANGE,
    Reason.CHECKSUM_MISMATCH: _Code.DATA_LOSS,
    Reason.DIGEST_MISMATCH: _Code.INVALID_ARGUMENT,
    Reason.SIZE_MISMATCH: _Code.INVALID_ARGUMENT,
    Reason.MEDIA_TYPE_MISMATCH: _Code.INVALID_ARGUMENT,
    Reason.PARTS_MISSING: _Code.FAILED_PRECONDITION,
    Reason.DOCUMENT_SEALED_DIFFERENTLY: _Code.ALREADY_EXISTS,
    Reason.VERSION_CONFLICT: _Code.ABORTED,
    Reason.COPY_SOURCE_MISSING: _Code.FAILED_PRECONDITION,
    Reason.STREAM_OUT_OF_ORDER: _Code.INVALID_ARGUMENT,
    Reason.LEASE_EXPIRED: _Code.ABORTED,
    Reason.DOCUMENT_NOT_FOUND: _Code.NOT_FOUND,
    Reason.RESULT_NOT_FOUND: _Code.NOT_FOUND,
    Reason.CODE_NOT_ACCEPTED: _Code.FAILED_PRECONDITION,
    Reason.ISSUER_NOT_ALLOWED: _Code.PERMISSION_DENIED,
    Reason.DOSSIER_CONFLICT: _Code.FAILED_PRECONDITION,
    Reason.CONTENT_NOT_AVAILABLE: _Code.FAILED_PRECONDITION,
    Reason.OFFSET_BEYOND_END: _Code.OUT_OF_RANGE,
    Reason.FILE_TOO_LARGE: _Code.INVALID_ARGUMENT,
    Reason.REGISTRATION_NOT_FOUND: _Code.NOT_FOUND,
    Reason.REGISTRATION_EXISTS: _Code.ALREADY_EXISTS,
    Reason.CERTIFICATE_MALFORMED: _Code.INVALID_ARGUMENT,
    Reason.STORAGE_FULL: _Code.RESOURCE_EXHAUSTED,
    Reason.DATABASE_UNAVAILABLE: _Code.UNAVAILABLE,
    Reason.SERVER_DRAINING: _Code.UNAVAILABLE,
    Reason.TOO_MANY_REQUESTS: _Code.RESOURCE_EXHAUSTED,
    Reason.DATA_DAMAGED: _Code.DATA_LOSS,
    Reason.INTERNAL_FAULT: _Code.INTERNAL,
}

# How long to wait before asking again, unless the refusal knows better.
RETRY_AFTER: Mapping[Reason, timedelta] = {
    Reason.STORAGE_FULL: timedelta(seconds=60),
    Reason.DATABASE_UNAVAILABLE: timedelta(seconds=2),
    Reason.SERVER_DRAINING: timedelta(seconds=5),
    Reason.TOO_MANY_REQUESTS: timedelta(seconds=2),
}

_OUT_OF_ROOM = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})

# Foreign errors by class; the first class in an error's ancestry that stands here decides.
_REASON_OF_ERROR: Mapping[type[BaseException], Reason] = {
    storage.CatalogUnavailable: Reason.DATABASE_UNAVAILABLE,
    storage.StorageFull: Reason.STORAGE_FULL,
    storage.BlobCorrupt: Reason.DATA_DAMAGED,
    # Rows promise bytes, so bytes that are gone are damage and no "not found".
    storage.BlobNotFound: Reason.DATA_DAMAGED,
    storage.DigestMismatch: Reason.DIGEST_MISMATCH,
    storage.WriterSuperseded: Reason.UPLOAD_SUPERSEDED,
    verification.VerifierBusy: Reason.TOO_MANY_REQUESTS,
    verification.VerifierUnavailable: Reason.TOO_MANY_REQUESTS,
    verification.SourceChanged: Reason.DATA_DAMAGED,
    verification.SourceUnreadable: Reason.DATA_DAMAGED,
}


@dataclasses.dataclass(frozen=True, slots=True)
class Told:
    """What a caller is told of an error; `is_fault` says that an operator should look at the log."""

    reason: Reason
    text_vi: str
    text_en: str
    field: str | None = None
    retry_after: timedelta | None = None
    facts: Mapping[str, str] = dataclasses.field(default_factory=dict)
    is_fault: bool = False

    @property
    def code(self) -> grpc.StatusCode:
        """The status that this reason travels with."""
        return STATUS_OF[self.reason]


def told_of(error: BaseException) -> Told:
    """Return what a caller may know of an error; never fails, whatever the error is."""
    if isinstance(error, Refusal):
        return _of_refusal(error)
    if isinstance(error, RuleViolation):
        return _of_violation(error)
    if isinstance(error, verification.VerifierBusy):
        after = timedelta(seconds=error.retry_after_s)
        return _of_refusal(Refusal(Reason.TOO_MANY_REQUESTS, retry_after=after))
    if isinstance(error, OSError) and error.errno in _OUT_OF_ROOM:
        return _of_refusal(Refusal(Reason.STORAGE_FULL))
    known = (_REASON_OF_ERROR[each] for each in type(error).__mro__ if each in _REASON_OF_ERROR)
    return _of_refusal(Refusal(next(known, Reason.INTERNAL_FAULT)))


def rich_status(told: Told, request_id: str) -> Status:
    """Return the details that travel in the trailer, at most DETAILS_BYTES: facts go first, the reason never."""
    facts = {name[:64]: _clean(value) for name, value in list(told.facts.items())[:_FACTS]}
    status = _status(told, {**facts, "request_id": request_id})
    if status.ByteSize() > DETAILS_BYTES:
        status = _status(told, {"request_id": request_id})
    return status


def trailers(told: Told, request_id: str) -> tuple[tuple[str, str | bytes], ...]:
    """Return the trailing metadata of a refused call."""
    return (
        (REQUEST_ID_KEY, request_id),
        (STATUS_TRAILER, rich_status(told, request_id).SerializeToString()),
    )


def _of_violation(error: RuleViolation) -> Told:
    reason = REASON_OF_RULE.get(error.reason, Reason.INTERNAL_FAULT)
    if reason is Reason.INTERNAL_FAULT:
        return _of_refusal(Refusal(reason))
    facts = {"field": error.field, "rule": error.reason}
    return Told(reason, error.text_vi, error.text_en, field=error.field, facts=facts)


def _of_refusal(refusal: Refusal) -> Told:
    vietnamese, english = texts_of(refusal)
    return Told(
        refusal.reason,
        vietnamese,
        english,
        field=refusal.field,
        retry_after=refusal.retry_after or RETRY_AFTER.get(refusal.reason),
        facts=refusal.facts,
        is_fault=refusal.reason in (Reason.INTERNAL_FAULT, Reason.DATA_DAMAGED),
    )


def _status(told: Told, metadata: Mapping[str, str]) -> Status:
    text_en, text_vi = _clean(told.text_en), _clean(told.text_vi)
    details: list[Message] = [
        ErrorInfo(reason=told.reason.value, domain=DOMAIN, metadata=metadata),
        LocalizedMessage(locale="vi", message=text_vi),
    ]
    if told.field is not None and told.code is grpc.StatusCode.INVALID_ARGUMENT:
        violation = BadRequest.FieldViolation(field=_clean(told.field), description=text_en, reason=told.reason.value)
        details.append(BadRequest(field_violations=[violation]))
    if told.retry_after is not None:
        delay = Duration()
        delay.FromTimedelta(told.retry_after)
        details.append(RetryInfo(retry_delay=delay))
    number: int = told.code.value[0]
    return Status(code=number, message=text_en, details=[_packed(detail) for detail in details])


def _clean(text: str) -> str:
    """Return a text that a log and a terminal can show and a message can carry: printable, of bounded length."""
    return "".join(sign if sign.isprintable() else "?" for sign in text[:_FACT_CHARS])


def _packed(detail: Message) -> Any:
    packed = Any()
    packed.Pack(detail)
    return packed
