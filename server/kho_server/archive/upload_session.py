"""One stream of parts: takes headers and data in order, acknowledges what is durable, keeps memory bounded.

While one part is being synced the next one is received; what is received and not yet durable never exceeds the
limit by more than one message. All failures of the background reach the stream through `next_progress`.
"""

import asyncio
from collections.abc import Mapping
from contextlib import suppress

import google_crc32c

from kho_server.archive.limits import UploadLimits
from kho_server.archive.observer import Observer
from kho_server.archive.part_names import part_name
from kho_server.archive.part_progress import PartProgress
from kho_server.archive.receiving_part import ReceivingPart
from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.source_range import read_range
from kho_server.rules.media_type import MediaType
from kho_storage.digest import Digest
from kho_storage.errors import PartIncomplete, WriterSuperseded
from kho_storage.parts import PartId, PartKind, SpooledPart, UploadId
from kho_storage.ports import BlobStore, PartWriter, UploadSpool

# Each part that is being sealed holds two open files, however small it is.
_SEALING_TOGETHER = 64


class UploadSession:
    """The newest stream of an upload. One task feeds it, one task awaits `next_progress`.

    Only `supersede`, `fail` and `next_progress` may be called while another call is under way.
    """

    def __init__(
        self,
        upload: UploadId,
        declared: frozenset[PartId],
        spool: UploadSpool,
        blobs: BlobStore,
        limits: UploadLimits,
        observer: Observer,
        spooled: tuple[SpooledPart, ...],
        base_pages: Mapping[PartId, Digest],
    ) -> None:
        """`base_pages` are pages of the version before, from which data may be copied."""
        self.upload = upload
        self._declared = declared
        self._spool = spool
        self._blobs = blobs
        self._limits = limits
        self._observer = observer
        self._complete = {part.part: part.digest for part in spooled if part.digest is not None}
        self._begun = {part.part for part in spooled if part.digest is None}
        self._left: set[PartId] = set()
        self._is_superseded = False
        self._base_pages = base_pages
        self._current: ReceivingPart | None = None
        self._draining: tuple[PartId, Digest] | None = None
        self._sealing: dict[PartId, asyncio.Task[None]] = {}
        self._unsealed_bytes = 0
        self._progress = PartProgress()
        self._failure: Exception | None = None

    async def next_progress(self) -> SpooledPart | None:
        """Return the next thing that became durable, None when the stream has ended; raises what ended it."""
        return await self._progress.next()

    def supersede(self) -> None:
        """End this stream because a newer one goes on with its upload."""
        self._is_superseded = True
        self._fail(Refusal(Reason.UPLOAD_SUPERSEDED))

    def fail(self, error: Exception) -> None:
        """End this stream with an error that its feeder met."""
        self._fail(error)

    async def begin_part(self, part: PartId, digest: Digest, media_type: MediaType) -> None:
        """Begin a part; the one before stays as far as it came.

        Refusals: PART_NOT_DECLARED, PART_EMPTY, PART_TOO_LARGE, PART_TWICE.
        """
        self._check()
        await self._leave_current()
        name = part_name(part)
        if part not in self._declared:
            raise Refusal(Reason.PART_NOT_DECLARED, part=name, declared=len(self._declared))
        if digest.size_bytes == 0:
            raise Refusal(Reason.PART_EMPTY, part=name)
        largest = self._limits.page_bytes if part.kind is PartKind.PAGE else self._limits.rendition_bytes
        if digest.size_bytes > largest:
            raise Refusal(Reason.PART_TOO_LARGE, part=name, limit_bytes=largest)
        sealing = self._sealing.get(part)
        if sealing is not None:
            await asyncio.wait({sealing})
            self._check()
        # A part of which nothing is here gets its writer when it is needed: most come whole and need none.
        is_new = part not in self._complete and part not in self._begun and part not in self._left
        writer = None if part in self._complete or is_new else await self._writer(part)
        if writer is None and not is_new:
            if self._complete[part] != digest:
                raise Refusal(Reason.PART_TWICE, part=name)
            self._draining = (part, digest)
            self._progress.tell(SpooledPart(part, digest.size_bytes, digest))
            return
        if part in self._begun:
            self._begun.discard(part)
            self._observer.upload_resumed()
        self._current = self._receiver(part, digest, media_type, writer)
        if self._current.received_bytes > digest.size_bytes:
            # What came earlier was of another, longer content: it cannot be the beginning of this one.
            await self._leave_current()
            await self._spool.discard_part(self.upload, part)
            writer = await self._spool.writer(self.upload, part)
            self._current = self._receiver(part, digest, media_type, writer)
        elif self._current.is_whole:
            self._seal_current()
            await self._make_room()

    async def data(self, offset: int, data: bytes, crc32c: int) -> None:
        """Take bytes of the current part; what is here already is skipped.

        Refusals: STREAM_OUT_OF_ORDER, CHUNK_TOO_LARGE, CHECKSUM_MISMATCH, OFFSET_GAP, SIZE_MISMATCH,
        MEDIA_TYPE_MISMATCH.
        """
        self._check()
        if len(data) > self._limits.chunk_bytes:
            raise Refusal(Reason.CHUNK_TOO_LARGE, limit_bytes=self._limits.chunk_bytes)
        if google_crc32c.value(data) != crc32c:
            raise Refusal(Reason.CHECKSUM_MISMATCH)
        self._observer.bytes_received(len(data), 0)
        current = self._receiving(offset, len(data))
        if current is None:
            return
        skip = current.wanted(offset, len(data))
        if skip < len(data):
            await self._take(current, data[skip:] if skip else data)

    async def copy(self, offset: int, page: int, page_offset: int, length: int) -> None:
        """Take a range of a complete page as bytes of the current part. Refusals as `data`, COPY_SOURCE_MISSING."""
        self._check()
        if length < 1 or page_offset < 0 or not 1 <= page <= self._limits.pages:
            raise Refusal(Reason.FIELD_MALFORMED, field="data.copy")
        current = self._receiving(offset, length)
        if current is None:
            return
        source_part = PartId(PartKind.PAGE, page)
        sealing = self._sealing.get(source_part)
        if sealing is not None:
            await asyncio.wait({sealing})
            self._check()
        try:
            source = await self._spool.source(self.upload, source_part)
            size_bytes = source.digest.size_bytes
        except PartIncomplete:
            source, size_bytes = None, self._size_in_base(source_part)
        if page_offset + length > size_bytes:
            raise Refusal(Reason.COPY_SOURCE_MISSING, part=part_name(current.part))
        skip = current.wanted(offset, length)
        if skip == length:
            return
        self._observer.bytes_received(0, length - skip)
        page_offset, length = page_offset + skip, length - skip
        if source is not None:
            pieces = read_range(source, page_offset, length)
        else:
            pieces = self._blobs.read(self._base_pages[source_part], page_offset, length)
        async for piece in pieces:
            self._check()
            await self._take(current, piece)

    async def tick(self) -> None:
        """Make durable what has arrived of the current part and acknowledge it."""
        current = self._current
        if current is not None and current.received_bytes > current.persisted_bytes:
            persisted = await current.persist()
            if current.is_whole and self._current is current:
                self._seal_current()
            elif persisted:
                self._progress.tell(SpooledPart(current.part, persisted, None))

    async def finish(self) -> None:
        """End the stream in order: everything that arrived is durable and acknowledged."""
        self._check()
        await self._leave_current()
        if self._sealing:
            await asyncio.wait(set(self._sealing.values()))
        self._check()
        self._progress.end()

    async def close(self) -> None:
        """End the stream in any state; keeps what arrived as far as that is possible. Never raises."""
        with suppress(Exception):
            await self._leave_current()
        if self._sealing:
            await asyncio.wait(set(self._sealing.values()))
        self._progress.end()

    def _receiving(self, offset: int, length: int) -> ReceivingPart | None:
        """Return the current part, None while bytes of one that is whole already are being drained."""
        if self._current is None:
            if self._draining is None:
                raise Refusal(Reason.STREAM_OUT_OF_ORDER)
            part, digest = self._draining
            if not 0 <= offset <= digest.size_bytes - length:
                raise Refusal(Reason.SIZE_MISMATCH, part=part_name(part), declared_bytes=digest.size_bytes)
        return self._current

    async def _writer(self, part: PartId) -> PartWriter | None:
        """Open a part, None when it turns out to be complete."""
        try:
            return await self._spool.writer(self.upload, part)
        except ValueError:
            # The stream before this one has completed it since this one looked.
            self._complete[part] = (await self._spool.source(self.upload, part)).digest
            return None

    def _receiver(
        self, part: PartId, digest: Digest, media_type: MediaType, writer: PartWriter | None
    ) -> ReceivingPart:
        return ReceivingPart(part, digest, media_type, self._spool, self.upload, writer, self._must_be_newest)

    def _must_be_newest(self) -> None:
        if self._is_superseded:
            raise Refusal(Reason.UPLOAD_SUPERSEDED)

    def _size_in_base(self, part: PartId) -> int:
        digest = self._base_pages.get(part)
        return digest.size_bytes if digest is not None else 0

    async def _take(self, current: ReceivingPart, data: bytes) -> None:
        await current.take(data)
        if current.is_whole:
            self._seal_current()
        await self._make_room()

    async def _make_room(self) -> None:
        """Wait until what is not durable yet fits the limits."""
        while self._not_durable() > self._limits.unacknowledged_bytes or len(self._sealing) >= _SEALING_TOGETHER:
            if self._sealing:
                await asyncio.wait(set(self._sealing.values()), return_when=asyncio.FIRST_COMPLETED)
                self._check()
            else:
                await self.tick()

    def _not_durable(self) -> int:
        current = self._current
        arriving = current.received_bytes - current.persisted_bytes if current is not None else 0
        return arriving + self._unsealed_bytes

    def _seal_current(self) -> None:
        """Check and sync the whole part in the background; the next one may arrive meanwhile."""
        current = self._current
        assert current is not None
        self._current = None
        self._draining = (current.part, current.digest)
        size = current.digest.size_bytes - current.persisted_bytes
        self._unsealed_bytes += size
        task = asyncio.ensure_future(self._seal(current, size))
        self._sealing[current.part] = task

    async def _seal(self, part: ReceivingPart, size: int) -> None:
        try:
            await part.complete()
        except Exception as error:
            self._fail(Refusal(Reason.UPLOAD_SUPERSEDED) if isinstance(error, WriterSuperseded) else error)
        else:
            self._complete[part.part] = part.digest
            self._observer.part_complete(is_page=part.part.kind is PartKind.PAGE)
            self._progress.tell(SpooledPart(part.part, part.digest.size_bytes, part.digest))
        finally:
            self._unsealed_bytes -= size
            self._sealing.pop(part.part, None)

    async def _leave_current(self) -> None:
        try:
            await self.tick()
        finally:
            current, self._current = self._current, None
            self._draining = None
            if current is not None:
                self._left.add(current.part)
                await current.close()

    def _check(self) -> None:
        if self._failure is not None:
            raise self._failure

    def _fail(self, error: Exception) -> None:
        if self._failure is None:
            self._failure = error
            self._progress.end(error)
