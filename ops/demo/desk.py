"""A one-stop desk at work: codes first, then paper after paper over the glass, signed and stored while it goes on."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import Executor
from contextlib import aclosing
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from kho.v1 import upload_service_pb2, upload_service_pb2_grpc
from kho_client.calls import new_request_id
from kho_client.kho import KhoClient, new_document_id
from kho_client.new_document import NewDocument
from kho_client.retry import Patience
from kho_client.upload import UploadOutcome
from kho_station.assembly import assemble_pdf
from kho_station.signing import Corner, Mark, sign_pdf_in_thread
from ops.demo.draft import VIETNAM, Draft, Pages, digest_of
from ops.demo.office import Office
from ops.demo.scanner import feed
from ops.demo.screen import Bar
from ops.demo.steps import Step, StepBook, expect
from ops.demo.upload_watch import UploadWatch
from ops.demo.workload import Task, Trial

PATIENT = Patience(first_contact_s=40.0, without_progress_s=60.0, longest_wait_s=1.0)
"""Longer than the server needs to come back; looking often, since nobody else waits for it."""

_TOGETHER = 2  # while one paper is signed and sealed, the next one is on the glass


@dataclass(frozen=True, slots=True)
class Stored:
    """A document that the server called durable, and what its station knows of it."""

    office: Office
    task: Task
    document_id: str
    result_code: str
    public_code: str
    manifest_digest: str
    page_digests: tuple[str, ...]
    signed_digest: str
    signed: Path
    pages: tuple[Path, ...]
    outcome: UploadOutcome = field(repr=False)
    watch: UploadWatch = field(repr=False)


class OneStopDesk:
    """One station of one office; `on_report` hears how each of its uploads goes."""

    def __init__(
        self,
        office: Office,
        client: KhoClient,
        book: StepBook,
        *,
        folder: Path,
        scanner: Executor,
        seed: int,
        bar: Bar,
        on_report: Callable[[Task, UploadWatch], None],
        on_stored: Callable[[Stored], None],
    ) -> None:
        """Keep signed files in `folder`; `scanner` runs the drawing of pages."""
        self.office = office
        self.client = client
        self.stored: list[Stored] = []
        self.open_uploads: list[UploadWatch] = []
        self._book = book
        self._folder = folder
        self._scanner = scanner
        self._seed = seed
        self._bar = bar
        self._on_report = on_report
        self._on_stored = on_stored
        self._glass = asyncio.Lock()
        self._places = asyncio.Semaphore(_TOGETHER)
        self._pages_done = 0

    async def work(self, tasks: Sequence[Task]) -> None:
        """Store all papers of this desk; StepFailed says which step stood in the way."""
        async with asyncio.TaskGroup() as group:
            for task in tasks:
                if task.desk is self.office.desk:
                    group.create_task(self._in_turn(task))

    async def _in_turn(self, task: Task) -> None:
        async with self._places:
            self.stored.append(await self._bring(task))
            self._on_stored(self.stored[-1])

    async def _bring(self, task: Task) -> Stored:
        draft, document_id = Draft(task, self.office, datetime.now(VIETNAM)), new_document_id()
        declaration = draft.declaration()
        if task.is_result:
            with self._book.run(Step.RESERVE) as row:
                draft.code = await self._reserve(document_id, declaration, task)
                row.add(1)
        pages = Pages()
        signed = self._folder / f"{document_id}.pdf"

        async def sign(opened: upload_service_pb2.BeginResponse) -> Path:
            if draft.code is not None:
                expect(
                    opened.result_code == draft.code, "the code reserved for a document changed before it was signed"
                )
            await self._sign(task, pages.data, signed)
            return signed

        def report(watch: UploadWatch) -> None:
            self._on_report(task, watch)
            self._show(task, watch)

        watch = UploadWatch(pages.sizes, report)
        self.open_uploads.append(watch)
        with self._book.run(Step.STORE) as row:
            outcome = await self.client.upload(
                NewDocument(
                    document_id=document_id,
                    declaration=declaration,
                    pages=self._scan(draft, pages),
                    page_count=task.sheets,
                    signed=sign,
                    patience=PATIENT,
                    on_progress=watch,
                )
            )
            again = outcome.bytes_resent
            expect(again <= watch.unacknowledged_bytes, f"{again} bytes travelled twice, some of them acknowledged")
            row.add(1, outcome.bytes_sent)
        self.open_uploads.remove(watch)
        self._pages_done += task.sheets
        return Stored(
            self.office,
            task,
            document_id,
            outcome.commit.result_code,
            outcome.commit.public_code,
            outcome.commit.manifest_digest,
            tuple(pages.digests),
            await asyncio.to_thread(digest_of, signed),
            signed,
            await asyncio.to_thread(pages.keep, self._folder / document_id)
            if task.trial is Trial.AGENCY_SIGNS_LATER
            else (),
            outcome,
            watch,
        )

    async def _reserve(self, document_id: str, declaration: upload_service_pb2.DocumentDeclaration, task: Task) -> str:
        """Ask for the code that the paper will bear: the upload is open from now on, and goes on with scanning."""
        stub = upload_service_pb2_grpc.UploadServiceStub(self.client.calls.channel)
        request = upload_service_pb2.BeginRequest(
            request_id=new_request_id(),
            document_id=document_id,
            document=declaration,
            pages=task.sheets,
            renditions=1,
        )
        opened = await self.client.calls.unary(stub.Begin, request)
        expect(bool(opened.result_code and opened.public_code), "no code was reserved for a result")
        return opened.result_code

    async def _scan(self, draft: Draft, pages: Pages) -> AsyncIterator[Path | bytes]:
        async with self._glass:
            with self._book.run(Step.SCAN) as row:
                async with aclosing(feed(draft.printed(), self._seed, self._scanner)) as sheets:
                    async for sheet in sheets:
                        pages.add(sheet.data)
                        row.add(1, len(sheet.data))
                        yield sheet.data

    async def _sign(self, task: Task, pages: Sequence[bytes], signed: Path) -> None:
        pdf = await asyncio.to_thread(assemble_pdf, pages)
        with self._book.run(Step.SIGN_OFFICER) as row:
            pdf = await sign_pdf_in_thread(pdf, self.office.officer, self._mark(Corner.OFFICER))
            row.add(1)
        if task.trial is not Trial.AGENCY_SIGNS_LATER:
            pdf = await self.sign_as_agency(pdf)
        await asyncio.to_thread(signed.write_bytes, pdf)

    async def sign_as_agency(self, pdf: bytes) -> bytes:
        """Put the agency's signature beside the officer's."""
        with self._book.run(Step.SIGN_AGENCY) as row:
            pdf = await sign_pdf_in_thread(pdf, self.office.seal, self._mark(Corner.AGENCY))
            row.add(1)
        return pdf

    def _mark(self, corner: Corner) -> Mark:
        is_officer = corner is Corner.OFFICER
        lines = ("Cán bộ số hóa", "NGƯỜI KÝ MẪU") if is_officer else ("BẢN SỐ HÓA", self.office.name)
        return Mark(
            field_name="CanBo" if is_officer else "CoQuan",
            corner=corner,
            lines=lines,
            at=datetime.now(VIETNAM).replace(microsecond=0),
            reason="Số hóa giấy tờ" if is_officer else "Phát hành bản số hóa",
            location=self.office.place,
        )

    def _show(self, task: Task, watch: UploadWatch) -> None:
        pages = min(watch.complete_parts, task.sheets)
        self._bar.show(self._pages_done + pages, f"{task.title} {pages}/{task.sheets}")
