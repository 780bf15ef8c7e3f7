"""What goes wrong on purpose while the desks work: one cable is pulled inside a page, and the server is killed."""

import asyncio
import time
from collections.abc import Mapping, Sequence

from kho_client.kho import KhoClient
from ops.demo.desk import OneStopDesk, Stored
from ops.demo.link import Link
from ops.demo.screen import Screen
from ops.demo.server_process import Addresses, ServerProcess
from ops.demo.steps import Expected, Step, StepBook, expect
from ops.demo.upload_watch import Place, UploadWatch
from ops.demo.workload import Desk, Task, Trial

# Two messages of 64 KiB and a bit: inside a colour page, which has 200,000 bytes or more. It may fall between two
# pages all the same; then it is done again.
_CUT_AFTER_BYTES = 150_000


class Interruptions:
    """Hears how uploads go and strikes at the right moment."""

    def __init__(self, book: StepBook, screen: Screen, server: ServerProcess, at: Addresses, link: Link) -> None:
        """Strike this server and this link; set `desks` before anyone works."""
        self.desks: Sequence[OneStopDesk] = ()
        self._book = book
        self._screen = screen
        self._server = server
        self._at = at
        self._link = link
        self._killed = asyncio.Event()
        self._armed = 0
        self._armed_at_part = 0
        self._open: list[tuple[UploadWatch, int]] = []
        self._held_bytes = 0
        self._resumed: Place | None = None
        self._resumed_after_s = 0.0

    def hears(self, task: Task, watch: UploadWatch) -> None:
        """Take a report of an upload."""
        if task.desk is Desk.COMMUNE and self._resumed is None:
            self._cut_inside_a_page(task, watch)
        if task.trial is Trial.SERVER_IS_KILLED and watch.complete_parts >= max(1, task.sheets // 2):
            self._kill()

    def _cut_inside_a_page(self, task: Task, watch: UploadWatch) -> None:
        inside = [place for place in watch.resumed_at if place.offset and place.page <= task.sheets]
        if self._link.cuts and inside:
            self._resumed, self._resumed_after_s = inside[-1], time.monotonic() - self._link.cut_at
            at = f"{inside[-1].page}, byte {inside[-1].offset:,}"
            self._screen.say(f"Đứt mạng! Gửi tiếp từ trang {at}", f"link cut, goes on at page {at}", "yellow")
        # Armed again only after the last cut has come about and another page has gone through.
        elif (
            task.trial is Trial.LINK_IS_CUT
            and self._armed_at_part < watch.complete_parts < task.sheets
            and self._link.cuts == self._armed
        ):
            self._armed += 1
            self._armed_at_part = watch.complete_parts
            self._link.cut_after(_CUT_AFTER_BYTES)

    def _kill(self) -> None:
        if not self._killed.is_set():
            self._killed.set()
            self._server.kill()
            self._screen.say("Máy chủ bị kill -9!", "the server is killed while pages come in", "yellow")
            watches = [watch for desk in self.desks for watch in desk.open_uploads]
            self._open = [(watch, len(watch.resumed_at)) for watch in watches]

    async def rescue(self, clients: Mapping[Desk, KhoClient]) -> None:
        """Wait until the server was killed, start it over the same data and address, and look for what was sealed."""
        await self._killed.wait()
        sealed: list[Stored] = [document for desk in self.desks for document in desk.stored]
        with self._book.run(Step.KILL) as row:
            await self._server.is_dead()
            self._held_bytes = sum(watch.acknowledged_bytes for watch, _ in self._open)
            await self._server.start(self._at.grpc, self._at.ops)
            self._screen.say("Máy chủ chạy lại trên dữ liệu cũ", "restarted over the same data", "yellow")
            for document in sealed:
                found = await clients[document.task.desk].get_document(document.document_id)
                expect(
                    found.versions[-1].manifest_digest == document.manifest_digest,
                    "a document that was sealed before the server died is another one now",
                )
            row.add(1, self._held_bytes + sum(_size_of(document) for document in sealed))

    def conclude(self) -> None:
        """Say what the interruptions came to, once all uploads are over."""
        self._conclude_link()
        with self._book.run(Step.KILL):
            resumed = [watch for watch, before in self._open if len(watch.resumed_at) > before]
            expect(bool(resumed), "the server was killed, but no upload noticed")
        self._book.finish(
            Step.KILL,
            f"{len(resumed)} lượt gửi tự đi tiếp, không mất gì",
            f"{len(resumed)} uploads went on; no acknowledged byte lost",
        )

    def _conclude_link(self) -> None:
        with self._book.run(Step.LINK) as row:
            where = self._resumed
            if where is None:
                raise Expected(f"none of {self._link.cuts} cuts fell inside a page")
            row.add(self._link.cuts)
        row.seconds = self._resumed_after_s
        self._book.finish(
            Step.LINK,
            f"gửi tiếp từ trang {where.page}, byte {where.offset:,}",
            "went on there, from what was acknowledged",
        )


def _size_of(document: Stored) -> int:
    return document.watch.acknowledged_bytes
