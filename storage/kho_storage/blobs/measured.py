"""A wrapper that tells an observer what every call to a blob store cost."""

from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

from kho_storage.digest import Digest
from kho_storage.errors import BlobCorrupt, BlobNotFound, StorageFull
from kho_storage.parts import BlobSource
from kho_storage.ports import BlobStore

_OUTCOMES: tuple[tuple[type[BaseException], str], ...] = (
    (BlobNotFound, "not_found"),
    (BlobCorrupt, "corrupt"),
    (StorageFull, "full"),
    (GeneratorExit, "abandoned"),
)


class BlobObserver(Protocol):
    """Told of every finished call.

    `operation`: put, read, find, delete or walk. `outcome`: ok, not_found, corrupt, full, abandoned (a reader
    went away), cancelled or failed. `size_bytes`: bytes given to put or served by read, else 0.
    """

    def __call__(self, operation: str, outcome: str, seconds: float, size_bytes: int) -> None:
        """Take note; called on the event loop, must not block."""
        ...


@dataclass(slots=True)
class _Call:
    outcome: str = "ok"
    size_bytes: int = 0


class MeasuredBlobStore(BlobStore):
    """Reports each call to an observer; changes nothing else.

    The seconds of a read include the time its reader takes between pieces.
    """

    def __init__(self, inner: BlobStore, *, observe: BlobObserver, clock: Callable[[], float]) -> None:
        """Wrap a store; `clock` counts seconds and never runs backwards (time.perf_counter)."""
        self._inner = inner
        self._observe = observe
        self._clock = clock

    async def put(self, sources: Sequence[BlobSource]) -> None:
        """Store sources."""
        with self._call("put") as call:
            await self._inner.put(sources)
            call.size_bytes = sum(source.digest.size_bytes for source in sources)

    async def read(self, digest: Digest, offset: int = 0, length: int | None = None) -> AsyncIterator[bytes]:
        """Yield pieces."""
        with self._call("read") as call:
            async for piece in self._inner.read(digest, offset, length):
                call.size_bytes += len(piece)
                yield piece

    async def find(self, sha256: str) -> Digest | None:
        """Return the digest with its size; absence is reported as not_found."""
        with self._call("find") as call:
            found = await self._inner.find(sha256)
            if found is None:
                call.outcome = "not_found"
            return found

    async def delete(self, digest: Digest) -> None:
        """Forget bytes."""
        with self._call("delete"):
            await self._inner.delete(digest)

    async def walk(self) -> AsyncIterator[Digest]:
        """Yield every stored digest."""
        with self._call("walk"):
            async for digest in self._inner.walk():
                yield digest

    @contextmanager
    def _call(self, operation: str) -> Iterator[_Call]:
        started = self._clock()
        call = _Call()
        try:
            yield call
        except BaseException as error:
            call.outcome = _outcome(error)
            raise
        finally:
            self._observe(operation, call.outcome, self._clock() - started, call.size_bytes)


def _outcome(error: BaseException) -> str:
    for kind, outcome in _OUTCOMES:
        if isinstance(error, kind):
            return outcome
    return "failed" if isinstance(error, Exception) else "cancelled"
