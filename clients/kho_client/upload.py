"""Brings a document, an added rendition or a correction to the server, over links that break.

Begin tells what is persisted; a stream sends the rest; after a break both happen again, and no acknowledged byte
travels twice; Commit seals, repeated with the same request id until it is answered.
"""

from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from grpc import aio

from kho.v1 import upload_service_pb2, upload_service_pb2_grpc
from kho_client.calls import Calls, new_request_id
from kho_client.errors import KhoError, ServerUnreachable, Text
from kho_client.part_feed import PartFeed, require_count
from kho_client.parts import FileContent, Part, PartName, page, page_part, rendition
from kho_client.recipe_plan import signed_part
from kho_client.retry import Patience, Retry
from kho_client.upload_ledger import UploadLedger
from kho_client.upload_stream import StreamTimes, UploadStream

PageSource = Sequence[Path | bytes] | AsyncIterator[Path | bytes]
Opening = Callable[[str], Awaitable[upload_service_pb2.BeginResponse]]
SignedSource = Path | Callable[[upload_service_pb2.BeginResponse], Awaitable[Path]]
"""A signed file, or what makes it once all pages are there: it is told the result code the paper must bear."""

# Refusals after which the server still asks for the same bytes: a link that damages them, a page of which an
# earlier run sent other bytes, a spool that holds less than it said.
_REPAIRABLE = frozenset({"CHECKSUM_MISMATCH", "DIGEST_MISMATCH", "OFFSET_GAP", "UPLOAD_NOT_OPEN"})
_REPAIRS = 3
# Two stations with one document would otherwise push each other out for ever.
_SUPERSEDED = 2


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How far an upload is; bytes of all parts known so far, `attempts` counts streams."""

    parts_declared: int
    parts_complete: int
    bytes_known: int
    bytes_acknowledged: int
    bytes_sent: int
    bytes_skipped: int
    attempts: int


@dataclass(frozen=True, slots=True)
class UploadOutcome:
    """A sealed document; counts as UploadLedger explains them."""

    commit: upload_service_pb2.CommitResponse
    pages: int
    bytes_sent: int
    bytes_skipped: int
    bytes_resent: int
    attempts: int


@dataclass(frozen=True, slots=True)
class UploadPlan:
    """What is to be sealed: `pages` page sources, then renditions from `first_rendition` on.

    `copy_pages` are pages that the server holds already and a rendition may point to.
    """

    document_id: str
    officer_id: str
    page_count: int
    pages: PageSource = ()
    signed: Sequence[SignedSource] = ()
    first_rendition: int = 1
    copy_pages: Sequence[Part] = ()
    on_progress: Callable[[UploadProgress], None] = field(default=lambda progress: None)


class Upload:
    """One upload from Begin to Commit; use once."""

    def __init__(
        self,
        calls: Calls,
        plan: UploadPlan,
        opening: Opening,
        *,
        patience: Patience | None = None,
        times: StreamTimes | None = None,
    ) -> None:
        """`opening` is Begin, AddRendition or CorrectDocument, given a fresh request id."""
        self._calls = calls
        self._plan = plan
        self._opening = opening
        self._stub = upload_service_pb2_grpc.UploadServiceStub(calls.channel)
        self._retry: Retry = calls.retry(patience or Patience())
        self._times = times or StreamTimes()
        self._feed = PartFeed(self._parts())
        self._opened = upload_service_pb2.BeginResponse()
        self._has_contact = False
        self._repairs = _REPAIRS
        self._superseded = _SUPERSEDED
        self.ledger = UploadLedger()

    async def run(self) -> UploadOutcome:
        """Do it; KhoError when the server refuses, a file cannot be read, or patience is over."""
        try:
            while not await self._attempt():
                pass
            parts = await self._feed.rest()
            require_count(parts, self._declared())
            commit = await self._commit(parts)
        finally:
            await self._feed.close()
        ledger = self.ledger
        return UploadOutcome(
            commit,
            self._plan.page_count,
            ledger.bytes_sent,
            ledger.bytes_skipped,
            ledger.bytes_resent,
            self._retry.attempts,
        )

    async def _attempt(self) -> bool:
        """Open, stream, and tell whether all is durable; a failure that may pass is waited out."""
        try:
            await self._open()
            if self._opened.is_sealed:
                for part in await self._feed.rest():
                    self.ledger.skips_whole(part.name, part.content.size_bytes)
                return True
            opening = upload_service_pb2.UploadOpen(document_id=self._plan.document_id, version=self._opened.version)
            stream = UploadStream(
                self._stub,
                opening,
                limits=self._opened.limits,
                feed=self._feed,
                ledger=self.ledger,
                on_progress=self._progressed,
                times=self._times,
            )
            await stream.run()
        except aio.AioRpcError as error:
            await self._wait_after(await self._calls.understood(error))
            return False
        except KhoError as error:
            await self._wait_after(error)
            return False
        return await self._is_whole()

    async def _is_whole(self) -> bool:
        known = self._feed.known
        if not self.ledger.are_complete(part.name for part in known):
            await self._retry.wait_after(_ended_early())
            return False
        # The stream ended in good order while the scanner was still busy: wait here, without a connection.
        await self._feed.ready(len(known))
        return await self._feed.part(len(known)) is None

    async def _open(self) -> None:
        request_id = new_request_id()
        self._opened = await self._calls.repeated(lambda: self._opening(request_id), self._retry)
        self.ledger.reopened(self._opened.parts)
        if not self._has_contact:
            # Later answers to Begin are no progress: a stream that always fails must end some day.
            self._has_contact = True
            self._retry.progress()
        self._report()

    async def _wait_after(self, error: KhoError) -> None:
        if error.reason == "UPLOAD_SUPERSEDED":
            self._superseded -= 1
            if self._superseded < 0:
                raise error
        elif error.reason in _REPAIRABLE and self._repairs:
            self._repairs -= 1
            return
        await self._retry.wait_after(error)

    async def _commit(self, parts: Sequence[Part]) -> upload_service_pb2.CommitResponse:
        request = upload_service_pb2.CommitRequest(
            request_id=new_request_id(),
            officer_id=self._plan.officer_id,
            document_id=self._plan.document_id,
            version=self._opened.version,
            parts=[part.sealed() for part in parts],
        )
        return await self._calls.unary(self._stub.Commit, request, timeout_s=60, retry=self._retry)

    async def _parts(self) -> AsyncIterator[Part]:
        pages: list[Part] = []
        async for source in _in_order(self._plan.pages):
            part = await page_part(len(pages) + 1, source)
            pages.append(part)
            yield part
        for number, signed in enumerate(self._plan.signed, self._plan.first_rendition):
            path = signed if isinstance(signed, Path) else await signed(self._opened)
            content = await FileContent.of(path)
            yield await signed_part(rendition(number), content, pages or self._plan.copy_pages)

    def _declared(self) -> set[PartName]:
        first = self._plan.first_rendition
        pages = {page(number) for number in range(1, self._plan.page_count + 1)}
        return pages | {rendition(number) for number in range(first, first + len(self._plan.signed))}

    def _progressed(self) -> None:
        self._retry.progress()
        self._report()

    def _report(self) -> None:
        ledger = self.ledger
        progress = UploadProgress(
            parts_declared=self._plan.page_count + len(self._plan.signed),
            parts_complete=ledger.complete_parts,
            bytes_known=sum(part.content.size_bytes for part in self._feed.known),
            bytes_acknowledged=ledger.acknowledged_bytes,
            bytes_sent=ledger.bytes_sent,
            bytes_skipped=ledger.bytes_skipped,
            attempts=self._retry.attempts,
        )
        self._plan.on_progress(progress)


async def _in_order(pages: PageSource) -> AsyncIterator[Path | bytes]:
    if isinstance(pages, Sequence):
        for source in pages:
            yield source
        return
    async for source in pages:
        yield source


def _ended_early() -> ServerUnreachable:
    text = Text(
        "Máy chủ đóng kết nối trước khi xác nhận hết dữ liệu.",
        "The server closed the stream before it acknowledged everything.",
    )
    return ServerUnreachable("UNAVAILABLE", "STREAM_ENDED_EARLY", text, retryable=True)
