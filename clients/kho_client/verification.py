"""Has a file judged without storing it."""

from collections.abc import AsyncIterator
from pathlib import Path

import aiofiles
from grpc import aio

from kho.v1 import verdict_pb2, verification_service_pb2, verification_service_pb2_grpc
from kho_client.calls import Calls
from kho_client.connection import file_unreadable
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
        while True:
            try:
                return (await answer_of(self._stub.VerifyFile, _pieces(path))).verdict
            except aio.AioRpcError as error:
                await retry.wait_after(await self._calls.understood(error))

    async def verify_document(self, request: verification_service_pb2.VerifyDocumentRequest) -> verdict_pb2.Verdict:
        """Judge an own document again, now."""
        return (await self._calls.unary(self._stub.VerifyDocument, request, timeout_s=120)).verdict

    async def list_verdicts(
        self, request: verification_service_pb2.ListVerdictsRequest
    ) -> verification_service_pb2.ListVerdictsResponse:
        """List the verdicts on an own document, newest first."""
        return await self._calls.unary(self._stub.ListVerdicts, request)


async def _pieces(path: Path) -> AsyncIterator[verification_service_pb2.VerifyFileRequest]:
    try:
        async with aiofiles.open(path, "rb") as file:
            while data := await file.read(CHUNK_BYTES):
                yield verification_service_pb2.VerifyFileRequest(data=data)
    except OSError as error:
        raise file_unreadable(path, error) from error
