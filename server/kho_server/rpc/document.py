"""DocumentService: wire in, domain out."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import grpc

from kho.v1 import document_pb2, document_service_pb2_grpc
from kho.v1 import document_service_pb2 as pb
from kho_server.archive.handing_out import HandingOut
from kho_server.archive.limits import UploadLimits
from kho_server.archive.next_version import NextVersion
from kho_server.archive.own_documents import OwnDocuments
from kho_server.archive.request_fields import parse_page_size
from kho_server.rpc.content_stream import content_data, content_header
from kho_server.rpc.current import current_caller
from kho_server.rpc.document_codec import STATES, begun_message, document_message, known, part_id
from kho_server.rpc.page_token import PageTokens

_Context = grpc.aio.ServicerContext[Any, Any]


class DocumentServicer(document_service_pb2_grpc.DocumentServiceServicer):
    """Serves an agency's own documents."""

    def __init__(
        self,
        own: OwnDocuments,
        next_version: NextVersion,
        handing_out: HandingOut,
        limits: UploadLimits,
        tokens: PageTokens,
        clock: Callable[[], datetime],
    ) -> None:
        """Hand in the use cases."""
        self._own = own
        self._next_version = next_version
        self._handing_out = handing_out
        self._limits = limits
        self._tokens = tokens
        self._clock = clock

    async def GetDocument(self, request: pb.GetDocumentRequest, context: _Context) -> pb.GetDocumentResponse:  # noqa: N802
        """Show one document."""
        caller = current_caller()
        document = await self._own.get(caller, request.officer_id, request.document_id)
        code = await self._own.agency_code(caller)
        return pb.GetDocumentResponse(document=document_message(document, code, self._clock()))

    async def ListDocuments(self, request: pb.ListDocumentsRequest, context: _Context) -> pb.ListDocumentsResponse:  # noqa: N802
        """List documents, newest first."""
        caller = current_caller()
        size = parse_page_size(request.page_size)
        question = f"documents {request.dossier_code} {request.state}"
        after = self._tokens.read_instant(caller, question, request.page_token)
        state = None
        if request.state != document_pb2.DOCUMENT_STATE_UNSPECIFIED:
            known(STATES, request.state, "state")
            state = STATES[request.state]
        page, is_more = await self._own.list(caller, request.officer_id, request.dossier_code, state, after, size)
        token = ""
        if is_more and page:
            last = page[-1]
            token = self._tokens.make(caller, question, [last.created_at.isoformat(), str(last.document_uuid)])
        code = await self._own.agency_code(caller)
        now = self._clock()
        return pb.ListDocumentsResponse(
            documents=[document_message(document, code, now) for document in page], next_page_token=token
        )

    async def WaitForVerdict(self, request: pb.WaitForVerdictRequest, context: _Context) -> pb.WaitForVerdictResponse:  # noqa: N802
        """Wait until a document is judged."""
        caller = current_caller()
        timeout_s = None
        if request.HasField("timeout"):
            timeout_s = request.timeout.seconds + request.timeout.nanos / 1e9
        document = await self._own.wait(caller, request.officer_id, request.document_id, timeout_s)
        code = await self._own.agency_code(caller)
        return pb.WaitForVerdictResponse(document=document_message(document, code, self._clock()))

    async def AddRendition(self, request: pb.AddRenditionRequest, context: _Context) -> pb.AddRenditionResponse:  # noqa: N802
        """Open a version that adds renditions."""
        begun = await self._next_version.add_rendition(
            current_caller(),
            request.request_id,
            request.officer_id,
            request.document_id,
            request.base_version,
            request.renditions,
        )
        return pb.AddRenditionResponse(upload=begun_message(begun, self._limits), first_rendition=begun.first_rendition)

    async def CorrectDocument(  # noqa: N802
        self, request: pb.CorrectDocumentRequest, context: _Context
    ) -> pb.CorrectDocumentResponse:
        """Open a version that replaces a wrong scan."""
        begun = await self._next_version.correct(
            current_caller(),
            request.request_id,
            request.officer_id,
            request.document_id,
            request.base_version,
            request.reason,
            request.pages,
            request.renditions,
            request.sheets,
        )
        return pb.CorrectDocumentResponse(upload=begun_message(begun, self._limits))

    async def ReadContent(  # noqa: N802
        self, request: pb.ReadContentRequest, context: _Context
    ) -> AsyncIterator[pb.ReadContentResponse]:
        """Stream content of an own document."""
        wanted = part_id(request.part, "part") if request.HasField("part") else None
        parcel = await self._handing_out.read(
            current_caller(),
            request.officer_id,
            request.document_id,
            request.version,
            wanted,
            request.offset,
            request.limit,
        )
        async with self._handing_out.sending(parcel) as pieces:
            yield pb.ReadContentResponse(header=content_header(parcel))
            async for data in content_data(parcel, pieces):
                yield pb.ReadContentResponse(data=data)
