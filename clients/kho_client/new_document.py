"""A new document as a station hands it over, and the choice of the way it takes."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kho.v1 import document_pb2, upload_service_pb2, upload_service_pb2_grpc
from kho_client.calls import Calls, new_request_id
from kho_client.errors import KhoError
from kho_client.media_type import PDF
from kho_client.parts import FileContent, Part, page_part, rendition
from kho_client.retry import Patience
from kho_client.small_upload import can_go_the_long_way, is_small, upload_small
from kho_client.upload import PageSource, SignedSource, Upload, UploadOutcome, UploadPlan, UploadProgress
from kho_client.upload_stream import StreamTimes


@dataclass(frozen=True, slots=True)
class NewDocument:
    """What is to be stored.

    `pages` are files, bytes, or an async iterator of them for pages that are still in the scanner; then
    `page_count` says how many will come. `signed` is the signed file, or what makes it once the pages are there
    and the reserved code is known. `is_resumed` says that an earlier run may have sent some of it.
    """

    document_id: str
    declaration: upload_service_pb2.DocumentDeclaration
    pages: PageSource
    page_count: int | None = None
    signed: SignedSource | None = None
    officer_id: str = ""
    is_resumed: bool = False
    patience: Patience | None = None
    times: StreamTimes | None = None
    on_progress: Callable[[UploadProgress], None] = field(default=lambda progress: None)

    async def send(self, calls: Calls, default_officer_id: str = "") -> UploadOutcome:
        """Bring it; KhoError. ValueError when `page_count` is missing for pages that are still coming."""
        officer_id = self.officer_id or default_officer_id
        files = self._small_files()
        if files is not None:
            try:
                return await self._send_small(calls, files, officer_id)
            except KhoError as error:
                if not can_go_the_long_way(error):
                    raise
        return await self._send_resumable(calls, officer_id)

    async def _send_small(self, calls: Calls, files: Sequence[Path], officer_id: str) -> UploadOutcome:
        signed = (self.signed,) if isinstance(self.signed, Path) else ()
        pages = len(files) - len(signed)
        parts = [await page_part(number, path) for number, path in enumerate(files[:pages], 1)]
        for path in signed:
            content = await FileContent.of(path)
            parts.append(Part(rendition(1), content, PDF, role=document_pb2.RENDITION_ROLE_SIGNED))
        commit = await upload_small(calls, self._begin(new_request_id(), officer_id), parts)
        return UploadOutcome(commit, pages, sum(part.content.size_bytes for part in parts), 0, 0, 1)

    async def _send_resumable(self, calls: Calls, officer_id: str) -> UploadOutcome:
        stub = upload_service_pb2_grpc.UploadServiceStub(calls.channel)
        plan = UploadPlan(
            document_id=self.document_id,
            officer_id=officer_id,
            page_count=self._page_count(),
            pages=self.pages,
            signed=() if self.signed is None else (self.signed,),
            on_progress=self.on_progress,
        )

        async def opening(request_id: str) -> upload_service_pb2.BeginResponse:
            return await stub.Begin(self._begin(request_id, officer_id), timeout=20)

        return await Upload(calls, plan, opening, patience=self.patience, times=self.times).run()

    def _begin(self, request_id: str, officer_id: str) -> upload_service_pb2.BeginRequest:
        return upload_service_pb2.BeginRequest(
            request_id=request_id,
            officer_id=officer_id,
            document_id=self.document_id,
            document=self.declaration,
            pages=self._page_count(),
            renditions=0 if self.signed is None else 1,
        )

    def _page_count(self) -> int:
        if self.page_count is not None:
            return self.page_count
        if isinstance(self.pages, Sequence):
            return len(self.pages)
        raise ValueError("pages that are still coming need a declared page_count")

    def _small_files(self) -> list[Path] | None:
        """Return pages and signed file if the short way suits them: all there, few, small, nothing sent before."""
        if self.is_resumed or not isinstance(self.pages, Sequence):
            return None
        sources = [*self.pages, *(() if self.signed is None else (self.signed,))]
        files = [source for source in sources if isinstance(source, Path)]
        if len(files) < len(sources) or self._page_count() != len(self.pages) or not is_small(files):
            return None
        return files
