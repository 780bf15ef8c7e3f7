"""VerificationService: wire in, domain out."""

from collections.abc import AsyncIterator
from typing import Any

import grpc

from kho.v1 import verification_service_pb2 as pb
from kho.v1 import verification_service_pb2_grpc
from kho_server.archive.file_judging import FileJudging
from kho_server.archive.judging import Judging
from kho_server.archive.once import Once, Request
from kho_server.archive.own_documents import OwnDocuments
from kho_server.archive.request_fields import parse_page_size
from kho_server.rpc.current import current_caller
from kho_server.rpc.page_token import PageTokens
from kho_server.rpc.paging import page_of
from kho_server.rpc.registry_codec import fingerprint_of
from kho_server.rpc.stream_feed import StreamFeed
from kho_server.rpc.verdict_codec import stored_verdict_message, verdict_message
from kho_storage.records.registry import PrincipalKind

_Context = grpc.aio.ServicerContext[Any, Any]
_MAY_VERIFY = (PrincipalKind.STATION, PrincipalKind.AGENCY_SYSTEM, PrincipalKind.PORTAL)


class VerificationServicer(verification_service_pb2_grpc.VerificationServiceServicer):
    """Serves judgements of stored documents and of streamed files."""

    def __init__(
        self,
        judging: Judging,
        files: FileJudging,
        own: OwnDocuments,
        once: Once,
        tokens: PageTokens,
        stall_timeout_s: float,
    ) -> None:
        """Hand in the use cases."""
        self._judging = judging
        self._files = files
        self._own = own
        self._once = once
        self._tokens = tokens
        self._stall_timeout_s = stall_timeout_s

    async def VerifyDocument(self, request: pb.VerifyDocumentRequest, context: _Context) -> pb.VerifyDocumentResponse:  # noqa: N802
        """Judge an own document again."""
        caller = current_caller()
        asked = Request.parse(caller, request.request_id, "VerifyDocument", fingerprint_of(request))

        async def do() -> bytes:
            verdict = await self._judging.judge_now(caller, request.officer_id, request.document_id)
            return pb.VerifyDocumentResponse(verdict=stored_verdict_message(verdict)).SerializeToString()

        return pb.VerifyDocumentResponse.FromString(await self._once.answer(asked, do))

    async def ListVerdicts(self, request: pb.ListVerdictsRequest, context: _Context) -> pb.ListVerdictsResponse:  # noqa: N802
        """List the verdicts on an own document, newest first."""
        caller = current_caller()
        size = parse_page_size(request.page_size)
        question = f"verdicts {request.document_id}"
        after = self._tokens.read_instant(caller, question, request.page_token)
        found = await self._own.verdicts(caller, request.officer_id, request.document_id, after, size + 1)
        page, token = page_of(
            found,
            size,
            self._tokens,
            caller,
            question,
            lambda verdict: [verdict.judged_at.isoformat(), str(verdict.verdict_id)],
        )
        return pb.ListVerdictsResponse(
            verdicts=[stored_verdict_message(verdict) for verdict in page], next_page_token=token
        )

    async def VerifyFile(  # noqa: N802
        self, request_iterator: AsyncIterator[pb.VerifyFileRequest], context: _Context
    ) -> pb.VerifyFileResponse:
        """Judge a streamed file; nothing is kept."""
        caller = current_caller()
        caller.must_be(*_MAY_VERIFY)
        feed = StreamFeed(request_iterator, tick_s=self._stall_timeout_s / 4, stall_timeout_s=self._stall_timeout_s)

        async def pieces() -> AsyncIterator[bytes]:
            while (message := await feed.next()) is not None:
                yield message.data

        try:
            verdict = await self._files.judge(pieces())
        finally:
            feed.end()
        return pb.VerifyFileResponse(verdict=verdict_message(verdict.to_json(), version=0))
