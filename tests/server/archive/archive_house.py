"""The use cases of documents over a real catalog, with time that stands still until it is moved."""

import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import google_crc32c

from kho_server.archive.beginning import Beginning
from kho_server.archive.blob_files import BlobFiles
from kho_server.archive.caller import Caller
from kho_server.archive.code_taking import CodeTaker
from kho_server.archive.committing import ClaimedPart, Committed, Committing
from kho_server.archive.declaring import SaidOfDocument, SaidOfResult
from kho_server.archive.disclosure import Disclosure
from kho_server.archive.handing_out import HandingOut
from kho_server.archive.judging import Judging
from kho_server.archive.limits import UploadLimits
from kho_server.archive.lookup import Lookup
from kho_server.archive.next_version import NextVersion
from kho_server.archive.observer import Observer
from kho_server.archive.opening import Begun, Opening
from kho_server.archive.own_documents import OwnDocuments
from kho_server.archive.standing import Standing
from kho_server.archive.tidying import Tidying
from kho_server.archive.upload_desk import UploadDesk
from kho_server.rules.media_type import MediaType
from kho_server.rules.result_code_template import ResultCodeTemplate
from kho_server.verification.errors import VerificationError
from kho_server.verification.port import SignatureVerifier
from kho_server.verification.verdict import Indication, Verdict
from kho_storage.blobs.memory import MemoryBlobStore, MemoryManifestStore, MemoryUploadSpool
from kho_storage.catalog.access_log import PostgresAccessLog
from kho_storage.catalog.answers import PostgresAnswerBook
from kho_storage.catalog.database import Database
from kho_storage.catalog.documents import PostgresDocuments
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.uploads import PostgresUploads
from kho_storage.catalog.verdicts import PostgresVerdicts
from kho_storage.digest import Digest
from kho_storage.parts import PartId, PartKind
from kho_storage.records.document import DocumentKind, Lane, PageVariant, RenditionRole
from kho_storage.records.registry import Grant, GrantAction, PrincipalKind
from tests.server.archive.people import NOBODY, NOW, TODAY, Province, caller, found_province

JPEG = b"\xff\xd8\xff\xe0" + b"a page of a result"
PDF = b"%PDF-1.7\n" + b"a signed file, as far as these tests care"
RESULT = SaidOfResult(type_code="KQ.G15.000031", owner_ids=("044202001234",), number="12/QĐ", issued_on="2026-11-20")
SAID = SaidOfDocument(
    kind=DocumentKind.RESULT,
    lane=Lane.NEW,
    dossier_code="000.00.16.H46-220905-0001",
    procedure_code="1.000894",
    sheets=1,
    result=RESULT,
)


class ScriptedVerifier(SignatureVerifier):
    """Answers what the test says next; TOTAL_PASSED when it says nothing."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self.next: list[Indication | VerificationError | Exception] = []
        self.asked: list[str] = []

    async def verify(self, source: Path, digest: str) -> Verdict:
        self.asked.append(digest)
        answer = self.next.pop(0) if self.next else Indication.TOTAL_PASSED
        if isinstance(answer, Exception):
            raise answer
        return Verdict(answer, None, digest, self._clock(), "policy-1", "engine-1", "vì thế", "because")


class CountingObserver(Observer):
    """Remembers the counts that tests ask for."""

    def __init__(self) -> None:
        self.failures: list[str] = []
        self.streams = 0
        self.resumed = 0
        self.sent = 0
        self.copied = 0

    def background_failed(self, task: str) -> None:
        self.failures.append(task)

    def upload_streams(self, change: int) -> None:
        self.streams += change

    def upload_resumed(self) -> None:
        self.resumed += 1

    def bytes_received(self, sent: int, copied: int) -> None:
        self.sent += sent
        self.copied += copied


@dataclass(frozen=True, slots=True)
class Paper:
    """One part of a document that a test brings."""

    part: PartId
    data: bytes
    media_type: MediaType
    variant: PageVariant | None = None
    role: RenditionRole | None = None

    @property
    def claim(self) -> ClaimedPart:
        """What a client says of it at Commit."""
        return ClaimedPart(self.part, Digest.of(self.data).sha256, self.media_type, self.variant, self.role)


def page(number: int, data: bytes = JPEG) -> Paper:
    """Return a page; its number makes its bytes its own."""
    return Paper(PartId(PartKind.PAGE, number), data + b" %d" % number, MediaType.JPEG)


def signed(number: int = 1, data: bytes = PDF) -> Paper:
    """Return a signed rendition."""
    data += b" %d" % number
    return Paper(PartId(PartKind.RENDITION, number), data, MediaType.PDF, role=RenditionRole.SIGNED)


def request_id() -> str:
    """Return a new one."""
    return str(uuid4())


@dataclass
class ArchiveHouse:
    """Everything that the use cases of documents are made of."""

    database: Database
    scratch: Path
    limits: UploadLimits = field(default_factory=UploadLimits)
    now: datetime = NOW

    def __post_init__(self) -> None:
        """Furnish."""
        self.observer = CountingObserver()
        self.registry = PostgresRegistry(self.database)
        self.uploads = PostgresUploads(self.database)
        self.documents = PostgresDocuments(self.database)
        self.verdicts = PostgresVerdicts(self.database)
        self.answers = PostgresAnswerBook(self.database)
        self.log = PostgresAccessLog(self.database)
        self.spool, self.blobs, self.manifests = MemoryUploadSpool(), MemoryBlobStore(), MemoryManifestStore()
        self.verifier = ScriptedVerifier(self.clock)
        self.standing = Standing()
        self.clashes = 0
        self.furnish()

    def furnish(self) -> None:
        """Put the use cases over the stores; again after a test has exchanged one."""
        self.disclosure = Disclosure(self.registry, self.log, b"k" * 32, self.clock, self.observer)
        self.codes = CodeTaker(
            self.uploads,
            ResultCodeTemplate.parse(),
            "H46",
            secrets.token_bytes,
            self._on_clash,
        )
        opening = Opening(
            uploads=self.uploads,
            answers=self.answers,
            spool=self.spool,
            limits=self.limits,
            clock=self.clock,
            admit=lambda: None,
        )
        self.beginning = Beginning(
            opening, uploads=self.uploads, documents=self.documents, registry=self.registry, codes=self.codes
        )
        self.next_version = NextVersion(opening, self.documents, self.registry)
        self.desk = UploadDesk(
            uploads=self.uploads,
            documents=self.documents,
            spool=self.spool,
            blobs=self.blobs,
            limits=self.limits,
            clock=self.clock,
            admit=lambda: None,
            observer=self.observer,
        )
        self.judging = Judging(
            documents=self.documents,
            verdicts=self.verdicts,
            registry=self.registry,
            files=BlobFiles(self.blobs, None, self.scratch),
            verifier=self.verifier,
            standing=self.standing,
            clock=self.clock,
            observer=self.observer,
            together=2,
        )
        self.committing = Committing(
            uploads=self.uploads,
            documents=self.documents,
            registry=self.registry,
            answers=self.answers,
            spool=self.spool,
            blobs=self.blobs,
            manifests=self.manifests,
            repository_id="H46",
            clock=self.clock,
            observer=self.observer,
            wake_verifier=self.judging.wake,
        )
        self.lookup = Lookup(self.documents, self.registry, self.disclosure, self.clock, 500)
        self.handing_out = HandingOut(
            lookup=self.lookup,
            documents=self.documents,
            registry=self.registry,
            disclosure=self.disclosure,
            blobs=self.blobs,
            clock=self.clock,
        )
        self.own = OwnDocuments(
            documents=self.documents,
            verdicts=self.verdicts,
            registry=self.registry,
            access=self.log,
            disclosure=self.disclosure,
            standing=self.standing,
            clock=self.clock,
        )
        self.tidying = Tidying(
            uploads=self.uploads,
            documents=self.documents,
            answers=self.answers,
            spool=self.spool,
            blobs=self.blobs,
            manifests=self.manifests,
            clock=self.clock,
            observer=self.observer,
            is_streaming=self.desk.is_streaming,
        )

    def _on_clash(self) -> None:
        self.clashes += 1

    def clock(self) -> datetime:
        """Return the time, which passes by a microsecond each time that it is asked for."""
        self.now += timedelta(microseconds=1)
        return self.now

    async def open(self) -> None:
        """Register three agencies with a station each, and start the access log."""
        await self.log.start(TODAY)
        self.province: Province = await found_province(self.registry)
        self.a = _station(caller(PrincipalKind.STATION, self.province.a), "officer-a")
        self.b = _station(caller(PrincipalKind.STATION, self.province.b), "officer-b")
        self.c = _station(caller(PrincipalKind.STATION, self.province.c), "officer-c")

    async def close(self) -> None:
        """Write what the access log still holds."""
        await self.log.drain()

    async def begin(
        self, who: Caller, document: UUID, said: SaidOfDocument = SAID, pages: int = 1, renditions: int = 1
    ) -> Begun:
        """Begin with a new request id."""
        return await self.beginning.begin(who, request_id(), "", str(document), said, pages, renditions)

    async def bring(self, who: Caller, document: UUID, papers: Sequence[Paper], version: int = 1) -> None:
        """Bring parts over one stream."""
        session = await self.desk.open(who, str(document), version)
        try:
            for paper in papers:
                await session.begin_part(paper.part, Digest.of(paper.data), paper.media_type)
                for offset in range(0, len(paper.data), self.limits.chunk_bytes):
                    piece = paper.data[offset : offset + self.limits.chunk_bytes]
                    await session.data(offset, piece, google_crc32c.value(piece))
            await session.finish()
        finally:
            await self.desk.close(session)

    async def commit(
        self, who: Caller, document: UUID, papers: Sequence[Paper], version: int = 1, request: str | None = None
    ) -> Committed:
        """Seal."""
        claims = [paper.claim for paper in papers]
        return await self.committing.commit(who, request or request_id(), "", str(document), version, claims)

    async def store(
        self,
        who: Caller,
        document: UUID | None = None,
        said: SaidOfDocument = SAID,
        papers: Sequence[Paper] | None = None,
    ) -> Committed:
        """Begin, bring, seal: a page and a signed file unless told otherwise."""
        document = document or uuid4()
        papers = (page(1), signed()) if papers is None else papers
        pages = sum(paper.part.kind is PartKind.PAGE for paper in papers)
        await self.begin(who, document, said, pages, len(papers) - pages)
        await self.bring(who, document, papers)
        return await self.commit(who, document, papers)

    async def judge_due(self) -> int:
        """Judge what is due, one after the other."""
        judged = 0
        while (task := await self.verdicts.take_task(self.clock())) is not None:
            await self.judging._judge_task(task)
            judged += 1
        return judged

    async def grant(self, action: GrantAction = GrantAction.REUSE, type_code: str | None = None) -> Grant:
        """Let agency-b have what agency-a issued, or store in its name."""
        a, b = self.province.a, self.province.b
        grant = Grant(
            uuid4(),
            a.agency_uuid,
            a.agency_id,
            b.agency_uuid,
            b.agency_id,
            action,
            type_code,
            TODAY,
            TODAY + timedelta(days=30),
            "QĐ 12/QĐ-UBND",
            None,
        )
        return await self.registry.add_grant(grant, NOBODY, NOW)

    async def outcomes(self) -> list[tuple[str, str]]:
        """Return action and outcome of every record, oldest first."""
        rows = await self.database.fetch("SELECT action, outcome FROM kho.access_record ORDER BY at, access_id")
        return [(row["action"], row["outcome"]) for row in rows]

    async def closings(self) -> list[int]:
        """Return the bytes of every closing record, oldest first."""
        await self.log.drain()
        rows = await self.database.fetch("SELECT bytes_sent FROM kho.access_closing ORDER BY closed_at")
        return [row["bytes_sent"] for row in rows]


def _station(who: Caller, officer_id: str) -> Caller:
    return replace(who, principal=replace(who.principal, default_officer_id=officer_id))
