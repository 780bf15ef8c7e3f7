"""What every UploadSpool does; a back-end's test inherits the class and gives the fixture `spool`."""

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any
from uuid import UUID

import pytest

from kho_storage.digest import Digest
from kho_storage.errors import DigestMismatch, PartIncomplete, WriterSuperseded
from kho_storage.parts import PartId, PartKind, SpooledPart, UploadId
from kho_storage.ports import PartWriter, UploadSpool

UPLOAD = UploadId(UUID(int=1), UUID(int=2), 1)
OTHER = UploadId(UUID(int=1), UUID(int=2), 2)
PAGE = PartId(PartKind.PAGE, 1)
SIGNED = PartId(PartKind.RENDITION, 1)


async def receive(spool: UploadSpool, upload: UploadId, part: PartId, data: bytes) -> None:
    """Bring one part in whole."""
    writer = await spool.writer(upload, part)
    await writer.append([data])
    await writer.complete(Digest.of(data))
    await writer.close()


async def bytes_of(spool: UploadSpool, upload: UploadId, part: PartId) -> bytes:
    """Return the bytes of a complete part."""
    source = await spool.source(upload, part)
    return b"".join([piece async for piece in source.read()])


class UploadSpoolContract:
    """The suite."""

    @pytest.fixture
    def spool(self) -> UploadSpool:
        """Return an empty spool."""
        raise NotImplementedError

    async def test_nothing_has_arrived(self, spool: UploadSpool) -> None:
        assert await spool.parts(UPLOAD) == ()
        assert await spool.uploads() == ()

    async def test_a_part_arrives(self, spool: UploadSpool) -> None:
        data = bytes(range(256)) * 2000
        writer = await spool.writer(UPLOAD, PAGE)
        await writer.append([data[:100], b"", data[100:200]])
        await writer.append([data[200:]])
        assert writer.received_bytes == len(data)
        await writer.complete(Digest.of(data))
        assert writer.persisted_bytes == len(data)
        await writer.close()
        assert await spool.parts(UPLOAD) == (SpooledPart(PAGE, len(data), Digest.of(data)),)
        assert await bytes_of(spool, UPLOAD, PAGE) == data
        assert (await spool.source(UPLOAD, PAGE)).digest == Digest.of(data)

    async def test_a_part_arrives_in_one_step(self, spool: UploadSpool) -> None:
        await spool.store(UPLOAD, PAGE, [b"ab", b"", b"cde"], Digest.of(b"abcde"))
        assert await spool.parts(UPLOAD) == (SpooledPart(PAGE, 5, Digest.of(b"abcde")),)
        assert await bytes_of(spool, UPLOAD, PAGE) == b"abcde"
        with pytest.raises(ValueError):
            await spool.store(UPLOAD, PAGE, [b"abcde"], Digest.of(b"abcde"))

    async def test_one_step_takes_the_part_from_an_older_writer_and_keeps_its_bytes(self, spool: UploadSpool) -> None:
        older = await spool.writer(UPLOAD, PAGE)
        await older.append([b"abc"])
        assert await older.persist() == 3
        await spool.store(UPLOAD, PAGE, [b"ab", b"cde"], Digest.of(b"abcde"))
        with pytest.raises(WriterSuperseded):
            await older.append([b"x"])
        await older.close()
        assert await bytes_of(spool, UPLOAD, PAGE) == b"abcde"

    async def test_wrong_bytes_in_one_step_leave_nothing(self, spool: UploadSpool) -> None:
        with pytest.raises(DigestMismatch):
            await spool.store(UPLOAD, PAGE, [b"abcdx"], Digest.of(b"abcde"))
        assert await spool.parts(UPLOAD) == ()
        await spool.store(UPLOAD, PAGE, [b"abcde"], Digest.of(b"abcde"))
        assert await bytes_of(spool, UPLOAD, PAGE) == b"abcde"

    async def test_very_many_buffers(self, spool: UploadSpool) -> None:
        buffers = [b"%d," % number for number in range(3000)]
        writer = await spool.writer(UPLOAD, PAGE)
        await writer.append(buffers)
        await writer.complete(Digest.of(b"".join(buffers)))
        assert await bytes_of(spool, UPLOAD, PAGE) == b"".join(buffers)

    async def test_what_is_persisted_is_reported(self, spool: UploadSpool) -> None:
        writer = await spool.writer(UPLOAD, PAGE)
        assert (writer.persisted_bytes, writer.received_bytes) == (0, 0)
        await writer.append([b"abc"])
        assert (writer.persisted_bytes, writer.received_bytes) == (0, 3)
        assert await writer.persist() == 3
        await writer.append([b"de"])
        assert (writer.persisted_bytes, writer.received_bytes) == (3, 5)
        assert await spool.parts(UPLOAD) == (SpooledPart(PAGE, 3, None),)
        assert await writer.persist() == 5
        assert await writer.persist() == 5

    async def test_a_part_goes_on_where_it_was_persisted(self, spool: UploadSpool) -> None:
        first = await spool.writer(UPLOAD, PAGE)
        await first.append([b"abc"])
        await first.persist()
        await first.close()
        second = await spool.writer(UPLOAD, PAGE)
        assert (second.persisted_bytes, second.received_bytes) == (3, 3)
        await second.append([b"def"])
        await second.complete(Digest.of(b"abcdef"))
        assert await bytes_of(spool, UPLOAD, PAGE) == b"abcdef"

    async def test_close_keeps_what_was_received(self, spool: UploadSpool) -> None:
        first = await spool.writer(UPLOAD, PAGE)
        await first.append([b"abc"])
        await first.close()
        await first.close()
        assert await spool.parts(UPLOAD) == (SpooledPart(PAGE, 3, None),)
        second = await spool.writer(UPLOAD, PAGE)
        assert second.persisted_bytes == second.received_bytes == 3

    async def test_a_closed_writer_is_of_no_use(self, spool: UploadSpool) -> None:
        writer = await spool.writer(UPLOAD, PAGE)
        await writer.close()
        with pytest.raises(ValueError):
            await writer.append([b"abc"])

    async def test_parts_are_in_order(self, spool: UploadSpool) -> None:
        ids = [PartId(kind, number) for kind in PartKind for number in (1, 2, 10, 10_000)]
        for part in reversed(ids):
            await receive(spool, UPLOAD, part, b"%d" % part.number)
        assert [spooled.part for spooled in await spool.parts(UPLOAD)] == ids

    async def test_page_and_rendition_of_a_number_are_two(self, spool: UploadSpool) -> None:
        await receive(spool, UPLOAD, PAGE, b"page")
        await receive(spool, UPLOAD, SIGNED, b"signed")
        assert await bytes_of(spool, UPLOAD, PAGE) == b"page"
        assert await bytes_of(spool, UPLOAD, SIGNED) == b"signed"

    async def test_uploads_are_apart_and_in_order(self, spool: UploadSpool) -> None:
        third = UploadId(UUID(int=1), UUID(int=1), 10)
        for upload in (OTHER, UPLOAD, third):
            await receive(spool, upload, PAGE, str(upload).encode())
        assert await spool.uploads() == (third, UPLOAD, OTHER)
        assert await bytes_of(spool, UPLOAD, PAGE) == str(UPLOAD).encode()

    @pytest.mark.parametrize("sent", [b"wrong", b"", b"right and more"])
    async def test_a_wrong_part_is_empty_again(self, spool: UploadSpool, sent: bytes) -> None:
        writer = await spool.writer(UPLOAD, PAGE)
        await writer.append([sent])
        await writer.persist()
        with pytest.raises(DigestMismatch) as caught:
            await writer.complete(Digest.of(b"right"))
        assert caught.value.actual == Digest.of(sent)
        assert (writer.persisted_bytes, writer.received_bytes) == (0, 0)
        assert await spool.parts(UPLOAD) == ()
        await writer.append([b"right"])
        await writer.complete(Digest.of(b"right"))
        assert await bytes_of(spool, UPLOAD, PAGE) == b"right"

    async def test_completing_again_is_success(self, spool: UploadSpool) -> None:
        writer = await spool.writer(UPLOAD, PAGE)
        await writer.append([b"abc"])
        await writer.complete(Digest.of(b"abc"))
        await writer.complete(Digest.of(b"abc"))
        assert await writer.persist() == 3
        with pytest.raises(ValueError):
            await writer.complete(Digest.of(b"abd"))
        with pytest.raises(ValueError):
            await writer.append([b"d"])
        assert await bytes_of(spool, UPLOAD, PAGE) == b"abc"

    async def test_a_complete_part_is_not_opened(self, spool: UploadSpool) -> None:
        await receive(spool, UPLOAD, PAGE, b"abc")
        with pytest.raises(ValueError):
            await spool.writer(UPLOAD, PAGE)
        assert await bytes_of(spool, UPLOAD, PAGE) == b"abc"

    async def test_the_newest_writer_wins(self, spool: UploadSpool) -> None:
        old = await spool.writer(UPLOAD, PAGE)
        await old.append([b"abc"])
        await old.persist()
        new = await spool.writer(UPLOAD, PAGE)
        assert new.received_bytes == 3
        await self._is_superseded(old)
        await new.append([b"def"])
        await old.close()
        await new.complete(Digest.of(b"abcdef"))
        await self._is_superseded(old)
        assert await bytes_of(spool, UPLOAD, PAGE) == b"abcdef"

    async def test_a_crowd_of_writers_leaves_one(self, spool: UploadSpool) -> None:
        first = await spool.writer(UPLOAD, PAGE)
        await first.append([b"abc"])
        await first.persist()
        opened = await asyncio.gather(*(spool.writer(UPLOAD, PAGE) for _ in range(20)), return_exceptions=True)
        writers = [writer for writer in opened if not isinstance(writer, BaseException)]
        assert all(isinstance(other, WriterSuperseded) for other in opened if isinstance(other, BaseException))
        assert writers
        last = writers.pop()
        for writer in writers:
            await self._is_superseded(writer)
        await last.append([b"d"])
        await last.complete(Digest.of(b"abcd"))

    async def test_writers_of_other_parts_go_on(self, spool: UploadSpool) -> None:
        mine = await spool.writer(UPLOAD, PAGE)
        others = [await spool.writer(UPLOAD, SIGNED), await spool.writer(OTHER, PAGE)]
        for number, writer in enumerate((mine, *others)):
            await writer.append([b"%d" % number])
            await writer.complete(Digest.of(b"%d" % number))
        assert await bytes_of(spool, OTHER, PAGE) == b"2"

    async def test_an_unfinished_part_is_no_source(self, spool: UploadSpool) -> None:
        with pytest.raises(PartIncomplete):
            await spool.source(UPLOAD, PAGE)
        writer = await spool.writer(UPLOAD, PAGE)
        await writer.append([b"abc"])
        await writer.persist()
        with pytest.raises(PartIncomplete):
            await spool.source(UPLOAD, PAGE)

    async def test_a_discarded_part_is_written_anew(self, spool: UploadSpool) -> None:
        await spool.discard_part(UPLOAD, PAGE)
        await receive(spool, UPLOAD, PAGE, b"old")
        await receive(spool, UPLOAD, SIGNED, b"signed")
        await spool.discard_part(UPLOAD, PAGE)
        await spool.discard_part(UPLOAD, PAGE)
        assert [spooled.part for spooled in await spool.parts(UPLOAD)] == [SIGNED]
        with pytest.raises(PartIncomplete):
            await spool.source(UPLOAD, PAGE)
        await receive(spool, UPLOAD, PAGE, b"new")
        assert await bytes_of(spool, UPLOAD, PAGE) == b"new"

    async def test_discarding_an_unfinished_part_stops_its_writer(self, spool: UploadSpool) -> None:
        writer = await spool.writer(UPLOAD, PAGE)
        await writer.append([b"abc"])
        await writer.persist()
        await spool.discard_part(UPLOAD, PAGE)
        await self._is_superseded(writer)
        assert await spool.parts(UPLOAD) == ()
        assert (await spool.writer(UPLOAD, PAGE)).received_bytes == 0

    async def test_a_discarded_upload_is_gone(self, spool: UploadSpool) -> None:
        await spool.discard(UPLOAD)
        await receive(spool, UPLOAD, PAGE, b"abc")
        await receive(spool, OTHER, PAGE, b"stays")
        writer = await spool.writer(UPLOAD, SIGNED)
        await writer.append([b"abc"])
        await spool.discard(UPLOAD)
        await spool.discard(UPLOAD)
        await self._is_superseded(writer)
        await writer.close()
        assert await spool.parts(UPLOAD) == ()
        assert await spool.uploads() == (OTHER,)
        await receive(spool, UPLOAD, PAGE, b"new")
        assert await bytes_of(spool, UPLOAD, PAGE) == b"new"
        assert await bytes_of(spool, OTHER, PAGE) == b"stays"

    async def test_many_parts_at_once(self, spool: UploadSpool) -> None:
        ids = [PartId(PartKind.PAGE, number) for number in range(1, 41)]
        await asyncio.gather(*(receive(spool, UPLOAD, part, b"page %d" % part.number) for part in ids))
        for part in ids:
            assert await bytes_of(spool, UPLOAD, part) == b"page %d" % part.number

    @pytest.mark.parametrize("step", ["append", "persist", "complete"])
    async def test_a_cancelled_call_leaves_a_part_that_can_go_on(self, spool: UploadSpool, step: str) -> None:
        data = b"a" * 300_000
        writer = await spool.writer(UPLOAD, PAGE)
        await writer.append([data])
        await writer.persist()
        await writer.append([data])
        calls: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {
            "append": lambda: writer.append([data]),
            "persist": writer.persist,
            "complete": lambda: writer.complete(Digest.of(data * 2)),
        }
        task = asyncio.create_task(calls[step]())
        await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await writer.close()
        (spooled,) = await spool.parts(UPLOAD)
        if spooled.digest is not None:
            assert step == "complete"
            return
        assert len(data) <= spooled.persisted_bytes <= 3 * len(data)
        again = await spool.writer(UPLOAD, PAGE)
        assert again.received_bytes == spooled.persisted_bytes
        await again.append([b"z"])
        await again.complete(Digest.of(b"a" * spooled.persisted_bytes + b"z"))

    async def _is_superseded(self, writer: PartWriter) -> None:
        with pytest.raises(WriterSuperseded):
            await writer.append([b"x"])
        with pytest.raises(WriterSuperseded):
            await writer.persist()
        with pytest.raises(WriterSuperseded):
            await writer.complete(Digest.of(b"abc"))
