"""Refuses a call the way a Kho does: google.rpc.Status with ErrorInfo, LocalizedMessage and perhaps RetryInfo."""

from typing import Any, NoReturn

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.duration_pb2 import Duration
from google.rpc.error_details_pb2 import ErrorInfo, LocalizedMessage, RetryInfo
from google.rpc.status_pb2 import Status
from grpc import aio

REQUEST_ID = "req-0001"


async def refuse(
    context: "aio.ServicerContext[Any, Any]",
    code: grpc.StatusCode,
    reason: str,
    *,
    retry_after_s: int | None = None,
    **metadata: str,
) -> NoReturn:
    """End the call with a rich status."""
    details = [
        ErrorInfo(reason=reason, domain="kho.v1", metadata={**metadata, "request_id": REQUEST_ID}),
        LocalizedMessage(locale="vi", message=f"Bị từ chối: {reason}."),
    ]
    if retry_after_s is not None:
        details.append(RetryInfo(retry_delay=Duration(seconds=retry_after_s)))
    status = Status(code=code.value[0], message=f"Refused: {reason}.")
    for detail in details:
        packed = AnyMessage()
        packed.Pack(detail)
        status.details.append(packed)
    await context.abort(code, status.message, (("grpc-status-details-bin", status.SerializeToString()),))
    raise AssertionError("abort returned")
