"""DocumentService over the documents of an UploadServer: show, add a rendition, correct, read."""

import hashlib
from collections.abc import AsyncIterator
from typing import Any

import google_crc32c
from grpc import aio

from kho.v1 import (
    content_pb2,
    document_pb2,
    document_service_pb2,
    document_service_pb2_grpc,
)
from tests.doubles.upload_server import StoredUpload, UploadServer

Context = aio.ServicerContext[Any, Any]


class Documents(document_service_pb2_grpc.DocumentServiceServicer):
    """Keeps one version of each document open at a time, in the upload server's memory."""

    def __init__(self) -> None:
        """`uploads` is set once the server that holds the documents is there."""
        self.uploads: UploadServer | None = None
        self.corrections: list[document_service_pb2.CorrectDocumentRequest] = []
        self.waits = 0

    def register(self, server: aio.Server) -> None:
        """Add the service to a server."""
        document_service_pb2_grpc.add_DocumentServiceServicer_to_server(self, server)

    async def GetDocument(  # noqa: N802
        self, request: document_service_pb2.GetDocumentRequest, context: Context
    ) -> document_service_pb2.GetDocumentResponse:
        """See the proto."""
        document = _document(request.document_id, self._upload(request.document_id))
        return document_service_pb2.GetDocumentResponse(document=document)

    async def ListDocuments(  # noqa: N802
        self, request: document_service_pb2.ListDocumentsRequest, context: Context
    ) -> document_service_pb2.ListDocumentsResponse:
        """See the proto; all of them on one page."""
        assert self.uploads is not None
        documents = [_document(document_id, upload) for document_id, upload in self.uploads.uploads.items()]
        return document_service_pb2.ListDocumentsResponse(documents=documents)

    async def WaitForVerdict(  # noqa: N802
        self, request: document_service_pb2.WaitForVerdictRequest, context: Context
    ) -> document_service_pb2.WaitForVerdictResponse:
        """See the proto; decided at the second look."""
        self.waits += 1
        document = _document(request.document_id, self._upload(request.document_id))
        if self.waits > 1:
            document.state = document_pb2.DOCUMENT_STATE_VALID
        return document_service_pb2.WaitForVerdictResponse(document=document)

    async def AddRendition(  # noqa: N802
        self, request: document_service_pb2.AddRenditionRequest, context: Context
    ) -> document_service_pb2.AddRenditionResponse:
        """See the proto."""
        upload = self._upload(request.document_id)
        if upload.version == request.base_version:
            upload.version, upload.commit = request.base_version + 1, None
        assert self.uploads is not None
        return document_service_pb2.AddRenditionResponse(upload=self.uploads.opened(upload), first_rendition=1)

    async def CorrectDocument(  # noqa: N802
        self, request: document_service_pb2.CorrectDocumentRequest, context: Context
    ) -> document_service_pb2.CorrectDocumentResponse:
        """See the proto."""
        self.corrections.append(request)
        upload = self._upload(request.document_id)
        if upload.version == request.base_version:
            upload.version, upload.commit = request.base_version + 1, None
            upload.parts.clear()
        assert self.uploads is not None
        return document_service_pb2.CorrectDocumentResponse(upload=self.uploads.opened(upload))

    async def ReadContent(  # noqa: N802
        self, request: document_service_pb2.ReadContentRequest, context: Context
    ) -> AsyncIterator[document_service_pb2.ReadContentResponse]:
        """See the proto."""
        content = bytes(self._upload(request.document_id).parts[(int(request.part.kind), request.part.number)].durable)
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        header = content_pb2.ContentHeader(access_id="access-2", digest=digest, size_bytes=len(content))
        yield document_service_pb2.ReadContentResponse(header=header)
        for at in range(request.offset, len(content), 65_536):
            data = content[at : at + 65_536]
            piece = content_pb2.ContentData(offset=at, data=data, crc32c=google_crc32c.value(data))
            yield document_service_pb2.ReadContentResponse(data=piece)

    def _upload(self, document_id: str) -> StoredUpload:
        assert self.uploads is not None
        return self.uploads.uploads[document_id]


def _document(document_id: str, upload: StoredUpload) -> document_pb2.Document:
    parts = [
        document_pb2.Part(key=part.header.key, digest=part.header.digest, size_bytes=len(part.durable))
        for part in upload.parts.values()
    ]
    version = document_pb2.DocumentVersion(version=upload.version, parts=parts)
    return document_pb2.Document(
        document_id=document_id,
        version=upload.version,
        versions=[version],
        kind=upload.begin.document.kind,
        state=document_pb2.DOCUMENT_STATE_RECEIVED,
    )
