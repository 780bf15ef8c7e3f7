"""Errors as they come off the wire, from servers of ours and others."""

import grpc
import pytest
from google.protobuf.any_pb2 import Any
from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import aio

from kho_client.errors import CallRefused, NotFound, ServerUnreachable, from_rpc_error


def error(
    code: grpc.StatusCode, message: str, *details: Message, trailers: tuple[tuple[str, str], ...] = ()
) -> aio.AioRpcError:
    status = Status(code=code.value[0], message=message)
    for detail in details:
        packed = Any()
        packed.Pack(detail)
        status.details.append(packed)
    rich = (("grpc-status-details-bin", status.SerializeToString()),) if details else ()
    return aio.AioRpcError(code, aio.Metadata(), aio.Metadata(*rich, *trailers), details=message)


def info(reason: str, domain: str = "kho.v1", **metadata: str) -> ErrorInfo:
    return ErrorInfo(reason=reason, domain=domain, metadata=metadata)


def test_a_rich_error_is_read_whole() -> None:
    known = from_rpc_error(
        error(
            grpc.StatusCode.RESOURCE_EXHAUSTED,
            "The disk is full.",
            info("STORAGE_FULL", request_id="r-1", free="0"),
            LocalizedMessage(locale="vi", message="Đĩa đầy."),
            RetryInfo(retry_delay=Duration(seconds=30, nanos=500_000_000)),
        )
    )
    assert isinstance(known, CallRefused)
    assert (known.code, known.reason, known.request_id) == ("RESOURCE_EXHAUSTED", "STORAGE_FULL", "r-1")
    assert (known.message_vi, known.message_en) == ("Đĩa đầy.", "The disk is full.")
    assert (known.retryable, known.retry_after_s, known.metadata) == (True, 30.5, {"free": "0"})


def test_fields_of_a_bad_request_are_named() -> None:
    violation = BadRequest.FieldViolation(field="dossier_code")
    known = from_rpc_error(
        error(grpc.StatusCode.INVALID_ARGUMENT, "x", info("FIELD_REQUIRED"), BadRequest(field_violations=[violation]))
    )
    assert known.metadata == {"field": "dossier_code"}
    assert not known.retryable


def test_a_prefix_of_the_enum_is_dropped() -> None:
    known = from_rpc_error(error(grpc.StatusCode.NOT_FOUND, "x", info("ERROR_REASON_RESULT_NOT_FOUND")))
    assert isinstance(known, NotFound)
    assert known.reason == "RESULT_NOT_FOUND"


@pytest.mark.parametrize(
    ("code", "reason", "retryable"),
    [
        (grpc.StatusCode.UNAVAILABLE, "DATABASE_UNAVAILABLE", True),
        (grpc.StatusCode.ABORTED, "UPLOAD_SUPERSEDED", True),
        (grpc.StatusCode.ABORTED, "VERSION_CONFLICT", False),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, "MESSAGE_TOO_LARGE", False),
        (grpc.StatusCode.PERMISSION_DENIED, "OFFICER_NOT_ACCEPTED", False),
    ],
)
def test_what_is_worth_a_retry(code: grpc.StatusCode, reason: str, retryable: bool) -> None:
    assert from_rpc_error(error(code, "x", info(reason))).retryable is retryable


@pytest.mark.parametrize(
    ("code", "message"),
    [
        (grpc.StatusCode.UNAVAILABLE, "Socket closed"),
        (grpc.StatusCode.INTERNAL, "Received RST_STREAM with error code 2"),
        (grpc.StatusCode.UNKNOWN, "Stream removed"),
        (grpc.StatusCode.DEADLINE_EXCEEDED, "Deadline Exceeded"),
    ],
)
def test_a_broken_link_is_retried(code: grpc.StatusCode, message: str) -> None:
    known = from_rpc_error(error(code, message))
    assert isinstance(known, ServerUnreachable)
    assert known.retryable


@pytest.mark.parametrize("domain", ["", "googleapis.com"])
def test_details_of_others_are_not_ours(domain: str) -> None:
    known = from_rpc_error(error(grpc.StatusCode.PERMISSION_DENIED, "No.", info("X", domain)))
    assert (known.reason, known.message_en) == (None, "No.")


def test_a_request_id_may_come_in_a_trailer_alone() -> None:
    known = from_rpc_error(error(grpc.StatusCode.INTERNAL, "Fault.", trailers=(("kho-request-id", "r-2"),)))
    assert known.request_id == "r-2"


def test_details_that_cannot_be_read_count_as_none() -> None:
    trailers = aio.Metadata(("grpc-status-details-bin", b"\xff\xff\xff"))
    known = from_rpc_error(aio.AioRpcError(grpc.StatusCode.INTERNAL, aio.Metadata(), trailers, details="Fault."))
    assert (known.reason, known.message_en) == (None, "Fault.")
