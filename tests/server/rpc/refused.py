"""Reads what a refused client sees."""

from dataclasses import dataclass

import grpc
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status

STATUS_TRAILER = "grpc-status-details-bin"


@dataclass(frozen=True)
class Refused:
    """A refusal as it came over the wire."""

    code: grpc.StatusCode
    text: str
    info: ErrorInfo
    vietnamese: str
    fields: tuple[str, ...]
    retry_after_s: float | None
    request_id: str

    @classmethod
    def of(cls, error: grpc.aio.AioRpcError) -> "Refused":
        """Take an error apart; fails when the details are missing."""
        trailing = dict(error.trailing_metadata() or ())
        assert STATUS_TRAILER in trailing, f"{error.code()} {error.details()} without details"
        status = Status.FromString(bytes(trailing[STATUS_TRAILER]))
        info, localized, request, retry = ErrorInfo(), LocalizedMessage(), BadRequest(), RetryInfo()
        found: list[object] = []
        for detail in status.details:
            found += [each for each in (info, localized, request, retry) if detail.Unpack(each)]
        return cls(
            error.code(),
            error.details() or "",
            info,
            localized.message,
            tuple(each.field for each in request.field_violations),
            retry.retry_delay.ToTimedelta().total_seconds() if retry in found else None,
            str(trailing["kho-request-id"]),
        )
