"""Upload sessions over a spool in memory or in files, for tests that need no catalog."""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from uuid import UUID

import google_crc32c

from kho_server.archive.limits import UploadLimits
from kho_server.archive.upload_session import UploadSession
from kho_server.rules.media_type import MediaType
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.memory import MemoryBlobStore, MemoryUploadSpool
from kho_storage.digest import Digest
from kho_storage.parts import PartId, PartKind, SpooledPart, UploadId
from kho_storage.ports import BlobStore, UploadSpool
from tests.server.archive.archive_house import CountingObserver

UPLOAD = UploadId(UUID(int=1), UUID(int=2), 1)
LIMITS = UploadLimits(chunk_bytes=256, page_bytes=8192, rendition_bytes=16_384, unacknowledged_bytes=1024)
PAGE_1, PAGE_2, PAGE_3 = (PartId(PartKind.PAGE, number) for number in (1, 2, 3))
RENDITION = PartId(PartKind.RENDITION, 1)
DECLARED = frozenset({PAGE_1, PAGE_2, PAGE_3, RENDITION})
KINDS = ("memory", "files")


@asynccontextmanager
async def opened_spool(kind: str) -> AsyncIterator[UploadSpool]:
    """Lend an empty spool of a kind; on the way out nothing of it may be under way any more."""
    if kind == "memory":
        yield MemoryUploadSpool()
        return
    files = DurableFiles()
    sync = GroupSync(files)
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(4) as threads:
        spool = FileSystemUploadSpool(Path(folder), sync=sync, threads=threads, files=files)
        try:
            yield spool
        finally:
            await sync.close()


class Stream:
    """A session with a reader that notes what is acknowledged, as a client would."""

    def __init__(self, session: UploadSession) -> None:
        """Read from now on."""
        self.session = session
        self.news: list[SpooledPart] = []
        self.failure: Exception | None = None
        self._reader = asyncio.ensure_future(self._read())

    async def _read(self) -> None:
        try:
            while (news := await self.session.next_progress()) is not None:
                self.news.append(news)
        except Exception as error:
            self.failure = error

    async def send(self, part: PartId, content: bytes, begin: int = 0, end: int | None = None) -> None:
        """Send a header and a range of the content in messages as large as they may be."""
        await self.session.begin_part(part, Digest.of(content), MediaType.JPEG)
        end = len(content) if end is None else end
        for offset in range(begin, end, LIMITS.chunk_bytes):
            piece = content[offset : min(end, offset + LIMITS.chunk_bytes)]
            await self.session.data(offset, piece, google_crc32c.value(piece))

    async def finish(self) -> None:
        """End in order."""
        await self.session.finish()
        await self.close()

    async def close(self) -> None:
        """End in any way."""
        await self.session.close()
        await self._reader

    @property
    def complete(self) -> set[PartId]:
        """Parts that were acknowledged as complete."""
        return {news.part for news in self.news if news.digest is not None}


async def open_stream(
    spool: UploadSpool,
    *,
    limits: UploadLimits = LIMITS,
    declared: frozenset[PartId] = DECLARED,
    blobs: BlobStore | None = None,
    base_pages: Mapping[PartId, Digest] | None = None,
    observer: CountingObserver | None = None,
) -> Stream:
    """Open a session as the desk does."""
    spooled = await spool.parts(UPLOAD)
    blobs = blobs or MemoryBlobStore()
    observer = observer or CountingObserver()
    return Stream(UploadSession(UPLOAD, declared, spool, blobs, limits, observer, spooled, base_pages or {}))


async def persisted(spool: UploadSpool) -> dict[PartId, tuple[int, bool]]:
    """Return what a Begin would tell: bytes, and whether complete."""
    return {part.part: (part.persisted_bytes, part.digest is not None) for part in await spool.parts(UPLOAD)}


async def no_tasks_left() -> None:
    """Wait until nothing but the test itself is under way; the test's own time-out says when it never is."""
    others = asyncio.all_tasks() - {asyncio.current_task()}
    while others:
        with suppress(asyncio.CancelledError):
            await asyncio.wait(others)
        others = asyncio.all_tasks() - {asyncio.current_task()}
