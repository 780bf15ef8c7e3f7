"""Spool, blobs and manifests in memory: they pass the contract suites of the real ones and serve tests."""

import hashlib
from collections.abc import AsyncIterator, Sequence

from kho_storage.blobs.pieces import PIECE_BYTES, span
from kho_storage.blobs.spool_layout import part_order
from kho_storage.digest import Digest
from kho_storage.errors import (
    BlobCorrupt,
    BlobNotFound,
    Conflict,
    DigestMismatch,
    PartIncomplete,
    WriterSuperseded,
)
from kho_storage.parts import BlobSource, ManifestName, PartId, SpooledPart, UploadId
from kho_storage.ports import BlobStore, ManifestStore, PartWriter, UploadSpool


class MemoryPart:
    """The bytes of one part; as long as a process lives all of them are as durable as they get."""

    def __init__(self) -> None:
        """Begin empty."""
        self.data = bytearray()
        self.persisted_bytes = 0
        self.digest: Digest | None = None
        self.writer: MemoryPartWriter | None = None


class MemoryPartWriter(PartWriter):
    """Appends to a part in memory."""

    def __init__(self, part: MemoryPart) -> None:
        """Supersede the older writer; what it received stays."""
        part.writer = self
        part.persisted_bytes = len(part.data)
        self._part = part
        self._is_closed = False

    @property
    def persisted_bytes(self) -> int:
        """Bytes that `persist` has covered."""
        return self._part.persisted_bytes

    @property
    def received_bytes(self) -> int:
        """Bytes that were appended."""
        return len(self._part.data)

    async def append(self, data: Sequence[bytes]) -> None:
        """Append buffers."""
        self._check_open()
        self._part.data += b"".join(data)

    async def persist(self) -> int:
        """Count everything as durable."""
        self._check_mine()
        self._part.persisted_bytes = len(self._part.data)
        return self._part.persisted_bytes

    async def complete(self, expected: Digest) -> None:
        """Check and keep under the digest."""
        self._check_mine()
        if self._part.digest is not None:
            if self._part.digest != expected:
                raise ValueError("this part is complete under another digest")
            return
        self._check_open()
        actual = Digest.of(bytes(self._part.data))
        if actual != expected:
            self._part.data.clear()
            self._part.persisted_bytes = 0
            raise DigestMismatch(expected, actual)
        self._part.digest = expected
        self._part.persisted_bytes = len(self._part.data)

    async def close(self) -> None:
        """Let go; what was received stays."""
        if self._part.writer is self:
            self._part.persisted_bytes = len(self._part.data)
        self._is_closed = True

    def _check_mine(self) -> None:
        if self._part.writer is not self:
            raise WriterSuperseded("a newer connection writes this part now")

    def _check_open(self) -> None:
        self._check_mine()
        if self._is_closed:
            raise ValueError("this writer is closed")
        if self._part.digest is not None:
            raise ValueError("this part is complete")


class MemoryUploadSpool(UploadSpool):
    """Uploads in a dictionary."""

    def __init__(self) -> None:
        """Begin empty."""
        self._uploads: dict[UploadId, dict[PartId, MemoryPart]] = {}

    async def parts(self, upload: UploadId) -> tuple[SpooledPart, ...]:
        """Return every part that is complete or has persisted bytes."""
        found = self._uploads.get(upload, {})
        return tuple(
            SpooledPart(part, found[part].persisted_bytes, found[part].digest)
            for part in sorted(found, key=part_order)
            if found[part].digest is not None or found[part].persisted_bytes
        )

    async def writer(self, upload: UploadId, part: PartId) -> PartWriter:
        """Open a part; the older writer is superseded."""
        held = self._uploads.setdefault(upload, {}).setdefault(part, MemoryPart())
        if held.digest is not None:
            raise ValueError("this part is complete; discard it before it is written anew")
        return MemoryPartWriter(held)

    async def store(self, upload: UploadId, part: PartId, data: Sequence[bytes], digest: Digest) -> None:
        """Write a whole part; what an earlier writer left of it is its beginning."""
        writer = await self.writer(upload, part)
        await writer.append([b"".join(data)[writer.received_bytes :]])
        await writer.complete(digest)
        await writer.close()

    async def source(self, upload: UploadId, part: PartId) -> BlobSource:
        """Return a complete part."""
        held = self._uploads.get(upload, {}).get(part)
        if held is None or held.digest is None:
            raise PartIncomplete(f"{part.kind.value} {part.number} has not arrived whole")
        data, digest = bytes(held.data), held.digest
        return BlobSource(digest, lambda: _pieces(data, digest, 0, None))

    async def discard_part(self, upload: UploadId, part: PartId) -> None:
        """Forget a part and its writer."""
        held = self._uploads.get(upload, {}).pop(part, None)
        if held is not None:
            held.writer = None

    async def discard(self, upload: UploadId) -> None:
        """Forget an upload and its writers."""
        for held in self._uploads.pop(upload, {}).values():
            held.writer = None

    async def uploads(self) -> tuple[UploadId, ...]:
        """Return all uploads of which a part was opened."""
        return tuple(sorted(upload for upload, parts in self._uploads.items() if parts))


class MemoryBlobStore(BlobStore):
    """Blobs in a dictionary; every source is hashed as it comes in."""

    def __init__(self) -> None:
        """Begin empty."""
        self._blobs: dict[str, bytes] = {}

    async def put(self, sources: Sequence[BlobSource]) -> None:
        """Take all sources."""
        for source in sources:
            data = b"".join([piece async for piece in source.read()])
            hashed = Digest(hashlib.sha256(data).hexdigest(), len(data))
            if hashed != source.digest:
                raise DigestMismatch(source.digest, hashed)
            self._blobs.setdefault(hashed.sha256, data)

    async def read(self, digest: Digest, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield pieces."""
        data = self._blobs.get(digest.sha256)
        if data is None:
            raise BlobNotFound(digest.sha256)
        async for piece in _pieces(data, digest, offset, length):
            yield piece

    async def find(self, sha256: str) -> Digest | None:
        """Return the digest with its size."""
        data = self._blobs.get(Digest(sha256, 0).sha256)
        return None if data is None else Digest(sha256, len(data))

    async def delete(self, digest: Digest) -> None:
        """Forget bytes."""
        self._blobs.pop(digest.sha256, None)

    async def walk(self) -> AsyncIterator[Digest]:
        """Yield all digests."""
        for sha256, data in sorted(self._blobs.items()):
            yield Digest(sha256, len(data))


class MemoryManifestStore(ManifestStore):
    """Manifests in a dictionary."""

    def __init__(self) -> None:
        """Begin empty."""
        self._manifests: dict[ManifestName, bytes] = {}

    async def seal(self, name: ManifestName, data: bytes) -> Digest:
        """Keep a manifest."""
        if self._manifests.setdefault(name, bytes(data)) != data:
            raise Conflict("manifest_sealed")
        return Digest.of(data)

    async def read(self, name: ManifestName) -> bytes:
        """Return a manifest."""
        try:
            return self._manifests[name]
        except KeyError as error:
            raise BlobNotFound(f"manifest v{name.version}.{name.commit}") from error

    async def delete(self, name: ManifestName) -> None:
        """Forget a manifest."""
        self._manifests.pop(name, None)

    async def walk(self) -> AsyncIterator[ManifestName]:
        """Yield all names."""
        for name in sorted(self._manifests):
            yield name


async def _pieces(data: bytes, digest: Digest, offset: int, length: int | None) -> AsyncIterator[bytes]:
    if len(data) != digest.size_bytes:
        raise BlobCorrupt(digest.sha256)
    start, end = span(digest, offset, length)
    for at in range(start, end, PIECE_BYTES):
        yield data[at : min(at + PIECE_BYTES, end)]
