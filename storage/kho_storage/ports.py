"""Ports of the byte side of the house: spool, blobs, manifests.

The catalog's ports stand in `kho_storage.catalog`. Law of every method here: when it has returned, what it
says is durable survives a cut of power at any later moment.
"""

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

from kho_storage.digest import Digest
from kho_storage.parts import BlobSource, ManifestName, PartId, SpooledPart, UploadId


class PartWriter(Protocol):
    """Writes one part of one upload; the newest writer of a part is the only one that may go on.

    Every method of an older writer raises WriterSuperseded. StorageFull leaves what was persisted intact.
    Cancelling any call leaves the part at some length between the persisted and the received one.
    """

    @property
    def persisted_bytes(self) -> int:
        """Bytes of this part that are durable."""
        ...

    @property
    def received_bytes(self) -> int:
        """Bytes of this part that were written, durable or not; the next append continues here."""
        ...

    async def append(self, data: Sequence[bytes]) -> None:
        """Write buffers one after the other at `received_bytes`, and hash them; nothing is durable yet."""
        ...

    async def persist(self) -> int:
        """Make all received bytes durable and return how many they are."""
        ...

    async def complete(self, expected: Digest) -> None:
        """Check size and SHA-256, then make the part durable under its digest: file first, then folder.

        DigestMismatch: the part is empty again (durably enough that a restart does not resurrect it as
        complete). A part is complete at most once per upload; completing it again with the same digest is
        success.
        """
        ...

    async def close(self) -> None:
        """Let go of the file; what was received stays for a later writer. Idempotent, never raises."""
        ...


class UploadSpool(Protocol):
    """Parts that are still arriving; belongs to one server, survives its death."""

    async def parts(self, upload: UploadId) -> tuple[SpooledPart, ...]:
        """Return what is persisted of every part, pages first, by number; empty if nothing has arrived.

        After a crash only bytes whose content is known to be intact are reported.
        """
        ...

    async def writer(self, upload: UploadId, part: PartId) -> PartWriter:
        """Open a part for writing from its persisted end; supersedes an older writer of the same part.

        A part that is complete is opened afresh from zero only after `discard_part`; asking a writer for a
        complete part raises ValueError.
        """
        ...

    async def store(self, upload: UploadId, part: PartId, data: Sequence[bytes], digest: Digest) -> None:
        """Write a part whose bytes are all at hand; means what writer, append, complete and close mean, in one step.

        ValueError: the part is complete already. DigestMismatch and StorageFull as `PartWriter` has them;
        WriterSuperseded: a newer writer has the part now.
        """
        ...

    async def source(self, upload: UploadId, part: PartId) -> BlobSource:
        """Return a complete part as a source of bytes. PartIncomplete: it has not arrived whole."""
        ...

    async def discard_part(self, upload: UploadId, part: PartId) -> None:
        """Forget one part, complete or not. Idempotent."""
        ...

    async def discard(self, upload: UploadId) -> None:
        """Forget an upload with all its parts. Idempotent."""
        ...

    async def uploads(self) -> tuple[UploadId, ...]:
        """Return all uploads of which anything is spooled, in order."""
        ...


class BlobStore(Protocol):
    """Immutable bytes under their SHA-256; the same bytes twice are stored once; nothing is overwritten."""

    async def put(self, sources: Sequence[BlobSource]) -> None:
        """Store all sources; on return all are durable. What is there already is success.

        A cancelled or failed call may have stored some of them, each whole. StorageFull: no room.
        """
        ...

    def read(self, digest: Digest, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield the bytes from offset, at most `length` of them (None: to the end), in pieces of <= 256 KiB.

        Each piece but the last has exactly 256 KiB. BlobNotFound before the first piece.
        """
        ...

    async def find(self, sha256: str) -> Digest | None:
        """Return the digest with its size when these bytes are stored, else None."""
        ...

    async def delete(self, digest: Digest) -> None:
        """Forget the bytes; only for blobs that nothing references. Idempotent."""
        ...

    def walk(self) -> AsyncIterator[Digest]:
        """Yield every stored digest in ascending order of its hex form."""
        ...


class ManifestStore(Protocol):
    """Sealed manifests, kept apart from blobs so that a dead database can be rebuilt from them."""

    async def seal(self, name: ManifestName, data: bytes) -> Digest:
        """Store a manifest durably and return its digest. Same name and bytes again: success.

        Conflict("manifest_sealed"): the name is taken by other bytes.
        """
        ...

    async def read(self, name: ManifestName) -> bytes:
        """Return a manifest's bytes. BlobNotFound: there is none of that name."""
        ...

    async def delete(self, name: ManifestName) -> None:
        """Remove the manifest of a transaction that never happened. Idempotent."""
        ...

    def walk(self) -> AsyncIterator[ManifestName]:
        """Yield the names of all manifests in ascending order."""
        ...
