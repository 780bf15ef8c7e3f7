"""Stations that upload, correct and add, and agencies that ask and reuse, until their server dies."""

import asyncio
import random
from collections.abc import AsyncIterable, AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from typing import TypeVar

import grpc

from kho.v1 import (
    document_pb2,
    document_service_pb2,
    result_service_pb2,
    reuse_service_pb2,
    upload_service_pb2,
)
from tests.end_to_end.caller import Caller, taken
from tests.end_to_end.papers import JPEG_HEAD, Paper, Sheet
from tests.torture.promises import Access, Promises, Record, Version, new_id, part_name

T = TypeVar("T")
WITHIN_S = 20.0
_OWNERS = ("038085001234", "044202001234", "001099012345")
_AGENCY_OF = {"station": "agency-a", "agency-b": "agency-b"}


class Died(Exception):
    """The server, or its database, went away in the middle of a call."""


@dataclass
class Load:
    """Draws what clients do; everything they are told goes into the promises."""

    draw: random.Random
    promises: Promises
    signed: tuple[Sheet, ...]
    noise: bytes = field(repr=False, default=b"")
    is_stopped: bool = False
    calls: int = 0

    def __post_init__(self) -> None:
        """Draw the noise that pages are cut from."""
        self.noise = self.draw.randbytes(1 << 20)

    async def station(self, caller: Caller, name: str, mine: Callable[[Record], bool]) -> None:
        """Go on with what was left open, then bring in new documents, without end."""
        for record in [each for each in self.promises.open if each.station == name and mine(each)]:
            await self.persist(caller, record)
        while not self.is_stopped:
            base = self.promises.one_sealed(lambda each: each.station == name and mine(each) and self._is_free(each))
            if base is not None and self.draw.random() < 0.3:
                self._begin_version(base)
                await self.persist(caller, base)
            else:
                record = self._new_record(name)
                self.promises.records.append(record)
                await self.persist(caller, record)

    async def agency(self, caller: Caller, name: str) -> None:
        """Ask for codes that are there and codes that are not; reuse what may be reused."""
        while not self.is_stopped:
            chance = self.draw.random()
            if chance < 0.3:
                await self._look(caller, f"KHONG.CO.{self.draw.getrandbits(40)}", ("ABSENT",))
            elif chance < 0.75 or name == "agency-c":
                record = self.promises.one_sealed()
                if record is not None:
                    is_own = _AGENCY_OF[record.station] == name
                    outcomes = ("DISCLOSED",) if is_own else ("REFUSED", "DISCLOSED")
                    await self._look(caller, record.code, outcomes if name != "agency-c" else ("REFUSED",))
            elif self.promises.valid:
                await self._reuse(caller, self.draw.choice(self.promises.valid))
            await asyncio.sleep(0)

    async def commit(self, caller: Caller, record: Record, request_id: str) -> upload_service_pb2.CommitResponse:
        """Seal the newest version, or hear again that it is sealed."""
        request = upload_service_pb2.CommitRequest(
            request_id=request_id,
            document_id=record.paper.document_id,
            version=record.current.number,
            parts=record.current.sealed_parts(),
        )
        return await self._told(caller.uploads.Commit(request, timeout=WITHIN_S))

    async def persist(self, caller: Caller, record: Record) -> None:
        """Do whatever is missing; the answer to a repeated Commit is the one that was lost, if it was."""
        version = record.current
        await self.begun(caller, record)
        if version.missing():
            call = caller.uploads.UploadParts(self._messages(record, version), timeout=WITHIN_S)
            await self._told(self._listen(call, version))
        version.answer = await self.commit(caller, record, version.commit_id)
        assert version.answer.version == version.number
        assert version.answer.result_code == record.code

    def record_of(self, station: str, sheets: tuple[Sheet, ...]) -> Record:
        """Declare a document; not begun yet."""
        draw = self.draw
        paper = Paper(
            sheets,
            document_id=new_id(draw),
            owner=draw.choice(_OWNERS),
            dossier=f"000.00.1{'6' if station == 'station' else '7'}.H46-261121-{draw.randint(1, 20):04d}",
        )
        first = Version(1, sheets, new_id(draw), new_id(draw))
        return Record(station, paper, [first])

    def _is_free(self, record: Record) -> bool:
        """Tell whether a next version may begin; what is reused stays as it is."""
        return record.is_sealed and record not in self.promises.valid

    def _new_record(self, station: str) -> Record:
        sheets = tuple(self._page(number) for number in range(1, self.draw.randint(1, 4) + 1))
        if station == "station" and self.signed and self.draw.random() < 0.05:
            sheets += (self.draw.choice(self.signed),)
        return self.record_of(station, sheets)

    def _page(self, number: int) -> Sheet:
        size = self.draw.randint(5_000, 80_000)
        # Few beginnings: now and then two documents hold the same page.
        start = self.draw.choice((0, 1000, self.draw.randrange(len(self.noise) - size)))
        size = 5_000 if start <= 1000 else size
        return Sheet(number, JPEG_HEAD + self.noise[start : start + size])

    def _begin_version(self, record: Record) -> None:
        draw, number = self.draw, record.current.number + 1
        ids = new_id(draw), new_id(draw)
        if draw.random() < 0.5:
            sheets = tuple(self._page(page) for page in range(1, draw.randint(1, 3) + 1))
            record.versions.append(Version(number, sheets, *ids))
        else:
            content = b"%PDF-1.7\n" + self.noise[: draw.randint(5_000, 60_000)]
            rendition = Sheet(0, content, "application/pdf", is_page=False)
            record.versions.append(Version(number, (rendition,), *ids, is_assembled=True))

    async def begun(self, caller: Caller, record: Record) -> None:
        """Begin the newest version, or again: what comes back is held against what was told before."""
        version = record.current
        told = await self._begin(caller, record, version)
        version.is_begun = True
        if told.version != version.number:
            self.promises.finding(f"version {version.number} of {record.paper.document_id} is now {told.version}")
        if not told.is_sealed:
            held = {part_name(part.key): part.persisted_bytes for part in told.parts}
            for name, size in version.acknowledged.items():
                if held.get(name, 0) < size:
                    self.promises.finding(f"{held.get(name, 0)} bytes are left of {size} that were acknowledged")
        elif version.missing():
            self.promises.finding(f"{record.paper.document_id} was sealed without all its parts")
        for part in told.parts:
            version.tell(part)

    async def _begin(self, caller: Caller, record: Record, version: Version) -> upload_service_pb2.BeginResponse:
        document_id = record.paper.document_id
        if version.number == 1:
            request = record.paper.begin(version.begin_id)
            begun = await self._told(caller.uploads.Begin(request, timeout=WITHIN_S))
            if record.code and begun.result_code != record.code:
                self.promises.finding(f"the code {record.code} became {begun.result_code}")
            record.code = begun.result_code
            return begun
        renditions = sum(not each.is_page for each in version.sheets)
        if renditions:
            asked = document_service_pb2.AddRenditionRequest(
                request_id=version.begin_id,
                document_id=document_id,
                base_version=version.number - 1,
                renditions=renditions,
            )
            added = await self._told(caller.documents.AddRendition(asked, timeout=WITHIN_S))
            (sheet,) = version.sheets
            version.sheets = (Sheet(added.first_rendition, sheet.content, sheet.media_type, is_page=False),)
            return added.upload
        correcting = document_service_pb2.CorrectDocumentRequest(
            request_id=version.begin_id,
            document_id=document_id,
            base_version=version.number - 1,
            reason="quét nhầm trang",
            pages=len(version.sheets),
        )
        return (await self._told(caller.documents.CorrectDocument(correcting, timeout=WITHIN_S))).upload

    async def _messages(self, record: Record, version: Version) -> AsyncIterator[upload_service_pb2.UploadPartsRequest]:
        opened = upload_service_pb2.UploadOpen(document_id=record.paper.document_id, version=version.number)
        yield upload_service_pb2.UploadPartsRequest(open=opened)
        for sheet in version.missing():
            yield upload_service_pb2.UploadPartsRequest(header=sheet.header())
            for piece in sheet.pieces(version.persisted(sheet), piece_bytes=self.draw.choice((4_000, 16_000))):
                yield upload_service_pb2.UploadPartsRequest(data=piece)
                if self.draw.random() < 0.1:
                    # A slow link: what came so far is acknowledged before the rest comes.
                    await asyncio.sleep(0.03)

    async def _listen(
        self,
        call: "AsyncIterable[upload_service_pb2.UploadPartsResponse]",
        version: Version,
    ) -> None:
        async for answer in call:
            version.tell(answer.progress)

    async def _look(self, caller: Caller, code: str, outcomes: tuple[str, ...]) -> None:
        request_id = new_id(self.draw)
        request = result_service_pb2.LookupResultRequest(code=code)
        call = caller.results.LookupResult(request, timeout=WITHIN_S, metadata=(("kho-request-id", request_id),))
        try:
            await self._told(call)
        except grpc.aio.AioRpcError as refused:
            if refused.code() is not grpc.StatusCode.NOT_FOUND:
                raise
            outcomes = tuple(each for each in outcomes if each != "DISCLOSED")
        else:
            outcomes = tuple(each for each in outcomes if each == "DISCLOSED")
        if not outcomes:
            self.promises.finding(f"a look-up of {code} was answered as it must not be")
        self.promises.accesses.append(Access(request_id, outcomes))

    async def _reuse(self, caller: Caller, record: Record) -> None:
        request_id = new_id(self.draw)
        request = reuse_service_pb2.ReuseRequest(
            request_id=request_id,
            code=record.code,
            purpose=reuse_service_pb2.Purpose(dossier_code="000.00.17.H46-261121-0001"),
        )
        call = caller.reuses.Reuse(request, timeout=WITHIN_S, metadata=(("kho-request-id", request_id),))
        heard: list[str] = []

        async def listened() -> AsyncIterator[reuse_service_pb2.ReuseResponse]:
            async for answer in call:
                if answer.WhichOneof("message") == "header":
                    heard.append(answer.header.content.access_id)
                    self.promises.accesses.append(Access(request_id, ("DISCLOSED",), heard[0]))
                yield answer

        got = await self._told(taken(listened()))
        wanted = record.versions[0].sheets[-1]
        if got.content != wanted.content or got.header.digest != wanted.digest:
            self.promises.finding(f"the reuse of {record.code} brought other bytes")

    async def _told(self, call: "Awaitable[T]") -> T:
        self.calls += 1
        try:
            return await call
        except grpc.aio.AioRpcError as error:
            # Writing to a stream whose server has died is INTERNAL in the words of the client's own library.
            is_ours = error.code() is grpc.StatusCode.INTERNAL and error.details() == "Internal error from Core"
            # Superseded: seen once, after PostgreSQL was killed. Probably a late stream of before the outage;
            # not proved. The protocol tells clients to begin again then. Any other ABORTED is a finding.
            is_superseded = error.details() == "A newer connection goes on with this upload."
            if is_ours or is_superseded or error.code() is grpc.StatusCode.UNAVAILABLE:
                raise Died from error
            raise


def is_valid(document: document_pb2.Document) -> bool:
    """Tell whether a document was judged valid."""
    return document.state == document_pb2.DOCUMENT_STATE_VALID
