"""The short way: a document of a few pages in one round trip, when it is small and nothing is persisted yet."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path

from grpc import aio

from kho.v1 import upload_service_pb2, upload_service_pb2_grpc
from kho_client.calls import Calls, new_request_id
from kho_client.errors import KhoError
from kho_client.parts import Part
from kho_client.stream_end import answer_of

SMALL_PAGES = 3
SMALL_BYTES = 1024 * 1024
_CHUNK_BYTES = 128 * 1024
_TIMEOUT_S = 60


def is_small(files: Sequence[Path]) -> bool:
    """Tell whether some files may go the short way; a file that cannot be asked for its size may not."""
    if not 0 < len(files) <= SMALL_PAGES:
        return False
    try:
        return sum(path.stat().st_size for path in files) <= SMALL_BYTES
    except OSError:
        return False


async def upload_small(
    calls: Calls, begin: upload_service_pb2.BeginRequest, parts: Sequence[Part]
) -> upload_service_pb2.CommitResponse:
    """Send declaration, parts and seal in one stream; OK means what it means at Commit.

    Raises KhoError at the first failure: whoever gets a retryable one goes on with Begin, which resumes.
    """
    stub = upload_service_pb2_grpc.UploadServiceStub(calls.channel)
    try:
        response = await answer_of(stub.UploadSmall, _messages(begin, parts), timeout_s=_TIMEOUT_S)
    except aio.AioRpcError as error:
        raise await calls.understood(error) from error
    return response.commit


def can_go_the_long_way(error: KhoError) -> bool:
    """Tell whether a failed short way is worth the resumable one, whose Begin tells what the server allows.

    So it is after a broken link, and for a server without the short way or with smaller messages.
    """
    return error.retryable or error.code == "UNIMPLEMENTED" or error.reason == "CHUNK_TOO_LARGE"


async def _messages(
    begin: upload_service_pb2.BeginRequest, parts: Sequence[Part]
) -> AsyncIterator[upload_service_pb2.UploadSmallRequest]:
    yield upload_service_pb2.UploadSmallRequest(begin=begin)
    for part in parts:
        yield upload_service_pb2.UploadSmallRequest(header=part.header())
        # Ranges of pages are not pointed to here: the pages become complete only when this stream ends.
        async for data in replace(part, copies=()).data(0, _CHUNK_BYTES):
            yield upload_service_pb2.UploadSmallRequest(data=data)
    commit = upload_service_pb2.CommitRequest(
        request_id=new_request_id(),
        officer_id=begin.officer_id,
        document_id=begin.document_id,
        parts=[part.sealed() for part in parts],
    )
    yield upload_service_pb2.UploadSmallRequest(commit=commit)
