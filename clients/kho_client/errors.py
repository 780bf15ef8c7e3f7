"""What can go wrong between a client and a Kho.

KhoError
├── LocalProblem           something on this machine: a setting, a file; nothing was asked of the server
├── CallRefused            the server answered no; `reason` is one of kho.v1.ErrorReason
│   └── NotFound           absent, or not for this caller: both look the same
├── TlsRefused             client and server do not accept each other's certificates
├── ServerUnreachable      no server answers, or the link broke; nothing is known about the last call
└── ContentDamaged         bytes arrived that are not the ones that were announced; nothing was kept

Each error says in Vietnamese and in English what happened and what to do. The request id, where there is one,
lets an operator find the call in the server's log.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import grpc
from google.protobuf.any_pb2 import Any
from google.protobuf.message import DecodeError
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status

DOMAIN = "kho.v1"
"""Domain of the ErrorInfo that a Kho sends; another one comes from something in between."""

_STATUS_TRAILER = "grpc-status-details-bin"
_REQUEST_ID_TRAILER = "kho-request-id"
_REASON_PREFIX = "ERROR_REASON_"

# Protocol-level retry rule, see the comment of UploadService: everything else is given up at once.
_RETRYABLE = frozenset({"UNAVAILABLE", "ABORTED", "DEADLINE_EXCEEDED"})
_FINAL_REASONS = frozenset({"VERSION_CONFLICT"})
# A link that breaks in the middle of a message reaches Python under these codes, told apart only by its words.
# "Internal error from Core" is what grpc.aio makes of a message that could not be written any more; it may hide a
# refusal that came at the same moment, which the next try will then hear.
_BROKEN_STREAM_CODES = frozenset({"INTERNAL", "UNKNOWN", "CANCELLED"})
_BROKEN_STREAM_WORDS = (
    "RST_STREAM",
    "Stream removed",
    "Socket closed",
    "Connection reset",
    "GOAWAY",
    "Internal error from Core",
)


@dataclass(frozen=True, slots=True)
class Text:
    """One message for people, in both languages."""

    vi: str
    en: str


class KhoError(Exception):
    """Any failure of the client; `code` is a gRPC status name, `retry_after_s` is in seconds or None."""

    def __init__(
        self,
        code: str,
        reason: str | None,
        message: Text,
        *,
        retryable: bool = False,
        retry_after_s: float | None = None,
        metadata: Mapping[str, str] | None = None,
        request_id: str | None = None,
    ) -> None:
        """Keep the facts as attributes."""
        super().__init__(message.en)
        self.code = code
        self.reason = reason
        self.message_vi = message.vi
        self.message_en = message.en
        self.retryable = retryable
        self.retry_after_s = retry_after_s
        self.metadata = dict(metadata or {})
        self.request_id = request_id


class LocalProblem(KhoError):
    """A setting or file on this machine; asking again changes nothing."""


class CallRefused(KhoError):
    """The server answered no."""


class NotFound(CallRefused):
    """It does not exist for this caller."""


class TlsRefused(KhoError):
    """The certificates do not fit; asking again changes nothing."""


class ServerUnreachable(KhoError):
    """No server answers."""


class ContentDamaged(KhoError):
    """The bytes that arrived are not the bytes that were announced."""


def local_problem(reason: str, message: Text, **metadata: str) -> LocalProblem:
    """Return a problem on this machine as an error."""
    return LocalProblem("INVALID_ARGUMENT", reason, message, metadata=metadata)


def from_rpc_error(error: grpc.aio.AioRpcError) -> KhoError:
    """Translate what gRPC raised; servers that send no details are answered by their status alone."""
    code = error.code().name
    trailers = dict(error.trailing_metadata() or ())
    details = _details(trailers.get(_STATUS_TRAILER))
    info = details.info
    message_en = error.details() or code
    if info is None:
        return _without_details(code, message_en, trailers)
    metadata = {key: value for key, value in info.metadata.items() if key != "request_id"}
    if details.fields:
        metadata.setdefault("field", ", ".join(details.fields))
    reason = info.reason.removeprefix(_REASON_PREFIX)
    retryable = (code in _RETRYABLE and reason not in _FINAL_REASONS) or details.retry_after_s is not None
    kind = NotFound if code == "NOT_FOUND" else CallRefused
    return kind(
        code,
        reason,
        Text(details.message_vi or message_en, message_en),
        retryable=retryable,
        retry_after_s=details.retry_after_s,
        metadata=metadata,
        request_id=info.metadata.get("request_id") or _text(trailers.get(_REQUEST_ID_TRAILER)),
    )


def line_refusal(reason: str, message_vi: str, message_en: str) -> CallRefused:
    """Return the refusal of one line of a batch as an error."""
    name = reason.removeprefix(_REASON_PREFIX)
    kind, code = (NotFound, "NOT_FOUND") if name.endswith("_NOT_FOUND") else (CallRefused, "INVALID_ARGUMENT")
    return kind(code, name, Text(message_vi or message_en or name, message_en or name))


def _without_details(code: str, message_en: str, trailers: Mapping[str, str | bytes]) -> KhoError:
    is_broken = code in _BROKEN_STREAM_CODES and any(word in message_en for word in _BROKEN_STREAM_WORDS)
    request_id = _text(trailers.get(_REQUEST_ID_TRAILER))
    if code == "UNAVAILABLE" or is_broken:
        text = Text(
            "Không liên lạc được với máy chủ Kho. Hãy kiểm tra địa chỉ, đường truyền và máy chủ có đang chạy không.",
            "The Kho server does not answer. Check the address, the link and whether the server is running.",
        )
        return ServerUnreachable(code, "SERVER_UNREACHABLE", text, retryable=True, metadata={"detail": message_en})
    if code == "DEADLINE_EXCEEDED":
        text = Text(
            "Máy chủ Kho không trả lời kịp. Hãy thử lại sau ít phút.",
            "The Kho server did not answer in time. Try again in a few minutes.",
        )
        return ServerUnreachable(code, "SERVER_TIMEOUT", text, retryable=True)
    if code == "UNIMPLEMENTED":
        text = Text(
            "Máy chủ này không có chức năng vừa gọi. Hãy kiểm tra địa chỉ và phiên bản của máy chủ.",
            "This server does not offer what was asked for. Check its address and version.",
        )
        return CallRefused(code, None, text, request_id=request_id)
    text = Text(f"Máy chủ từ chối: {message_en}", message_en)
    return CallRefused(code, None, text, retryable=code in _RETRYABLE, request_id=request_id)


@dataclass(slots=True)
class _Details:
    info: ErrorInfo | None = None
    message_vi: str = ""
    retry_after_s: float | None = None
    fields: tuple[str, ...] = ()


def _details(trailer: str | bytes | None) -> _Details:
    """Read the google.rpc.Status that travels in a trailer; what cannot be read counts as not sent."""
    found = _Details()
    if not isinstance(trailer, bytes):
        return found
    try:
        for detail in Status.FromString(trailer).details:
            _take(detail, found)
    except DecodeError:
        return _Details()
    return found


def _take(detail: Any, found: _Details) -> None:
    info, localized, retry, request = ErrorInfo(), LocalizedMessage(), RetryInfo(), BadRequest()
    if detail.Unpack(info):
        if info.domain == DOMAIN:
            found.info = info
    elif detail.Unpack(localized):
        if localized.locale.split("-")[0] == "vi":
            found.message_vi = localized.message
    elif detail.Unpack(retry):
        found.retry_after_s = retry.retry_delay.seconds + retry.retry_delay.nanos / 1e9
    elif detail.Unpack(request):
        found.fields = tuple(violation.field for violation in request.field_violations)


def _text(value: str | bytes | None) -> str | None:
    return value if isinstance(value, str) and value else None
