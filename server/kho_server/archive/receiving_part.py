"""One part while it arrives: offsets, limits, content, durability."""

from collections.abc import Callable

from kho_server.archive.part_names import part_name
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rules.errors import RuleViolation
from kho_server.rules.media_type import HEAD_BYTES, MediaType
from kho_storage.digest import Digest
from kho_storage.errors import DigestMismatch
from kho_storage.parts import PartId, UploadId
from kho_storage.ports import PartWriter, UploadSpool

# Messages are gathered into appends of this size: a thread hop costs as much as writing 100 KB (see `make bench`).
_GATHER_BYTES = 1024 * 1024


class ReceivingPart:
    """Gathers the messages of one part and brings them to its writer, or to the spool when all come at once.

    Memory: at most 1 MiB and one message. Not for concurrent use; the session serialises its calls.
    """

    def __init__(
        self,
        part: PartId,
        digest: Digest,
        media_type: MediaType,
        spool: UploadSpool,
        upload: UploadId,
        writer: PartWriter | None,
        must_be_newest: Callable[[], None],
    ) -> None:
        """Go on where the writer stands; None: nothing of this part is here, and a writer is opened when needed.

        `must_be_newest` raises when a newer stream has the upload: opening would take the part away from it.
        """
        self.part = part
        self.digest = digest
        self._media_type = media_type
        self._spool = spool
        self._upload = upload
        self._writer = writer
        self._is_stored = False
        self._must_be_newest = must_be_newest
        self._gathered: list[bytes] = []
        self._gathered_bytes = 0

    @property
    def received_bytes(self) -> int:
        """Bytes received in order, written or gathered."""
        return self.digest.size_bytes if self._is_stored else self._written_bytes + self._gathered_bytes

    @property
    def persisted_bytes(self) -> int:
        """Bytes that are durable."""
        if self._is_stored:
            return self.digest.size_bytes
        return self._writer.persisted_bytes if self._writer is not None else 0

    @property
    def is_whole(self) -> bool:
        """Whether all declared bytes are here."""
        return self.received_bytes == self.digest.size_bytes

    def wanted(self, offset: int, length: int) -> int:
        """Return how many first bytes of a range are here already. Refusals: OFFSET_GAP, SIZE_MISMATCH."""
        if offset < 0 or offset > self.received_bytes:
            raise Refusal(Reason.OFFSET_GAP, part=part_name(self.part), persisted_bytes=self.persisted_bytes)
        if offset + length > self.digest.size_bytes:
            raise Refusal(Reason.SIZE_MISMATCH, part=part_name(self.part), declared_bytes=self.digest.size_bytes)
        return min(self.received_bytes - offset, length)

    async def take(self, data: bytes) -> None:
        """Take the next bytes. Refusal: MEDIA_TYPE_MISMATCH."""
        self._gathered.append(data)
        self._gathered_bytes += len(data)
        if self._gathered_bytes >= _GATHER_BYTES and not self.is_whole:
            await self._write()

    async def persist(self) -> int:
        """Make durable what is here and return how much that is."""
        await self._write()
        return await self._writer.persist() if self._writer is not None else self.persisted_bytes

    async def complete(self) -> None:
        """Check and seal the whole part. Refusals: DIGEST_MISMATCH, MEDIA_TYPE_MISMATCH, PART_TWICE."""
        try:
            if self._is_stored:
                return
            if self._writer is None:
                await self._store()
            else:
                await self._write()
                await self._writer.complete(self.digest)
        except DigestMismatch as error:
            raise Refusal(Reason.DIGEST_MISMATCH, part=part_name(self.part)) from error
        finally:
            if self._writer is not None:
                await self._writer.close()

    async def close(self) -> None:
        """Let go; what was written stays for a later writer."""
        self._gathered.clear()
        self._gathered_bytes = 0
        if self._writer is not None:
            await self._writer.close()

    @property
    def _written_bytes(self) -> int:
        return self._writer.received_bytes if self._writer is not None else 0

    async def _write(self) -> None:
        if not self._gathered:
            return
        if self._written_bytes == 0:
            if self._gathered_bytes < HEAD_BYTES and not self.is_whole:
                return
            self._content_must_fit()
        if self._writer is None:
            self._writer = await self._open()
        gathered, self._gathered = self._gathered, []
        self._gathered_bytes = 0
        if self._writer is not None:
            await self._writer.append(gathered)

    async def _store(self) -> None:
        self._content_must_fit()
        self._must_be_newest()
        try:
            await self._spool.store(self._upload, self.part, self._gathered, self.digest)
        except ValueError:
            await self._must_be_complete()
        finally:
            self._gathered = []
            self._gathered_bytes = 0

    async def _must_be_complete(self) -> None:
        """Take it as done: the stream before this one has completed it since this one looked."""
        if (await self._spool.source(self._upload, self.part)).digest != self.digest:
            raise Refusal(Reason.PART_TWICE, part=part_name(self.part))
        self._is_stored = True

    async def _open(self) -> PartWriter | None:
        """Open a writer after all; what a stream before this one has left of the part meanwhile is skipped."""
        self._must_be_newest()
        try:
            writer = await self._spool.writer(self._upload, self.part)
            if writer.received_bytes > self.digest.size_bytes:
                await writer.close()
                await self._spool.discard_part(self._upload, self.part)
                writer = await self._spool.writer(self._upload, self.part)
        except ValueError:
            await self._must_be_complete()
            return None
        if writer.received_bytes:
            gathered = b"".join(self._gathered)[writer.received_bytes :]
            self._gathered = [gathered] if gathered else []
        return writer

    def _content_must_fit(self) -> None:
        head = b"".join(piece[:HEAD_BYTES] for piece in self._gathered)[:HEAD_BYTES]
        try:
            self._media_type.check_content("media_type", head)
        except RuleViolation as violation:
            raise Refusal(
                Reason.MEDIA_TYPE_MISMATCH, part=part_name(self.part), declared=self._media_type.mime
            ) from violation
