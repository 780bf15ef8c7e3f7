"""Brings content to a file: digest first, resumed after a break, whole and right or not there at all.

Bytes gather in FILE.part; it takes the place of FILE only when its SHA-256 is the announced one.
"""

import asyncio
import hashlib
import os
from collections.abc import AsyncGenerator, Callable
from contextlib import ExitStack, aclosing
from dataclasses import dataclass
from pathlib import Path

import google_crc32c
from aiofiles.threadpool import wrap
from aiofiles.threadpool.binary import AsyncBufferedIOBase
from grpc import aio

from kho.v1 import content_pb2
from kho_client.calls import Calls
from kho_client.errors import ContentDamaged, KhoError, Text, local_problem
from kho_client.retry import Patience

ContentMessage = content_pb2.ContentHeader | content_pb2.ContentData
OpenContent = Callable[[int], AsyncGenerator[ContentMessage, None]]
"""Asks the server for content from an offset on; yields the header, then data."""

# A link that damages a message twice in a row will damage the next one too.
_DAMAGED_MESSAGES = 3


@dataclass(frozen=True, slots=True)
class Downloaded:
    """A file that is whole; `bytes_resumed` were there from an earlier try."""

    path: Path
    access_id: str
    digest: str
    size_bytes: int
    media_type: str
    version: int
    bytes_resumed: int


class Download:
    """One download to one file; use once."""

    def __init__(
        self,
        calls: Calls,
        open_content: OpenContent,
        target: Path,
        *,
        patience: Patience | None = None,
        on_progress: Callable[[int, int], None] = lambda have, size: None,
    ) -> None:
        """`on_progress` is told the bytes that are there and the whole size."""
        self._calls = calls
        self._open = open_content
        self._target = target
        self._partial = target.with_name(target.name + ".part")
        self._retry = calls.retry(patience or Patience(without_progress_s=120.0))
        self._on_progress = on_progress
        self._header = content_pb2.ContentHeader()
        self._damaged = 0

    async def run(self) -> Downloaded:
        """Bring it; KhoError when refused, ContentDamaged when the bytes are wrong (then no file is left)."""
        resumed = self._have()
        while True:
            began_at = self._have()
            try:
                await self._stream(began_at)
                await self._seal()
            except aio.AioRpcError as error:
                understood = await self._calls.understood(error)
                if understood.reason == "OFFSET_BEYOND_END" and began_at:
                    self._partial.unlink()
                    resumed = 0
                    continue
                await self._retry.wait_after(understood)
            except ContentDamaged as error:
                if not error.retryable and resumed:
                    # The beginning came from an earlier run and was of other content: once more, from zero.
                    resumed = 0
                    continue
                await self._retry.wait_after(error)
            except OSError as error:
                raise _unwritable(self._partial, error) from error
            else:
                return self._downloaded(resumed)

    async def _stream(self, offset: int) -> None:
        with ExitStack() as opened:
            file: AsyncBufferedIOBase | None = None
            async with aclosing(self._open(offset)) as messages:
                async for message in messages:
                    if isinstance(message, content_pb2.ContentHeader):
                        self._announce(message)
                        # Opened in one step and then wrapped: cancelled while it opens, aiofiles would leave it open.
                        file = wrap(opened.enter_context(await asyncio.to_thread(self._partial.open, "ab")))
                        continue
                    if file is None or message.offset != offset or _is_damaged(message):
                        raise self._link_damages()
                    await file.write(message.data)
                    offset += len(message.data)
                    self._damaged = 0
                    self._retry.progress()
                    self._on_progress(offset, self._header.size_bytes)
            if file is None or offset < self._header.size_bytes:
                raise self._link_damages()
            await file.flush()
            await asyncio.to_thread(os.fsync, file.fileno())

    def _announce(self, header: content_pb2.ContentHeader) -> None:
        if self._header.digest and header.digest != self._header.digest:
            # A correction was sealed between two tries: what is there belongs to the version before.
            self._partial.unlink(missing_ok=True)
            raise _wrong_digest(retryable=True)
        self._header = header
        self._on_progress(self._have(), header.size_bytes)

    async def _seal(self) -> None:
        if self._have() == self._header.size_bytes:
            found = await asyncio.to_thread(_sha256, self._partial)
            if f"sha256:{found}" == self._header.digest:
                await asyncio.to_thread(os.replace, self._partial, self._target)
                return
        await asyncio.to_thread(self._partial.unlink, missing_ok=True)
        raise _wrong_digest(retryable=False)

    def _link_damages(self) -> KhoError:
        self._damaged += 1
        text = Text(
            "Dữ liệu bị hỏng trên đường truyền. Hãy thử lại; nếu lặp lại, hãy báo quản trị mạng.",
            "The link damages data. Try again; if it happens again, tell the network administrator.",
        )
        return ContentDamaged("DATA_LOSS", "CHECKSUM_MISMATCH", text, retryable=self._damaged < _DAMAGED_MESSAGES)

    def _have(self) -> int:
        try:
            return self._partial.stat().st_size
        except FileNotFoundError:
            return 0

    def _downloaded(self, resumed: int) -> Downloaded:
        header = self._header
        return Downloaded(
            self._target,
            header.access_id,
            header.digest,
            header.size_bytes,
            header.media_type,
            header.version,
            resumed,
        )


def _is_damaged(message: content_pb2.ContentData) -> bool:
    return bool(google_crc32c.value(message.data) != message.crc32c)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _wrong_digest(*, retryable: bool) -> ContentDamaged:
    text = Text(
        "Nội dung nhận được không khớp mã băm đã báo; tệp không được giữ lại. Hãy tải lại và báo quản trị Kho.",
        "The content does not hash to what was announced; no file is kept. Fetch again and tell the administrator.",
    )
    return ContentDamaged("DATA_LOSS", "CONTENT_DIGEST_MISMATCH", text, retryable=retryable)


def _unwritable(path: Path, error: OSError) -> KhoError:
    why = error.strerror or type(error).__name__
    text = Text(
        f"Không ghi được tệp {path} ({why}). Hãy chọn thư mục khác hoặc giải phóng ổ đĩa.",
        f"The file {path} cannot be written ({why}). Choose another folder or make room.",
    )
    return local_problem("FILE_UNWRITABLE", text, file=str(path))
