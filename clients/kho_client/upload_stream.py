"""One upload stream: parts go out back to back, what is durable comes back, until all is or the link breaks."""

import asyncio
import contextlib
from collections.abc import Callable
from dataclasses import dataclass

from grpc import aio

from kho.v1 import upload_service_pb2, upload_service_pb2_grpc
from kho_client.errors import ServerUnreachable, Text
from kho_client.part_feed import PartFeed
from kho_client.parts import Part
from kho_client.stream_end import StreamEnd
from kho_client.upload_ledger import UploadLedger

Call = aio.StreamStreamCall[upload_service_pb2.UploadPartsRequest, upload_service_pb2.UploadPartsResponse]

# Limits of the protocol where a server states none.
_CHUNK_BYTES = 256 * 1024
_UNACKNOWLEDGED_BYTES = 4 * 1024 * 1024
_STALL_TIMEOUT_S = 45
# A message of data has some 40 bytes of frame around it; servers may count them.
_LARGEST_CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True, slots=True)
class StreamTimes:
    """Seconds: `acknowledgement_s` without any answer while bytes are in flight, then the link counts as broken;
    `idle_share` of the server's stall time-out without a page to send, then the stream is closed in good order.
    """

    acknowledgement_s: float = 60.0
    idle_share: float = 0.5


class UploadStream:
    """Sends what the ledger says is missing; opened once, run once."""

    def __init__(
        self,
        stub: "upload_service_pb2_grpc.UploadServiceAsyncStub",
        opening: upload_service_pb2.UploadOpen,
        *,
        limits: upload_service_pb2.UploadLimits,
        feed: PartFeed,
        ledger: UploadLedger,
        on_progress: Callable[[], None],
        times: StreamTimes,
    ) -> None:
        """Prepare a stream; nothing travels yet."""
        self._stub = stub
        self._opening = opening
        self._chunk_bytes = min(limits.chunk_bytes or _CHUNK_BYTES, _LARGEST_CHUNK_BYTES)
        self._window_bytes = limits.unacknowledged_bytes or _UNACKNOWLEDGED_BYTES
        self._idle_s = (limits.stall_timeout_s or _STALL_TIMEOUT_S) * times.idle_share
        self._times = times
        self._feed = feed
        self._ledger = ledger
        self._on_progress = on_progress
        self._moved = asyncio.Event()

    async def run(self) -> None:
        """Send until nothing more is at hand and all of it is durable.

        Raises AioRpcError when the server or the link ends it, ServerUnreachable when nobody answers, LocalProblem
        when a file cannot be read.
        """
        call = self._stub.UploadParts()
        end = StreamEnd(call)
        reader = asyncio.create_task(self._read(call))
        writer = asyncio.create_task(self._write(call))
        try:
            await asyncio.wait({reader, writer}, return_when=asyncio.FIRST_COMPLETED)
            if not reader.done():
                writer.result()  # a file that cannot be read ends the stream here and now
                await asyncio.wait({reader})
            reader.result()
        except aio.AioRpcError as error:
            raise await end.unmasked(error) from error
        finally:
            writer.cancel()
            reader.cancel()
            call.cancel()
            await asyncio.gather(reader, writer, return_exceptions=True)
            await end.close()

    async def _read(self, call: Call) -> None:
        while True:
            answer = asyncio.ensure_future(call.read())
            try:
                await self._patiently(answer)
            finally:
                if not answer.done():
                    answer.cancel()
                    with contextlib.suppress(asyncio.CancelledError, aio.AioRpcError):
                        await answer
            response = answer.result()
            if not isinstance(response, upload_service_pb2.UploadPartsResponse):
                return
            if self._ledger.acknowledged(response.progress):
                self._on_progress()
            self._moved.set()

    async def _patiently(self, answer: "asyncio.Future[object]") -> None:
        while True:
            await asyncio.wait({answer}, timeout=self._times.acknowledgement_s)
            if answer.done():
                return
            if self._ledger.unacknowledged_bytes:
                raise _silent()

    async def _write(self, call: Call) -> None:
        try:
            await call.write(upload_service_pb2.UploadPartsRequest(open=self._opening))
            await self._write_parts(call)
            await call.done_writing()
        except (aio.AioRpcError, asyncio.InvalidStateError):
            return  # the reader learns the reason

    async def _write_parts(self, call: Call) -> None:
        index = 0
        while await self._is_at_hand(index):
            part = await self._feed.part(index)
            if part is None:
                return
            index += 1
            if self._ledger.is_complete(part.name):
                self._ledger.skips_whole(part.name, part.content.size_bytes)
                continue
            if part.copies:
                await self._until_pages_are_complete(part)
            await call.write(upload_service_pb2.UploadPartsRequest(header=part.header()))
            async for data in part.data(self._ledger.begins(part.name), self._chunk_bytes):
                await self._window(len(data.data))
                is_copy = data.WhichOneof("source") == "copy"
                length = data.copy.length if is_copy else len(data.data)
                self._ledger.sends(part.name, data.offset, length, is_copy=is_copy)
                await call.write(upload_service_pb2.UploadPartsRequest(data=data))

    async def _is_at_hand(self, index: int) -> bool:
        """Wait for a page as long as the server bears silence; else let the stream end in good order."""
        if self._feed.has(index):
            return True
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._feed.ready(index), self._idle_s)
        return self._feed.has(index)

    async def _window(self, length: int) -> None:
        while self._ledger.unacknowledged_bytes and (self._ledger.unacknowledged_bytes + length > self._window_bytes):
            await self._something_moves()

    async def _until_pages_are_complete(self, part: Part) -> None:
        known = {other.name.number: other.name for other in self._feed.known if not other.copies}
        needed = {known[copy.page_number] for copy in part.copies if copy.page_number in known}
        while not self._ledger.are_complete(needed):
            await self._something_moves()

    async def _something_moves(self) -> None:
        self._moved.clear()
        await self._moved.wait()


def _silent() -> ServerUnreachable:
    text = Text(
        "Máy chủ không xác nhận dữ liệu đã gửi; đường truyền có lẽ đã đứt.",
        "The server does not acknowledge what was sent; the link is probably broken.",
    )
    return ServerUnreachable("UNAVAILABLE", "LINK_SILENT", text, retryable=True)
