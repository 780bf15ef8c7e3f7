"""One stream of parts: what is refused, what is kept, what is bounded."""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from dataclasses import replace
from typing import Any

import google_crc32c
import pytest

from kho_server.archive.refusals import Reason
from kho_server.rules.media_type import MediaType
from kho_storage.blobs.memory import MemoryBlobStore, MemoryPartWriter, MemoryUploadSpool
from kho_storage.digest import Digest
from kho_storage.errors import BlobCorrupt, StorageFull
from kho_storage.parts import BlobSource, PartId, PartKind
from kho_storage.ports import UploadSpool
from tests.server.archive.archive_house import CountingObserver
from tests.server.archive.refused import refused
from tests.server.archive.upload_sessions import (
    DECLARED,
    KINDS,
    LIMITS,
    PAGE_1,
    PAGE_2,
    PAGE_3,
    RENDITION,
    UPLOAD,
    Stream,
    no_tasks_left,
    open_stream,
    opened_spool,
    persisted,
)

HEAD = b"\xff\xd8\xff\xe0"
CONTENT = HEAD + bytes(range(256)) * 12
OTHER = HEAD + bytes(reversed(range(256))) * 12


@pytest.fixture(params=KINDS)
async def spool(request: pytest.FixtureRequest) -> AsyncIterator[UploadSpool]:
    """Give a spool of each kind."""
    async with opened_spool(request.param) as opened:
        yield opened
        await no_tasks_left()


async def data(stream: Stream, offset: int, piece: bytes) -> None:
    """Send one message with its checksum."""
    await stream.session.data(offset, piece, google_crc32c.value(piece))


async def test_parts_back_to_back(spool: UploadSpool) -> None:
    stream = await open_stream(spool)
    for part in (PAGE_1, PAGE_2, PAGE_3):
        await stream.send(part, CONTENT)
    await stream.finish()
    assert stream.complete == {PAGE_1, PAGE_2, PAGE_3}
    assert set(await persisted(spool)) == stream.complete


@pytest.mark.parametrize(
    ("part", "content", "reason"),
    [
        (PartId(PartKind.PAGE, 4), CONTENT, Reason.PART_NOT_DECLARED),
        (PAGE_1, b"", Reason.PART_EMPTY),
        (PAGE_1, HEAD + bytes(LIMITS.page_bytes), Reason.PART_TOO_LARGE),
        (RENDITION, HEAD + bytes(LIMITS.rendition_bytes), Reason.PART_TOO_LARGE),
        (PAGE_1, b"%PDF-1.7 and no JPEG", Reason.MEDIA_TYPE_MISMATCH),
        (PAGE_1, b"GIF89a", Reason.MEDIA_TYPE_MISMATCH),
    ],
)
async def test_parts_that_are_refused(spool: UploadSpool, part: PartId, content: bytes, reason: Reason) -> None:
    stream = await open_stream(spool)
    with refused(reason):
        await stream.send(part, content)
        await stream.session.finish()
    await stream.close()
    assert await persisted(spool) == {}


async def test_messages_that_are_refused(spool: UploadSpool) -> None:
    stream = await open_stream(spool)
    with refused(Reason.STREAM_OUT_OF_ORDER):
        await data(stream, 0, CONTENT[:10])
    await stream.session.begin_part(PAGE_1, Digest.of(CONTENT), MediaType.JPEG)
    with refused(Reason.CHUNK_TOO_LARGE):
        await data(stream, 0, CONTENT[: LIMITS.chunk_bytes + 1])
    with refused(Reason.CHECKSUM_MISMATCH):
        await stream.session.data(0, CONTENT[:10], 0)
    await data(stream, 0, CONTENT[:100])
    with refused(Reason.OFFSET_GAP, persisted_bytes=0):
        await data(stream, 101, CONTENT[101:200])
    with refused(Reason.OFFSET_GAP):
        await data(stream, -1, b"x")
    await stream.session.tick()
    with refused(Reason.OFFSET_GAP, persisted_bytes=100):
        await data(stream, 101, CONTENT[101:200])
    with refused(Reason.SIZE_MISMATCH):
        for offset in range(0, len(CONTENT), 256):
            await data(stream, offset, (CONTENT + bytes(256))[offset : offset + 256])
    await stream.close()


async def test_bytes_after_the_end_of_a_part_are_refused(spool: UploadSpool) -> None:
    stream = await open_stream(spool)
    await stream.send(PAGE_1, CONTENT)
    with refused(Reason.SIZE_MISMATCH):
        await data(stream, len(CONTENT), b"x")
    await stream.close()


async def test_a_wrong_digest_empties_the_part_and_ends_the_stream(spool: UploadSpool) -> None:
    stream = await open_stream(spool)
    await stream.session.begin_part(PAGE_1, replace(Digest.of(CONTENT), sha256="0" * 64), MediaType.JPEG)
    with refused(Reason.DIGEST_MISMATCH):
        for offset in range(0, len(CONTENT), 256):
            await data(stream, offset, CONTENT[offset : offset + 256])
        await stream.session.finish()
    await stream.close()
    assert getattr(stream.failure, "reason", None) is Reason.DIGEST_MISMATCH
    assert await persisted(spool) == {}
    again = await open_stream(spool)
    await again.send(PAGE_1, CONTENT)
    await again.finish()
    assert again.complete == {PAGE_1}


async def test_a_partial_part_survives_and_nothing_is_written_twice(spool: UploadSpool) -> None:
    stream = await open_stream(spool)
    await stream.send(PAGE_1, CONTENT, 0, 1000)
    await stream.close()
    assert await persisted(spool) == {PAGE_1: (1000, False)}
    observer = CountingObserver()
    again = await open_stream(spool, observer=observer)
    await again.send(PAGE_1, CONTENT, 300)
    await again.finish()
    assert observer.resumed == 1
    assert again.complete == {PAGE_1}


async def test_what_is_complete_is_drained_and_acknowledged_again(spool: UploadSpool) -> None:
    for _ in range(2):
        stream = await open_stream(spool)
        await stream.send(PAGE_1, CONTENT)
        await stream.send(PAGE_1, CONTENT)
        await stream.finish()
        assert stream.complete == {PAGE_1}
    stream = await open_stream(spool)
    with refused(Reason.PART_TWICE):
        await stream.send(PAGE_1, OTHER)
    await stream.close()


async def test_a_shorter_content_begins_anew(spool: UploadSpool) -> None:
    stream = await open_stream(spool)
    await stream.send(PAGE_1, CONTENT, 0, 2000)
    await stream.send(PAGE_1, OTHER[:1000])
    await stream.finish()
    assert stream.complete == {PAGE_1}
    assert await persisted(spool) == {PAGE_1: (1000, True)}


async def test_another_content_of_the_same_size_is_found_out(spool: UploadSpool) -> None:
    stream = await open_stream(spool)
    await stream.send(PAGE_1, CONTENT, 0, 1000)
    await stream.send(PAGE_2, CONTENT)
    with refused(Reason.DIGEST_MISMATCH):
        await stream.send(PAGE_1, OTHER, 1000)
        await stream.session.finish()
    await stream.close()
    assert await persisted(spool) == {PAGE_2: (len(CONTENT), True)}


async def test_the_newest_stream_wins(spool: UploadSpool) -> None:
    old = await open_stream(spool)
    await old.send(PAGE_1, CONTENT, 0, 1000)
    new = await open_stream(spool)
    old.session.supersede()
    with refused(Reason.UPLOAD_SUPERSEDED):
        await data(old, 1000, CONTENT[1000:1100])
    await new.send(PAGE_1, CONTENT, 0)
    await old.close()
    await new.send(PAGE_2, CONTENT)
    await new.finish()
    assert getattr(old.failure, "reason", None) is Reason.UPLOAD_SUPERSEDED
    assert new.complete == {PAGE_1, PAGE_2}


async def test_a_part_that_the_older_stream_completed_meanwhile(spool: UploadSpool) -> None:
    old = await open_stream(spool)
    new = await open_stream(spool)
    await old.send(PAGE_1, CONTENT)
    await old.finish()
    await new.send(PAGE_1, CONTENT)
    await new.session.begin_part(RENDITION, Digest.of(CONTENT), MediaType.JPEG)
    await new.session.copy(0, 1, 0, len(CONTENT))
    await new.finish()
    assert new.complete == {PAGE_1, RENDITION}


async def test_a_recipe_of_pages(spool: UploadSpool) -> None:
    recipe = HEAD + b"bytes of its own" + CONTENT[4:] + OTHER[100:2000]
    observer = CountingObserver()
    stream = await open_stream(spool, observer=observer)
    await stream.send(PAGE_1, CONTENT)
    await stream.send(PAGE_2, OTHER)
    await stream.session.begin_part(RENDITION, Digest.of(recipe), MediaType.JPEG)
    await data(stream, 0, recipe[:20])
    await stream.session.copy(20, 1, 4, len(CONTENT) - 4)
    # Sent once more from an earlier offset: what is here is skipped.
    await stream.session.copy(20, 1, 4, len(CONTENT) - 4)
    await stream.session.copy(20 + len(CONTENT) - 4, 2, 100, 1900)
    await stream.finish()
    assert RENDITION in stream.complete
    assert observer.copied == len(recipe) - 20


async def test_a_recipe_of_pages_of_the_version_before(spool: UploadSpool) -> None:
    async def read() -> AsyncIterator[bytes]:
        yield CONTENT

    blobs = MemoryBlobStore()
    await blobs.put([BlobSource(Digest.of(CONTENT), read)])
    stream = await open_stream(spool, blobs=blobs, base_pages={PAGE_1: Digest.of(CONTENT)})
    await stream.session.begin_part(RENDITION, Digest.of(CONTENT), MediaType.JPEG)
    await stream.session.copy(0, 1, 0, 1000)
    await stream.session.copy(1000, 1, 1000, len(CONTENT) - 1000)
    await stream.finish()
    assert stream.complete == {RENDITION}


@pytest.mark.parametrize(
    ("page", "offset", "length", "reason"),
    [
        (2, 0, 10, Reason.COPY_SOURCE_MISSING),
        (3, 0, 10, Reason.COPY_SOURCE_MISSING),
        (1, 10, len(CONTENT), Reason.COPY_SOURCE_MISSING),
        (1, -1, 10, Reason.FIELD_MALFORMED),
        (1, 0, 0, Reason.FIELD_MALFORMED),
        (0, 0, 10, Reason.FIELD_MALFORMED),
        (4_000_000_000, 0, 10, Reason.FIELD_MALFORMED),
        (1, 2**62, 2**62, Reason.COPY_SOURCE_MISSING),
    ],
)
async def test_copies_that_are_refused(spool: UploadSpool, page: int, offset: int, length: int, reason: Reason) -> None:
    stream = await open_stream(spool)
    await stream.send(PAGE_1, CONTENT)
    await stream.send(PAGE_2, CONTENT, 0, 1000)
    await stream.session.begin_part(RENDITION, Digest("0" * 64, len(CONTENT) * 2), MediaType.JPEG)
    with refused(reason):
        await stream.session.copy(0, page, offset, length)
    await stream.close()


async def test_what_is_not_durable_yet_is_bounded(spool: UploadSpool) -> None:
    stream = await open_stream(spool)
    for part in (PAGE_1, PAGE_2, PAGE_3):
        await stream.session.begin_part(part, Digest.of(CONTENT), MediaType.JPEG)
        for offset in range(0, len(CONTENT), 256):
            await data(stream, offset, CONTENT[offset : offset + 256])
            assert stream.session._not_durable() <= LIMITS.unacknowledged_bytes
    await stream.finish()


async def test_many_tiny_parts_keep_few_files_open(spool: UploadSpool) -> None:
    pages = frozenset(PartId(PartKind.PAGE, number) for number in range(1, 401))
    stream = await open_stream(spool, declared=pages)
    most = 0
    for part in sorted(pages, key=lambda each: each.number):
        await stream.send(part, HEAD + b"%d" % part.number)
        most = max(most, len(stream.session._sealing))
    await stream.finish()
    assert stream.complete == pages
    assert most <= 64


async def test_acknowledgements_that_nobody_reads_stay_few() -> None:
    spool = MemoryUploadSpool()
    stream = await open_stream(spool)
    stream._reader.cancel()
    await stream.send(PAGE_1, CONTENT)
    for _ in range(1000):
        await stream.session.begin_part(PAGE_1, Digest.of(CONTENT), MediaType.JPEG)
    assert len(stream.session._progress._news) == 1
    await stream.session.close()


class FailingWriter(MemoryPartWriter):
    """Breaks when it shall persist."""

    error: Exception = StorageFull("no room")

    async def persist(self) -> int:
        raise self.error

    async def complete(self, expected: Digest) -> None:
        raise self.error


class FailingSpool(MemoryUploadSpool):
    """Gives writers that break."""

    async def writer(self, upload: Any, part: PartId) -> Any:
        await super().writer(upload, part)
        return FailingWriter(self._uploads[upload][part])


@pytest.mark.parametrize("error", [StorageFull("no room"), OSError(5, "I/O"), RuntimeError("a fault of ours")])
async def test_failures_of_the_background_reach_the_reader(monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    monkeypatch.setattr(FailingWriter, "error", error)
    stream = await open_stream(FailingSpool())
    await stream.send(PAGE_1, CONTENT[:200])
    with pytest.raises(type(error)):
        await stream.session.finish()
    await stream.close()
    assert stream.failure is error
    await no_tasks_left()


async def test_closing_never_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(FailingWriter, "error", RuntimeError("a fault of ours"))
    stream = await open_stream(FailingSpool())
    await stream.send(PAGE_1, CONTENT, 0, 200)
    await stream.close()
    assert stream.failure is None


async def test_a_source_that_was_cut_is_damage_and_no_success(spool: UploadSpool) -> None:
    stream = await open_stream(spool)
    await stream.send(PAGE_1, CONTENT)
    await stream.finish()
    source = await spool.source(UPLOAD, PAGE_1)
    if source.local is None:
        return
    source.local.chmod(0o600)
    with source.local.open("r+b") as file:
        file.truncate(100)
    stream = await open_stream(spool)
    await stream.session.begin_part(RENDITION, Digest.of(CONTENT), MediaType.JPEG)
    with pytest.raises(BlobCorrupt):
        await stream.session.copy(0, 1, 0, len(CONTENT))
    await stream.close()


async def _step(work: Coroutine[Any, Any, None], steps: int) -> bool:
    """Run something for so many rounds of the loop, then cancel it; tells whether it had ended by itself."""
    task = asyncio.ensure_future(work)
    for _ in range(steps):
        if task.done():
            break
        await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait({task})
    return not task.cancelled() and task.exception() is None


@pytest.mark.parametrize("steps", range(0, 60, 3))
async def test_cancelled_at_any_point_what_was_acknowledged_stays(spool: UploadSpool, steps: int) -> None:
    stream = await open_stream(spool)

    async def bring() -> None:
        await stream.send(PAGE_1, CONTENT)
        await stream.send(PAGE_2, CONTENT, 0, 1000)
        await stream.session.tick()
        await stream.send(PAGE_2, CONTENT, 1000)
        await stream.session.begin_part(RENDITION, Digest.of(CONTENT), MediaType.JPEG)
        await stream.session.copy(0, 1, 0, len(CONTENT))
        await stream.session.finish()

    await _step(bring(), steps)
    acknowledged = list(stream.news)
    await stream.close()
    await no_tasks_left()
    held = await persisted(spool)
    for news in (*acknowledged, *stream.news):
        assert held[news.part][0] >= news.persisted_bytes
        assert held[news.part][1] or news.digest is None
    again = await open_stream(spool)
    for part in (PAGE_1, PAGE_2, PAGE_3):
        await again.send(part, CONTENT)
    await again.finish()
    assert again.complete == {PAGE_1, PAGE_2, PAGE_3}
    assert again.complete < DECLARED
