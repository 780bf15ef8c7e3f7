"""The client: one object with everything a station or an agency's system asks of a Kho.

async with KhoClient(Connection("kho.example:7443", Path("ca.crt"), Path("me.crt"), Path("me.key"))) as kho:
    outcome = await kho.upload(declaration, pages, signed=Path("result.pdf"))
"""

from collections.abc import AsyncGenerator, Callable, Sequence
from pathlib import Path
from types import TracebackType
from uuid import uuid4

from google.protobuf.duration_pb2 import Duration

from kho.v1 import (
    document_pb2,
    document_service_pb2,
    document_service_pb2_grpc,
    result_pb2,
    result_service_pb2,
    result_service_pb2_grpc,
    reuse_service_pb2,
    reuse_service_pb2_grpc,
    server_service_pb2,
    server_service_pb2_grpc,
)
from kho_client.calls import Calls, new_request_id
from kho_client.connection import Connection
from kho_client.document_versions import DocumentVersions
from kho_client.download import ContentMessage, Download, Downloaded
from kho_client.new_document import NewDocument
from kho_client.registry import Access, Registry
from kho_client.retry import QUICK, REAL, Patience, Surroundings
from kho_client.upload import UploadOutcome
from kho_client.verification import Verification

_BATCH_LINES = 500
_WAIT_S = 30


class KhoClient:
    """Speaks kho.v1; every method raises KhoError. `officer_id` acts where a call names nobody else."""

    def __init__(
        self,
        connection: Connection,
        *,
        officer_id: str = "",
        patience: Patience = QUICK,
        surroundings: Surroundings = REAL,
    ) -> None:
        """Open the channel inside a running event loop; `patience` is that of short calls."""
        self.calls = Calls(connection, patience=patience, surroundings=surroundings)
        self.officer_id = officer_id
        self.registry = Registry(self.calls)
        self.access = Access(self.calls)
        self.verification = Verification(self.calls)
        self.versions = DocumentVersions(self.calls, officer_id)
        self._documents = document_service_pb2_grpc.DocumentServiceStub(self.calls.channel)
        self._results = result_service_pb2_grpc.ResultServiceStub(self.calls.channel)
        self._reuse = reuse_service_pb2_grpc.ReuseServiceStub(self.calls.channel)
        self._server = server_service_pb2_grpc.ServerServiceStub(self.calls.channel)

    async def __aenter__(self) -> "KhoClient":
        """Use as a context."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the channel."""
        await self.calls.close()

    async def upload(self, new: NewDocument) -> UploadOutcome:
        """Bring a document, the short way when it is small, else resumable; returns when it is durable."""
        return await new.send(self.calls, self.officer_id)

    async def lookup(self, code: str, on: str = "") -> result_pb2.Result:
        """Look one result up by result code or public code; `on` is an ISO 8601 day, empty for today.

        NotFound: there is none for this caller.
        """
        request = result_service_pb2.LookupResultRequest(code=code, on=on, officer_id=self.officer_id)
        return (await self.calls.unary(self._results.LookupResult, request)).result

    async def batch_lookup(self, codes: Sequence[str], on: str = "") -> list[result_service_pb2.LookupLine]:
        """Look any number of codes up; one answer or refusal per code, order kept."""
        lines: list[result_service_pb2.LookupLine] = []
        for start in range(0, len(codes), _BATCH_LINES):
            request = result_service_pb2.BatchLookupResultsRequest(
                codes=codes[start : start + _BATCH_LINES], on=on, officer_id=self.officer_id
            )
            lines += (await self.calls.unary(self._results.BatchLookupResults, request)).lines
        return lines

    async def reuse(
        self,
        code: str,
        purpose: reuse_service_pb2.Purpose,
        target: Path,
        *,
        part: document_pb2.PartKey | None = None,
        on_progress: Callable[[int, int], None] = lambda have, size: None,
    ) -> Downloaded:
        """Bring another agency's result to a file, for a dossier; the server records it before the first byte."""
        request = reuse_service_pb2.ReuseRequest(request_id=new_request_id(), code=code, purpose=purpose, part=part)
        if not request.purpose.officer_id:
            request.purpose.officer_id = self.officer_id

        async def open_content(offset: int) -> AsyncGenerator[ContentMessage, None]:
            request.offset = offset
            call = self._reuse.Reuse(request)
            try:
                async for response in call:
                    yield response.header.content if response.HasField("header") else response.data
            finally:
                call.cancel()

        return await Download(self.calls, open_content, target, on_progress=on_progress).run()

    async def read_content(
        self,
        document_id: str,
        target: Path,
        *,
        version: int = 0,
        part: document_pb2.PartKey | None = None,
        on_progress: Callable[[int, int], None] = lambda have, size: None,
    ) -> Downloaded:
        """Bring content of an own document to a file; without `part` the signed file, or the only page."""
        request = document_service_pb2.ReadContentRequest(
            document_id=document_id, version=version, part=part, officer_id=self.officer_id
        )

        async def open_content(offset: int) -> AsyncGenerator[ContentMessage, None]:
            request.offset = offset
            call = self._documents.ReadContent(request)
            try:
                async for response in call:
                    yield response.header if response.HasField("header") else response.data
            finally:
                call.cancel()

        return await Download(self.calls, open_content, target, on_progress=on_progress).run()

    async def get_document(self, document_id: str) -> document_pb2.Document:
        """Return an own document with its versions, result and latest verdict."""
        request = document_service_pb2.GetDocumentRequest(document_id=document_id, officer_id=self.officer_id)
        return (await self.calls.unary(self._documents.GetDocument, request)).document

    async def wait_for_verdict(self, document_id: str, timeout_s: float = 60.0) -> document_pb2.Document:
        """Wait until the document is judged or the time is over; look at its state to know which."""
        clock = self.calls.surroundings.clock
        ends_at = clock() + timeout_s
        while True:
            wait_s = max(1, min(_WAIT_S, int(ends_at - clock())))
            request = document_service_pb2.WaitForVerdictRequest(
                document_id=document_id, timeout=Duration(seconds=wait_s), officer_id=self.officer_id
            )
            answer = await self.calls.unary(self._documents.WaitForVerdict, request, timeout_s=wait_s + 15)
            if answer.document.state not in _UNDECIDED or clock() >= ends_at:
                return answer.document

    async def server_info(self) -> server_service_pb2.GetServerInfoResponse:
        """Return version, limits, clock and repository, and who this client is to the server."""
        return await self.calls.unary(self._server.GetServerInfo, server_service_pb2.GetServerInfoRequest())


_UNDECIDED = frozenset({document_pb2.DOCUMENT_STATE_RECEIVED, document_pb2.DOCUMENT_STATE_VERIFYING})


def new_document_id() -> str:
    """Return a UUID for a new document."""
    return str(uuid4())
