"""Has a file judged without storing it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

from grpc import aio

from kho.v1 import verdict_pb2, verification_service_pb2, verification_service_pb2_grpc
from kho_client.calls import Calls
from kho_client.connection import file_unreadable
from kho_client.errors import KhoError
from kho_client.parts import read_at
from kho_client.stream_end import answer_of

CHUNK_BYTES = 256 * 1024


class Verification:
    """Questions about signatures."""

    def __init__(self, calls: Calls) -> None:
        """Ask over these calls."""
        self._calls = calls
        self._stub = verification_service_pb2_grpc.VerificationServiceStub(calls.channel)

    async def verify_file(self, path: Path) -> verdict_pb2.Verdict:
        """Stream a file and return the verdict; nothing is kept. LocalProblem FILE_UNREADABLE, KhoError."""
        retry = self._calls.retry()
        chunk_bytes = CHUNK_BYTES
        while True:
            try:
                return (await answer_of(self._stub.VerifyFile, _pieces(path, chunk_bytes))).verdict
            except aio.AioRpcError as error:
                refused = await self._calls.understood(error)
                limit_bytes = _chunk_limit(refused)
                if not 0 < limit_bytes < chunk_bytes:
                    await retry.wait_after(refused)
                else:
                    # This server takes smaller messages than usual and says so; asking for its limits before each
                    # file would cost everyone a round trip.
                    chunk_bytes = limit_bytes

    async def verify_document(self, request: verification_service_pb2.VerifyDocumentRequest) -> verdict_pb2.Verdict:
        """Judge an own document again, now."""
        return (await self._calls.unary(self._stub.VerifyDocument, request, timeout_s=120)).verdict

    async def list_verdicts(
        self, request: verification_service_pb2.ListVerdictsRequest
    ) -> verification_service_pb2.ListVerdictsResponse:
        """List the verdicts on an own document, newest first."""
        return await self._calls.unary(self._stub.ListVerdicts, request)


def _chunk_limit(error: KhoError) -> int:
    """Return the limit that a refusal for too much data in one message names, 0 if it is none."""
    limit = error.metadata.get("limit_bytes", "")
    return int(limit) if error.reason == "CHUNK_TOO_LARGE" and limit.isascii() and limit.isdigit() else 0


async def _pieces(path: Path, chunk_bytes: int) -> AsyncIterator[verification_service_pb2.VerifyFileRequest]:
    # Not held open in between: who refuses a stream leaves us standing in the middle, and nobody would close it.
    offset = 0
    while data := await _piece(path, offset, chunk_bytes):
        offset += len(data)
        yield verification_service_pb2.VerifyFileRequest(data=data)


async def _piece(path: Path, offset: int, length: int) -> bytes:
    try:
        return await asyncio.to_thread(read_at, path, offset, length)
    except OSError as error:
        raise file_unreadable(path, error) from error
