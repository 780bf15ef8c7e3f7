"""Load of one-stop desks: stations that stream pages and seal documents, with the generated stubs alone."""

import asyncio
import hashlib
import itertools
import secrets
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import TypeAlias
from uuid import uuid4

import google_crc32c
import grpc

from kho.v1 import document_pb2, upload_service_pb2, upload_service_pb2_grpc

_CHUNK_BYTES = 256 * 1024
_JPEG = b"\xff\xd8\xff\xe0"
_DIFFERENT_PAGES = 32
_DOSSIERS = itertools.count(secrets.randbelow(9_000_000))
# Of people who do not exist: no province has the number 000. Desks serve different people, so codes do not clash.
_OWNERS = itertools.count(secrets.randbelow(900_000_000))
_UploadCall: TypeAlias = (
    "grpc.aio.StreamStreamCall[upload_service_pb2.UploadPartsRequest, upload_service_pb2.UploadPartsResponse]"
)


@dataclass(frozen=True, slots=True)
class Page:
    """A page as messages: header fields and data, made before the clock starts."""

    size_bytes: int
    digest: str
    data: tuple[upload_service_pb2.PartData, ...]

    @classmethod
    def made(cls, size_bytes: int) -> "Page":
        """Make a page of noise that begins like a JPEG."""
        content = _JPEG + secrets.token_bytes(size_bytes - len(_JPEG))
        data = []
        for offset in range(0, size_bytes, _CHUNK_BYTES):
            piece = content[offset : offset + _CHUNK_BYTES]
            data.append(upload_service_pb2.PartData(offset=offset, data=piece, crc32c=google_crc32c.value(piece)))
        return cls(size_bytes, "sha256:" + hashlib.sha256(content).hexdigest(), tuple(data))

    def header(self, number: int) -> upload_service_pb2.PartHeader:
        """Return its header as page `number`."""
        return upload_service_pb2.PartHeader(
            key=page_key(number), size_bytes=self.size_bytes, digest=self.digest, media_type="image/jpeg"
        )

    def sealed(self, number: int) -> upload_service_pb2.SealedPart:
        """Return what Commit says of it."""
        return upload_service_pb2.SealedPart(key=page_key(number), digest=self.digest, media_type="image/jpeg")


@dataclass(slots=True)
class Tally:
    """Seconds of each thing done, and bytes; what is done outside its time counts in `moved_bytes` only."""

    clock: Callable[[], float]
    ends_at: float
    counts_from: float = 0.0
    latencies_s: list[float] = field(default_factory=list)
    size_bytes: int = 0
    moved_bytes: int = 0

    def begin(self, warm_up_s: float, seconds: float) -> None:
        """Forget what was done so far; count for so many seconds once it is warm."""
        self.counts_from = self.clock() + warm_up_s
        self.ends_at = self.counts_from + seconds
        self.latencies_s.clear()
        self.size_bytes = self.moved_bytes = 0

    def is_over(self) -> bool:
        """Tell whether the round is over."""
        return self.clock() >= self.ends_at

    def done(self, began_at: float) -> None:
        """Count one thing."""
        now = self.clock()
        if self.counts_from <= now < self.ends_at:
            self.latencies_s.append(now - began_at)

    def moved(self, size_bytes: int) -> None:
        """Count bytes."""
        self.moved_bytes += size_bytes
        if self.counts_from <= self.clock() < self.ends_at:
            self.size_bytes += size_bytes


def page_key(number: int) -> document_pb2.PartKey:
    """Name a page."""
    return document_pb2.PartKey(kind=document_pb2.PART_KIND_PAGE, number=number)


def pages_of(size_bytes: int) -> list[Page]:
    """Make pages of one size; many different ones would only cost memory, the server stores each anyway."""
    return [Page.made(size_bytes) for _ in range(_DIFFERENT_PAGES)]


def beginning(pages: int, *, renditions: int = 0) -> upload_service_pb2.BeginRequest:
    """Declare a result of a dossier of its own."""
    now = datetime.now(UTC)
    return upload_service_pb2.BeginRequest(
        request_id=str(uuid4()),
        document_id=str(uuid4()),
        pages=pages,
        renditions=renditions,
        document=upload_service_pb2.DocumentDeclaration(
            kind=document_pb2.DOCUMENT_KIND_RESULT,
            lane=document_pb2.LANE_NEW,
            dossier_code=f"000.00.16.H46-{now:%y%m%d}-{next(_DOSSIERS) % 10_000_000:07}",
            procedure_code="1.000894",
            result=upload_service_pb2.ResultDeclaration(
                type_code="KQ.G15.000031",
                owner_ids=[f"000{next(_OWNERS):09}"],
                number="1/QĐ-UBND",
                subject="Measurement",
            ),
        ),
    )


def committing(document_id: str, parts: Sequence[upload_service_pb2.SealedPart]) -> upload_service_pb2.CommitRequest:
    """Ask to seal a new document."""
    return upload_service_pb2.CommitRequest(request_id=str(uuid4()), document_id=document_id, version=1, parts=parts)


class Station:
    """One station over one connection; a document at a time."""

    def __init__(self, channel: grpc.aio.Channel, tally: Tally) -> None:
        """Speak over an open channel."""
        self._stub: upload_service_pb2_grpc.UploadServiceAsyncStub = upload_service_pb2_grpc.UploadServiceStub(channel)
        self._tally = tally

    async def stream_documents(self, pages: Sequence[Page], pages_each: int) -> None:
        """Bring documents of `pages_each` pages until the round is over; each acknowledged page counts."""
        supply = itertools.cycle(pages)
        while not self._tally.is_over():
            request = beginning(pages_each)
            begun = await self._stub.Begin(request)
            await self._stream(request.document_id, begun, itertools.islice(supply, pages_each))

    async def prepare(self, page_bytes: int) -> upload_service_pb2.CommitRequest:
        """Bring the one page of a document, so that nothing but Commit is left."""
        page, request = Page.made(page_bytes), beginning(1)
        begun = await self._stub.Begin(request)
        await self._stream(request.document_id, begun, iter([page]))
        return committing(request.document_id, [page.sealed(1)])

    async def commit(self, requests: Sequence[upload_service_pb2.CommitRequest]) -> None:
        """Seal documents until the round is over; each counts."""
        for request in requests:
            if self._tally.is_over():
                return
            began_at = self._tally.clock()
            await self._stub.Commit(request)
            self._tally.done(began_at)

    async def send_small(self, page_bytes: int, pages_each: int) -> None:
        """Bring small documents in one call each until the round is over; each sealed one counts."""
        while not self._tally.is_over():
            pages = [Page.made(page_bytes) for _ in range(pages_each)]
            began_at = self._tally.clock()
            await self._stub.UploadSmall(_small(pages))
            self._tally.done(began_at)
            self._tally.moved(page_bytes * pages_each)

    async def _stream(self, document_id: str, begun: upload_service_pb2.BeginResponse, pages: Iterator[Page]) -> None:
        """Send pages back to back, never more unacknowledged bytes than the server allows."""
        call = self._stub.UploadParts()
        window = _Window(begun.limits.unacknowledged_bytes)
        reader = asyncio.create_task(self._read(call, window))
        opening = upload_service_pb2.UploadOpen(document_id=document_id, version=begun.version)
        await call.write(upload_service_pb2.UploadPartsRequest(open=opening))
        for number, page in enumerate(pages, 1):
            if self._tally.is_over():
                break
            await window.room_for(page.size_bytes)
            window.sent(number, page.size_bytes, self._tally.clock())
            await call.write(upload_service_pb2.UploadPartsRequest(header=page.header(number)))
            for data in page.data:
                await call.write(upload_service_pb2.UploadPartsRequest(data=data))
        await call.done_writing()
        await reader

    async def _read(self, call: _UploadCall, window: "_Window") -> None:
        async for answer in call:
            if answer.progress.is_complete:
                began_at, size_bytes = window.acknowledged(answer.progress.key.number)
                self._tally.done(began_at)
                self._tally.moved(size_bytes)


class _Window:
    """What is on its way of one stream."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit_bytes = limit_bytes
        self._flying: dict[int, tuple[float, int]] = {}
        self._flying_bytes = 0
        self._moved = asyncio.Event()

    async def room_for(self, size_bytes: int) -> None:
        while self._flying and self._flying_bytes + size_bytes > self._limit_bytes:
            self._moved.clear()
            await self._moved.wait()

    def sent(self, number: int, size_bytes: int, now: float) -> None:
        self._flying[number] = (now, size_bytes)
        self._flying_bytes += size_bytes

    def acknowledged(self, number: int) -> tuple[float, int]:
        began_at, size_bytes = self._flying.pop(number)
        self._flying_bytes -= size_bytes
        self._moved.set()
        return began_at, size_bytes


async def _small(pages: Sequence[Page]) -> AsyncIterator[upload_service_pb2.UploadSmallRequest]:
    request = beginning(len(pages))
    yield upload_service_pb2.UploadSmallRequest(begin=request)
    for number, page in enumerate(pages, 1):
        yield upload_service_pb2.UploadSmallRequest(header=page.header(number))
        for data in page.data:
            yield upload_service_pb2.UploadSmallRequest(data=data)
    parts = [page.sealed(number) for number, page in enumerate(pages, 1)]
    yield upload_service_pb2.UploadSmallRequest(commit=committing(request.document_id, parts))
