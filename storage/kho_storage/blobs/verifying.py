"""A wrapper that never serves a byte of a damaged blob."""

import hashlib
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from kho_storage.digest import Digest
from kho_storage.errors import BlobCorrupt
from kho_storage.parts import BlobSource
from kho_storage.ports import BlobStore

_TRUSTED_S = 300.0


@dataclass(frozen=True, slots=True)
class FileIdentity:
    """What changes when somebody touches a file by ordinary means: device, inode, mtime in ns, size in bytes."""

    device: int
    inode: int
    modified_ns: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class Examination:
    """What a blob's bytes really hash to, and which file they were read from."""

    identity: FileIdentity
    actual: Digest


class BlobExaminer(Protocol):
    """A store that can tell its files apart and hash them where they lie. BlobNotFound: there is none."""

    async def identity(self, digest: Digest) -> FileIdentity:
        """Return the identity of a blob's file."""
        ...

    async def examine(self, digest: Digest) -> Examination:
        """Hash the whole blob without sending it through the event loop."""
        ...


class VerifyingBlobStore(BlobStore):
    """Hashes a blob whole before its first byte is served, ranges included.

    With an examiner a blob that was found right is trusted for 5 minutes while its file's identity stays
    the same: a reader who comes back for the next range does not pay again. Without one (an engine that
    knows no files) every read hashes. Bytes that rot between two readings within the 5 minutes are served;
    the digest travels with them, so the client still finds out. Memory: about 300 bytes a remembered blob.
    """

    def __init__(
        self,
        inner: BlobStore,
        *,
        clock: Callable[[], float],
        examiner: BlobExaminer | None = None,
        capacity: int = 10_000,
    ) -> None:
        """Wrap a store; `clock` counts seconds and never runs backwards (time.monotonic)."""
        self._inner = inner
        self._clock = clock
        self._examiner = examiner
        self._capacity = capacity
        self._trusted: OrderedDict[Digest, tuple[FileIdentity, float]] = OrderedDict()

    async def put(self, sources: Sequence[BlobSource]) -> None:
        """Store sources; what is there already is verified first, for nobody may be told it is safe unseen."""
        for source in sources:
            if await self._inner.find(source.digest.sha256) is not None:
                await self._verify(source.digest)
        await self._inner.put(sources)

    async def read(self, digest: Digest, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield verified bytes. BlobCorrupt before the first piece when any byte of the blob is wrong."""
        await self._verify(digest)
        async for piece in self._inner.read(digest, offset, length):
            yield piece

    async def find(self, sha256: str) -> Digest | None:
        """Return the digest with its size; says nothing about the bytes."""
        return await self._inner.find(sha256)

    async def delete(self, digest: Digest) -> None:
        """Forget the bytes and that they were right."""
        self._trusted.pop(digest, None)
        await self._inner.delete(digest)

    async def walk(self) -> AsyncIterator[Digest]:
        """Yield every stored digest; says nothing about the bytes."""
        async for digest in self._inner.walk():
            yield digest

    async def _verify(self, digest: Digest) -> None:
        if self._examiner is None:
            actual = await self._hash(digest)
        else:
            if await self._is_trusted(digest, self._examiner):
                return
            now = self._clock()
            examination = await self._examiner.examine(digest)
            actual = examination.actual
            if actual == digest:
                self._trust(digest, examination.identity, now)
        if actual != digest:
            raise BlobCorrupt(digest.sha256)

    async def _is_trusted(self, digest: Digest, examiner: BlobExaminer) -> bool:
        trusted = self._trusted.get(digest)
        if trusted is None:
            return False
        identity, since = trusted
        if self._clock() - since < _TRUSTED_S and await examiner.identity(digest) == identity:
            return True
        self._trusted.pop(digest, None)
        return False

    def _trust(self, digest: Digest, identity: FileIdentity, now: float) -> None:
        self._trusted[digest] = (identity, now)
        self._trusted.move_to_end(digest)
        while len(self._trusted) > self._capacity:
            self._trusted.popitem(last=False)

    async def _hash(self, digest: Digest) -> Digest:
        hasher = hashlib.sha256()
        size = 0
        async for piece in self._inner.read(digest):
            hasher.update(piece)
            size += len(piece)
        return Digest(hasher.hexdigest(), size)
