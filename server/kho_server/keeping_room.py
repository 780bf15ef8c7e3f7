"""What keeps a store trustworthy beside the calls: events in segments, and a rolling check of its bytes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable

from kho_server.archive.scrubbing import Scrubbing, ScrubObserver
from kho_server.archive_room import ArchiveRoom, House
from kho_server.keeping.store_layout import blob_path
from kho_server.metrics import Metrics
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.repairing import repair_from
from kho_storage.catalog.fixity import PostgresFixity
from kho_storage.digest import Digest
from kho_storage.errors import StorageError
from kho_storage.segments.folder import SegmentFolder
from kho_storage.segments.keeper import SegmentKeeper

_log = logging.getLogger("kho.keeping")


def add_keeping(house: House, room: ArchiveRoom) -> Callable[[], Awaitable[None]]:
    """Add what goes on beside the calls, and return what is to be done at the end of serving."""
    index = house.index
    keeper = SegmentKeeper(SegmentFolder(house.room.folder.events), index.database, index.store.store_id)

    async def finish() -> None:
        """Leave nothing that only the database knows; what stands in the way now is done at the next start."""
        try:
            await index.sequencer.give()
            await keeper.keep()
        except (StorageError, OSError) as error:
            _log.warning("the last events are not in the store yet", exc_info=error)

    # First of all: over a database that is older than the store nothing may be settled.
    room.before_serving.insert(0, keeper.must_follow)
    room.beside.append(lambda background: background.every("segments", house.config.segments_every_s, keeper.keep))
    if house.config.scrub_bytes_per_s:
        scrubbing = _scrubbing(house)
        room.beside.append(lambda background: background.keep("scrub", scrubbing.run))
    return finish


def _scrubbing(house: House) -> Scrubbing:
    data, second, files = house.room.folder, house.config.second_copy, DurableFiles()

    async def repair(digest: Digest) -> bool:
        if second is None:
            return False
        source, target = (root / blob_path(digest.sha256) for root in (second, data.root))
        # The size that the damaged file has says nothing; the digest is enough.
        size = await asyncio.to_thread(lambda: source.stat().st_size if source.is_file() else -1)
        if size < 0:
            return False
        right = Digest(digest.sha256, size)
        return await asyncio.to_thread(repair_from, source, target, right, data.blobs / "incoming", files)

    return Scrubbing(
        blobs=house.room.blobs,
        examiner=house.room.examiner,
        repair=repair,
        ledger=PostgresFixity(house.index.database),
        observer=_CountingScrub(house.metrics),
        note=data.root / "scrub.json",
        bytes_per_s=house.config.scrub_bytes_per_s,
        clock=house.clock,
    )


class _CountingScrub(ScrubObserver):
    """Turns what the check finds into metrics."""

    def __init__(self, metrics: Metrics) -> None:
        self._metrics = metrics

    def scrubbed(self, outcome: str, size_bytes: int) -> None:
        """Count; what could not be repaired raises the alert of damaged blobs."""
        self._metrics.scrubbed_blobs.labels(outcome).inc()
        self._metrics.scrubbed_bytes.inc(size_bytes)
        if outcome == "damaged":
            self._metrics.blobs_damaged.inc()

    def oldest_check(self, age_s: float) -> None:
        """Show the age."""
        self._metrics.scrub_oldest_check_seconds.set(age_s)
