"""Any client whatever: what was acknowledged stays, what is complete is right, memory is bounded."""

import asyncio
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any

import google_crc32c
import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from kho_server.archive.refusals import Reason, Refusal
from kho_server.rules.media_type import MediaType
from kho_storage.digest import Digest
from kho_storage.parts import PartId
from tests.server.archive.upload_sessions import (
    DECLARED,
    KINDS,
    LIMITS,
    PAGE_1,
    PAGE_2,
    RENDITION,
    UPLOAD,
    Stream,
    open_stream,
    opened_spool,
    persisted,
)

_HEAD = b"\xff\xd8\xff\xe0"
# Two contents for each part, of different lengths: clients change their minds, and some are wrong.
_CONTENTS = {
    part: (_HEAD + bytes([index]) * 700, _HEAD + bytes([index + 100]) * 1500)
    for index, part in enumerate((PAGE_1, PAGE_2, RENDITION), start=1)
}
_PARTS = st.sampled_from(sorted(_CONTENTS, key=str))


class UploadMachine(RuleBasedStateMachine):
    """Streams that open, stall, break and are superseded, over one spool."""

    kind: str

    def __init__(self) -> None:
        """Begin with an empty spool."""
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.spool = self.run(self.stack.enter_async_context(opened_spool(self.kind)))
        self.stream: Stream | None = None
        self.stalled: list[Stream] = []
        self.current: tuple[PartId, bytes] | None = None
        self.acknowledged: dict[PartId, int] = {}
        self.named: dict[PartId, set[int]] = {}
        self.complete: dict[PartId, Digest] = {}

    def run(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Run something to its end."""
        return self.runner.run(work)

    def note(self, stream: Stream) -> None:
        """Take up what a client was told."""
        for news in stream.news:
            if news.digest is not None:
                self.complete[news.part] = news.digest
            self.acknowledged[news.part] = max(news.persisted_bytes, self.acknowledged.get(news.part, 0))
        stream.news.clear()

    def attempt(self, work: Coroutine[Any, Any, None]) -> Reason | None:
        """Do something that may be refused; a refusal ends the stream, as it does on the wire."""
        stream = self.stream
        assert stream is not None
        try:
            self.run(work)
        except Refusal as refusal:
            self.run(stream.close())
            self.note(stream)
            self.stream = self.current = None
            if refusal.reason is Reason.DIGEST_MISMATCH:
                # The named part is empty again: nobody may build on bytes that belong to nothing.
                name = refusal.facts["part"]
                for part in _CONTENTS:
                    if f"{part.kind.value} {part.number}" == name:
                        self.acknowledged.pop(part, None)
            return refusal.reason
        self.note(stream)
        return None

    @precondition(lambda self: self.stream is None or len(self.stalled) < 3)
    @rule()
    def open(self) -> None:
        """Open a stream; an older one is left as it is, superseded."""
        if self.stream is not None:
            self.stream.session.supersede()
            self.stalled.append(self.stream)
        self.stream = self.run(open_stream(self.spool))
        self.current = None

    @precondition(lambda self: self.stream is not None)
    @rule(part=_PARTS, which=st.integers(0, 1))
    def header(self, part: PartId, which: int) -> None:
        """Begin a part."""
        content = _CONTENTS[part][which]
        assert self.stream is not None
        self.current = (part, content)
        reason = self.attempt(self.stream.session.begin_part(part, Digest.of(content), MediaType.JPEG))
        # Asked after the attempt: what the header before had brought of this part is acknowledged within it.
        stream = self.stream
        for _ in range(3 if stream is not None else 0):
            self.run(asyncio.sleep(0))  # lets the reader of the stream take up that acknowledgement
            assert stream is not None
            self.note(stream)
        self.named.setdefault(part, set()).add(which)
        assert reason in (None, Reason.PART_TWICE, Reason.DIGEST_MISMATCH)

    @precondition(lambda self: self.current is not None)
    @rule(at=st.sampled_from([-300, -10, 0, 0, 0, 0, 7]), length=st.integers(0, 256), times=st.integers(1, 5))
    def data(self, at: int, length: int, times: int) -> None:
        """Send some messages that begin before, at or behind what is here."""
        for _ in range(times):
            if self.stream is None or self.current is None:
                return
            _, content = self.current
            receiving = self.stream.session._current
            here = receiving.received_bytes if receiving is not None else len(content)
            offset = max(0, here + at)
            piece = content[offset : offset + length]
            reason = self.attempt(self.stream.session.data(offset, piece, google_crc32c.value(piece)))
            if reason is Reason.OFFSET_GAP:
                assert at > 0
            else:
                assert reason in (None, Reason.SIZE_MISMATCH, Reason.DIGEST_MISMATCH)

    @precondition(lambda self: self.current is not None)
    @rule(page=st.integers(1, 3), offset=st.integers(0, 300), length=st.integers(1, 600))
    def copy(self, page: int, offset: int, length: int) -> None:
        """Take bytes of a page."""
        assert self.stream is not None
        receiving = self.stream.session._current
        here = receiving.received_bytes if receiving is not None else 0
        reason = self.attempt(self.stream.session.copy(here, page, offset, length))
        allowed = {Reason.COPY_SOURCE_MISSING, Reason.SIZE_MISMATCH, Reason.DIGEST_MISMATCH, Reason.MEDIA_TYPE_MISMATCH}
        assert reason is None or reason in allowed

    @precondition(lambda self: self.stream is not None)
    @rule()
    def tick(self) -> None:
        """Let a second pass."""
        assert self.stream is not None
        reason = self.attempt(self.stream.session.tick())
        assert reason in (None, Reason.MEDIA_TYPE_MISMATCH)

    @precondition(lambda self: self.stream is not None)
    @rule(in_order=st.booleans())
    def end(self, in_order: bool) -> None:
        """End the stream in order, or break it."""
        stream = self.stream
        assert stream is not None
        if in_order:
            self.attempt(stream.session.finish())
        if self.stream is not None:
            self.run(stream.close())
            self.note(stream)
            if isinstance(stream.failure, Refusal) and stream.failure.reason is Reason.DIGEST_MISMATCH:
                self.acknowledged = {part: self.acknowledged[part] for part in self.complete}
        self.stream = self.current = None

    @precondition(lambda self: self.stalled)
    @rule()
    def old_stream_wakes(self) -> None:
        """A superseded stream goes on: it is told so, and disturbs nobody."""
        stream = self.stalled.pop(0)
        with pytest.raises(Refusal) as caught:
            self.run(stream.session.data(0, _HEAD, google_crc32c.value(_HEAD)))
        # It may have ended for a reason of its own before.
        assert caught.value.reason in (Reason.UPLOAD_SUPERSEDED, Reason.DIGEST_MISMATCH)
        self.run(stream.close())
        self.note(stream)

    @invariant()
    def what_was_acknowledged_is_there(self) -> None:
        """The promise of the protocol, at any moment."""
        held = self.run(persisted(self.spool))
        for part, digest in self.complete.items():
            assert held[part] == (digest.size_bytes, True)
            source = self.run(self.spool.source(UPLOAD, part))
            assert Digest.of(self.run(_bytes_of(source))) == digest
        if not any(stream.session._sealing for stream in (*self.stalled, *([self.stream] if self.stream else []))):
            # Of a part that was begun with two contents nothing partial is promised: it hashes to neither.
            kept = {part: length for part, length in self.acknowledged.items() if len(self.named[part]) == 1}
            for part, length in kept.items():
                is_failing = self.stream is not None and self.stream.session._failure is not None
                assert held.get(part, (0, False))[0] >= length or is_failing

    @invariant()
    def memory_is_bounded(self) -> None:
        """Whatever was sent."""
        if self.stream is not None:
            assert self.stream.session._not_durable() <= LIMITS.unacknowledged_bytes + LIMITS.chunk_bytes
            assert len(self.stream.session._progress._news) <= len(DECLARED)

    def teardown(self) -> None:
        """End what is open; nothing may be left under way."""
        for stream in (*self.stalled, *([self.stream] if self.stream else [])):
            self.run(stream.close())
        self.run(self.stack.aclose())
        self.runner.close()


async def _bytes_of(source: Any) -> bytes:
    return b"".join([piece async for piece in source.read()])


@pytest.mark.parametrize("kind", KINDS)
def test_upload_model(kind: str) -> None:
    machine = type("Machine", (UploadMachine,), {"kind": kind})
    run_state_machine_as_test(
        machine,
        settings=settings(
            max_examples=150 if kind == "memory" else 60,
            stateful_step_count=30,
            deadline=None,
            suppress_health_check=list(HealthCheck),
            print_blob=True,
        ),
    )
