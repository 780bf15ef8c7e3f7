"""What happens in the demo, in order: one province, two one-stop desks, a broken link, a dead server, a forger."""

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path

from kho.v1 import document_pb2
from kho_client.kho import KhoClient
from kho_server.dev_pki import DevPki, issue_caller
from ops.demo.colleagues import Callers, accesses, judged, look_up, refusals, reuse
from ops.demo.desk import PATIENT, OneStopDesk, Stored
from ops.demo.draft import VIETNAM, Draft, digest_of
from ops.demo.interruptions import Interruptions
from ops.demo.link import Link
from ops.demo.office import Office, commune_office, connection_of, province_office, register_commune
from ops.demo.reading_back import read_back
from ops.demo.report import Report, megabytes
from ops.demo.screen import Screen
from ops.demo.server_process import Addresses, ServerProcess
from ops.demo.steps import Step, StepBook, expect
from ops.demo.tampering import tamper
from ops.demo.workload import PAPERS_EACH, USUAL_SHEETS, Desk, Task, Trial, workload

_SCANNERS = 2


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller of the demo may choose; `server_flags` are further settings of `kho serve`."""

    seed: int = 1
    sheets: int = USUAL_SHEETS
    papers_each: int = PAPERS_EACH
    server_flags: tuple[str, ...] = ()


@dataclass(slots=True)
class Story:
    """One run over one server; `folder` holds everything it writes."""

    wishes: Wishes
    folder: Path
    server: ServerProcess
    screen: Screen
    book: StepBook
    stored: list[Stored] = field(default_factory=list)

    async def tell(self) -> Report:
        """Run all steps; StepFailed names the first one that failed. The server runs on afterwards."""
        files = self.folder / "files"
        files.mkdir()
        bar = self.screen.bar("Máy chủ và PostgreSQL khởi động")
        with self.book.run(Step.START) as row:
            at = await self.server.start()
            row.add(1)
        bar.end()
        self.book.finish(Step.START, f"gRPC {at.grpc}, TLS hai chiều", "mutual TLS, as on every connection")
        pki = DevPki(at.pki)
        callers = Callers(at.grpc, pki)
        offices = await self._offices(callers, files)
        async with AsyncExitStack() as stack:
            link = await stack.enter_async_context(Link(at.grpc))
            ways = {Desk.PROVINCE: at.grpc, Desk.COMMUNE: link.address}
            clients = {
                office.desk: await stack.enter_async_context(
                    KhoClient(connection_of(office, ways[office.desk], pki), patience=PATIENT)
                )
                for office in offices
            }
            await self._fill(at, link, offices, clients, files)
            await self._verdicts(clients)
            await self._look_back(clients, files)
            await self._neighbours(callers, clients, files)
        return Report.of(self.book, self.stored, self.server.addresses)

    async def _offices(self, callers: Callers, files: Path) -> tuple[Office, ...]:
        with self.book.run(Step.REGISTER) as row:
            province = await asyncio.to_thread(province_office, callers.pki)
            commune = await asyncio.to_thread(commune_office, callers.pki, files)
            async with callers.client("admin") as administrator:
                row.add(await register_commune(administrator, commune))
        self.book.finish(
            Step.REGISTER, "cơ quan, cán bộ, máy quét, quyền chia sẻ", "agency, officer, station, grant: at once"
        )
        return province, commune

    async def _fill(
        self, at: Addresses, link: Link, offices: Sequence[Office], clients: dict[Desk, KhoClient], files: Path
    ) -> None:
        """Let both desks work while the link breaks and the server dies; then the agency signs what was left."""
        tasks = workload(self.wishes.sheets, self.wishes.papers_each)
        interruptions = Interruptions(self.book, self.screen, self.server, at, link)
        with ThreadPoolExecutor(_SCANNERS, "scanner") as scanner:
            desks = [
                self._desk(office, clients[office.desk], tasks, files, scanner, interruptions) for office in offices
            ]
            interruptions.desks = desks
            async with asyncio.TaskGroup() as group:
                rescue = group.create_task(interruptions.rescue(clients))
                for desk in desks:
                    group.create_task(desk.work(tasks))
            await rescue
        self.stored = [document for desk in desks for document in desk.stored]
        self._say_what_was_stored()
        interruptions.conclude()
        for desk in desks:
            await self._sign_later(desk, files)

    def _desk(
        self,
        office: Office,
        client: KhoClient,
        tasks: Sequence[Task],
        files: Path,
        scanner: ThreadPoolExecutor,
        interruptions: Interruptions,
    ) -> OneStopDesk:
        pages = sum(task.sheets for task in tasks if task.desk is office.desk)
        return OneStopDesk(
            office,
            client,
            self.book,
            folder=files,
            scanner=scanner,
            seed=self.wishes.seed,
            bar=self.screen.bar(f"Một cửa {office.place.lower()}", pages),
            on_report=interruptions.hears,
            on_stored=lambda document: self.screen.detail(
                f"{office.place}: {document.task.title}, {document.task.sheets} trang"
            ),
        )

    def _say_what_was_stored(self) -> None:
        rows, finish = self.book.rows, self.book.finish
        finish(Step.RESERVE, "mã in trên giấy trước khi ký", "each is printed on its paper")
        colour = sum(each.task.sheets for each in self.stored if each.task.scan.value == "image/jpeg")
        pages = rows[Step.SCAN].count
        finish(Step.SCAN, f"{colour} trang màu, {pages - colour} trang đen trắng", "200 dpi: colour JPEG, TIFF G4")
        finish(Step.SIGN_OFFICER, "chữ ký số cá nhân", "PAdES, appended")
        finish(Step.SIGN_AGENCY, "chữ ký số cơ quan", "PAdES, appended")
        expect(all(each.outcome.commit.result_code for each in self.stored), "a document was sealed without its code")
        twice = sum(each.outcome.bytes_resent for each in self.stored)
        finish(Step.STORE, f"{len(self.stored)} văn bản đã lưu bền", f"{twice:,} bytes sent twice")
        saved = sum(each.outcome.bytes_skipped for each in self.stored)
        whole = sum(each.signed.stat().st_size for each in self.stored)
        row = rows[Step.RECIPE]
        row.is_begun, row.seconds = True, rows[Step.STORE].seconds
        row.add(len(self.stored), whole - saved)
        finish(Step.RECIPE, f"đỡ phải gửi {megabytes(saved)}", f"of {megabytes(whole)}: pages do not travel again")

    async def _sign_later(self, desk: OneStopDesk, files: Path) -> None:
        """The agency signs a stored document, which gets a second version; nothing is overwritten."""
        waiting = [each for each in desk.stored if each.task.trial is Trial.AGENCY_SIGNS_LATER]
        if not waiting:
            return
        with self.book.run(Step.LATER) as row:
            for document in waiting:
                signed = files / f"{document.document_id}.2.pdf"
                pdf = await desk.sign_as_agency(await asyncio.to_thread(document.signed.read_bytes))
                await asyncio.to_thread(signed.write_bytes, pdf)
                outcome = await desk.client.versions.add_rendition(
                    document.document_id, signed, pages=document.pages, patience=PATIENT
                )
                expect(outcome.commit.version == 2, f"the agency's signature made version {outcome.commit.version}")
                expect(outcome.commit.result_code == document.result_code, "a later version changed the code")
                row.add(1, outcome.bytes_sent)
                newer = replace(
                    document,
                    signed=signed,
                    signed_digest=await asyncio.to_thread(digest_of, signed),
                    manifest_digest=outcome.commit.manifest_digest,
                )
                self.stored[self.stored.index(document)] = newer
        self.book.finish(Step.LATER, "phiên bản 2, phiên bản 1 còn nguyên", "AddRendition; version 1 stays")

    async def _verdicts(self, clients: dict[Desk, KhoClient]) -> None:
        bar = self.screen.bar("Kiểm tra chữ ký số", len(self.stored))
        with self.book.run(Step.VERDICT) as row:

            async def wait(document: Stored) -> None:
                seen = await judged(clients[document.task.desk], document.document_id)
                state = document_pb2.DocumentState.Name(seen.state)
                explanation = f"{seen.verdict.explanation_vi} / {seen.verdict.explanation_en}"
                expect(seen.state == document_pb2.DOCUMENT_STATE_VALID, f"a document is {state}: {explanation}")
                expect(len(seen.verdict.signatures) == 2, f"{len(seen.verdict.signatures)} signatures were judged")
                row.add(1, document.signed.stat().st_size)
                bar.show(row.count)

            async with asyncio.TaskGroup() as group:
                for document in self.stored:
                    group.create_task(wait(document))
        bar.end()
        self.book.finish(Step.VERDICT, "tất cả HỢP LỆ, mỗi tệp hai chữ ký", "all VALID, two signatures each")

    async def _look_back(self, clients: dict[Desk, KhoClient], files: Path) -> None:
        bar = self.screen.bar("Đọc lại từng trang", sum(each.task.sheets + 1 for each in self.stored))
        with self.book.run(Step.READ_BACK) as row:
            await read_back(self.stored, clients, files, row, bar)
        bar.end()
        self.book.finish(Step.READ_BACK, "không mất, không đổi byte nào", "every page and every signed file")

    async def _neighbours(self, callers: Callers, clients: dict[Desk, KhoClient], files: Path) -> None:
        async with callers.client("agency-b") as neighbour:
            with self.book.run(Step.LOOKUP) as row:
                await look_up(neighbour, self.stored, row)
            self.book.finish(Step.LOOKUP, "mã kết quả và mã công khai", "result code, public code; single, batch")
            with self.book.run(Step.REUSE) as row:
                await reuse(neighbour, self.stored, files, row)
            self.book.finish(Step.REUSE, "giống từng byte bản đã ký", "bytes equal to what was signed")
            original = next(each for each in self.stored if each.pages)
            with self.book.run(Step.TAMPER) as row:
                draft = Draft(replace(original.task, number=90), original.office, datetime.now(VIETNAM))
                verdict = await tamper(clients[original.task.desk], neighbour, original, draft, files, row)
        word = verdict.summary.sub_indication or "INVALID"
        self.book.finish(Step.TAMPER, "KHÔNG HỢP LỆ, giữ lại, cách ly", f"INVALID ({word}); absent for agency-b")
        self.screen.say(f"Lý do: {verdict.explanation_vi}", verdict.explanation_en)
        stranger = await asyncio.to_thread(issue_caller, callers.pki, "stranger", files, now=datetime.now(UTC))
        await refusals(callers, self.book, original.result_code, stranger, files)
        self.book.finish(
            Step.REFUSE, "không quyền: như không tồn tại; lỗi rõ tên", "forbidden = absent; no certificate: named"
        )
        officer = await accesses(callers, self.book, original)
        self.book.finish(Step.ACCESS, "ai, hồ sơ nào, bao nhiêu byte", f"agency-b, {officer}, dossier, bytes sent")
