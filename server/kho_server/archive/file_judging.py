"""Judging a file that somebody streams, without keeping it."""

import hashlib
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import aiofiles

from kho_server.archive.blob_files import scratch_file
from kho_server.archive.observer import Observer
from kho_server.archive.refusals import Reason, Refusal
from kho_server.verification.port import SignatureVerifier
from kho_server.verification.verdict import Verdict


class FileJudging:
    """Writes a stream to a private file, judges it, forgets it; memory is one piece."""

    def __init__(
        self,
        verifier: SignatureVerifier,
        scratch: Path,
        *,
        max_bytes: int,
        chunk_bytes: int,
        admit: Callable[[], None],
        observer: Observer,
    ) -> None:
        """`admit` raises STORAGE_FULL when the disk has no room."""
        self._verifier = verifier
        self._scratch = scratch
        self._max_bytes = max_bytes
        self._chunk_bytes = chunk_bytes
        self._admit = admit
        self._observer = observer

    async def judge(self, pieces: AsyncIterator[bytes]) -> Verdict:
        """Return the verdict on a whole file. Refusals: PART_EMPTY, FILE_TOO_LARGE, CHUNK_TOO_LARGE, STORAGE_FULL."""
        self._admit()
        hasher = hashlib.sha256()
        size = 0
        async with scratch_file(self._scratch) as path:
            async with aiofiles.open(path, "wb") as file:
                async for piece in pieces:
                    if len(piece) > self._chunk_bytes:
                        raise Refusal(Reason.CHUNK_TOO_LARGE, limit_bytes=self._chunk_bytes)
                    size += len(piece)
                    if size > self._max_bytes:
                        raise Refusal(Reason.FILE_TOO_LARGE, limit_bytes=self._max_bytes)
                    hasher.update(piece)
                    await file.write(piece)
            if size == 0:
                raise Refusal(Reason.PART_EMPTY, part="file")
            started = time.perf_counter()
            verdict = await self._verifier.verify(path, hasher.hexdigest())
            self._observer.judged(verdict.indication.value, time.perf_counter() - started)
            return verdict
