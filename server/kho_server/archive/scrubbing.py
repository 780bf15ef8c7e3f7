"""A rolling check of all stored bytes: so many bytes a second, for ever, going on where the last server stopped."""

import asyncio
import json
import logging
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from pathlib import Path
from typing import Protocol

from kho_storage.blobs.verifying import BlobExaminer
from kho_storage.digest import Digest
from kho_storage.errors import BlobNotFound
from kho_storage.ports import BlobStore

_log = logging.getLogger("kho.scrubbing")
_NOTE_EVERY_S = 10.0
# A small store is read in a moment; once an hour is enough for it.
_REST_S = 3600.0


class FixityLedger(Protocol):
    """Where damage is written down."""

    async def damaged(self, digest: Digest, is_repaired: bool, at: datetime) -> None:
        """Record that the bytes of a blob were found damaged, and whether they are right again."""
        ...


class ScrubObserver(Protocol):
    """Told of what the check finds; must not block."""

    def scrubbed(self, outcome: str, size_bytes: int) -> None:
        """One blob was read: right, repaired or damaged."""
        ...

    def oldest_check(self, age_s: float) -> None:
        """No blob's last check is older than this many seconds."""
        ...


@dataclass(frozen=True, slots=True)
class ScrubNote:
    """How far the check is: digests up to `position` are done in the round that began at `began_at`.

    `before_began_at` is when the round before began, None in the first one: what lies behind the position was checked
    after that.
    """

    position: str
    began_at: str
    before_began_at: str | None

    @classmethod
    def read(cls, path: Path) -> "ScrubNote | None":
        """Return what the last server noted, None when that is not to be had: then a round begins."""
        with suppress(OSError, ValueError, TypeError):
            note = cls(**json.loads(path.read_bytes()))
            for instant in (note.began_at, note.before_began_at or note.began_at):
                datetime.fromisoformat(instant)
            return note
        return None

    def write(self, path: Path) -> None:
        """Note it; unsynced, for a lost note costs reading again."""
        draft = path.with_suffix(".new")
        draft.write_text(json.dumps(asdict(self)) + "\n", "utf-8")
        draft.replace(path)


class Scrubbing:
    """Reads one blob after the other."""

    def __init__(
        self,
        *,
        blobs: BlobStore,
        examiner: BlobExaminer,
        repair: Callable[[Digest], Awaitable[bool]],
        ledger: FixityLedger,
        observer: ScrubObserver,
        note: Path,
        bytes_per_s: int,
        clock: Callable[[], datetime],
        pause: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        """`repair` brings a blob back from a second copy and tells whether it could; `pause` takes seconds."""
        self._blobs = blobs
        self._examiner = examiner
        self._repair = repair
        self._ledger = ledger
        self._observer = observer
        self._path = note
        self._bytes_per_s = bytes_per_s
        self._clock = clock
        self._pause = pause

    async def run(self) -> None:
        """Go round for ever; cancelled at the end."""
        while True:
            await self.round()
            await self._pause(_REST_S)

    async def round(self) -> int:
        """Finish the round that is under way, or do a whole one; returns how many blobs were read."""
        note = await asyncio.to_thread(ScrubNote.read, self._path) or ScrubNote("", self._clock().isoformat(), None)
        count, since_note_s = 0, 0.0
        async for digest in self._blobs.walk():
            if digest.sha256 <= note.position:
                continue
            await self._look(digest)
            count += 1
            note = replace(note, position=digest.sha256)
            rest_s = digest.size_bytes / self._bytes_per_s
            since_note_s += rest_s
            if since_note_s >= _NOTE_EVERY_S:
                await self._write(note)
                since_note_s = 0.0
            await self._pause(rest_s)
        await self._write(ScrubNote("", self._clock().isoformat(), note.began_at))
        return count

    async def _look(self, digest: Digest) -> None:
        try:
            actual: Digest | None = (await self._examiner.examine(digest)).actual
        except BlobNotFound:
            # Deleted since it was listed.
            return
        except OSError:
            actual = None
        # The name says what the bytes must hash to; their size stands in the rows alone.
        if actual is not None and actual.sha256 == digest.sha256:
            self._observer.scrubbed("right", actual.size_bytes)
            return
        is_repaired = await self._repair(digest)
        self._observer.scrubbed("repaired" if is_repaired else "damaged", digest.size_bytes)
        facts = {"sha256": digest.sha256, "repaired": is_repaired}
        _log.error("the bytes of a blob are damaged", extra={"facts": facts})
        await self._ledger.damaged(digest, is_repaired, self._clock())

    async def _write(self, note: ScrubNote) -> None:
        await asyncio.to_thread(note.write, self._path)
        began = datetime.fromisoformat(note.before_began_at or note.began_at)
        self._observer.oldest_check((self._clock() - began).total_seconds())
