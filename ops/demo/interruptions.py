"""What goes wrong on purpose while the desks work: one cable is pulled inside a page, and the server is killed."""

import asyncio
from collections.abc import Mapping, Sequence

from kho_client.kho import KhoClient
from ops.demo.desk import OneStopDesk, Stored
from ops.demo.link import Link
from ops.demo.server_process import Addresses, ServerProcess
from ops.demo.steps import Step, StepBook, expect
from ops.demo.upload_watch import UploadWatch
from ops.demo.workload import Desk, Task, Trial

_CUT_AFTER_BYTES = 150_000  # two messages of 64 KiB and a bit: inside a colour page, which has 200,000 bytes or more
_CUTS = 5  # a cut may fall between two pages; then it is done again


class Interruptions:
    """Hears how uploads go and strikes at the right moment."""

    def __init__(self, book: StepBook, server: ServerProcess, at: Addresses, link: Link) -> None:
        """Strike this server and this link; set `desks` before anyone works."""
        self.desks: Sequence[OneStopDesk] = ()
        self._book = book
        self._server = server
        self._at = at
        self._link = link
        self._killed = asyncio.Event()
        self._armed_for = 0
        self._open: list[tuple[UploadWatch, int]] = []
        self._held_bytes = 0
        self._cut: UploadWatch | None = None

    def hears(self, task: Task, watch: UploadWatch) -> None:
        """Take a report of an upload."""
        if task.trial is Trial.LINK_IS_CUT and watch.complete_parts >= 1:
            self._cut_inside_a_page(task, watch)
        if task.trial is Trial.SERVER_IS_KILLED and watch.complete_parts >= max(1, task.sheets // 2):
            self._kill()

    def _cut_inside_a_page(self, task: Task, watch: UploadWatch) -> None:
        self._cut = watch
        is_done = any(place.offset and place.page <= task.sheets for place in watch.resumed_at)
        # Armed again only after the last cut has come about, and while pages are left to cut.
        if not is_done and self._link.cuts == self._armed_for < _CUTS and watch.complete_parts < task.sheets - 1:
            self._armed_for += 1
            self._link.cut_after(_CUT_AFTER_BYTES)

    def _kill(self) -> None:
        if not self._killed.is_set():
            self._killed.set()
            self._server.kill()
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
            f"{len(resumed)} lượt gửi tự tiếp tục, không mất gì đã báo nhận",
            f"{len(resumed)} uploads went on by themselves, nothing acknowledged lost",
        )

    def _conclude_link(self) -> None:
        with self._book.run(Step.LINK) as row:
            expect(self._cut is not None and self._link.cuts > 0, "the link was never cut")
            assert self._cut is not None
            places = [place for place in self._cut.resumed_at if place.offset]
            expect(bool(places), "no cut fell inside a page")
            row.add(self._link.cuts)
        where = places[0]
        self._book.finish(
            Step.LINK,
            f"gửi tiếp từ trang {where.page}, byte {where.offset:,}",
            f"went on at page {where.page}, byte {where.offset:,}; nothing acknowledged sent again",
        )


def _size_of(document: Stored) -> int:
    return document.watch.acknowledged_bytes
