"""New versions of a stored document: a rendition added later, or a wrong scan corrected."""

from collections.abc import Callable, Sequence
from pathlib import Path

from kho.v1 import document_pb2, document_service_pb2, document_service_pb2_grpc, upload_service_pb2
from kho_client.calls import Calls, new_request_id
from kho_client.errors import Text, local_problem
from kho_client.parts import Part, PartName, page_part
from kho_client.retry import Patience
from kho_client.upload import Upload, UploadOutcome, UploadPlan, UploadProgress

Report = Callable[[UploadProgress], None]


class DocumentVersions:
    """Adds versions; nothing is overwritten."""

    def __init__(self, calls: Calls, officer_id: str) -> None:
        """Ask over these calls, in this officer's name."""
        self._calls = calls
        self._officer_id = officer_id
        self._stub = document_service_pb2_grpc.DocumentServiceStub(calls.channel)

    async def add_rendition(
        self,
        document_id: str,
        signed: Path,
        *,
        pages: Sequence[Path] = (),
        base_version: int = 0,
        patience: Patience | None = None,
        on_progress: Report = lambda progress: None,
    ) -> UploadOutcome:
        """Add a signed file to a stored document; `base_version` 0 means the newest.

        If the `pages` of the document are at hand, what stands in them need not be sent again. They must be the
        stored ones: LocalProblem PAGE_DIFFERS. Errors otherwise as at upload.
        """
        document = await self._document(document_id)
        version = base_version or document.version
        request = document_service_pb2.AddRenditionRequest(
            request_id=new_request_id(),
            officer_id=self._officer_id,
            document_id=document_id,
            base_version=version,
            renditions=1,
        )
        # The number of the first new rendition is part of the answer, so it is asked for before the plan is made.
        first = await self._calls.unary(self._stub.AddRendition, request)

        async def opening(request_id: str) -> upload_service_pb2.BeginResponse:
            again = document_service_pb2.AddRenditionRequest()
            again.CopyFrom(request)
            again.request_id = request_id
            return (await self._stub.AddRendition(again, timeout=20)).upload

        plan = UploadPlan(
            document_id=document_id,
            officer_id=self._officer_id,
            page_count=0,
            signed=(signed,),
            first_rendition=first.first_rendition or 1,
            copy_pages=await _stored_pages(document, version, pages),
            on_progress=on_progress,
        )
        return await Upload(self._calls, plan, opening, patience=patience).run()

    async def correct(
        self,
        document_id: str,
        reason: str,
        pages: Sequence[Path],
        *,
        signed: Path | None = None,
        sheets: int = 0,
        base_version: int = 0,
        patience: Patience | None = None,
        on_progress: Report = lambda progress: None,
    ) -> UploadOutcome:
        """Replace all pages and renditions of a wrong scan by a new version; the old one stays."""
        version = base_version or (await self._document(document_id)).version

        async def opening(request_id: str) -> upload_service_pb2.BeginResponse:
            request = document_service_pb2.CorrectDocumentRequest(
                request_id=request_id,
                officer_id=self._officer_id,
                document_id=document_id,
                base_version=version,
                reason=reason,
                pages=len(pages),
                renditions=0 if signed is None else 1,
                sheets=sheets,
            )
            return (await self._stub.CorrectDocument(request, timeout=20)).upload

        plan = UploadPlan(
            document_id=document_id,
            officer_id=self._officer_id,
            page_count=len(pages),
            pages=pages,
            signed=() if signed is None else (signed,),
            on_progress=on_progress,
        )
        return await Upload(self._calls, plan, opening, patience=patience).run()

    async def _document(self, document_id: str) -> document_pb2.Document:
        request = document_service_pb2.GetDocumentRequest(document_id=document_id, officer_id=self._officer_id)
        return (await self._calls.unary(self._stub.GetDocument, request)).document


async def _stored_pages(document: document_pb2.Document, version: int, files: Sequence[Path]) -> list[Part]:
    stored = {
        PartName.of(part.key): part.digest
        for sealed in document.versions
        if sealed.version == version
        for part in sealed.parts
    }
    pages = [await page_part(number, path) for number, path in enumerate(files, 1)]
    for part in pages:
        if stored.get(part.name) != part.content.digest:
            text = Text(
                f"Trang {part.name.number} trên máy này khác trang đã lưu. Hãy bỏ --pages hoặc chọn đúng tệp.",
                f"Page {part.name.number} on this machine is not the stored one. Leave --pages out or name others.",
            )
            raise local_problem("PAGE_DIFFERS", text, page=str(part.name.number))
    return pages
