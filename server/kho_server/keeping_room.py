"""What keeps a store trustworthy beside the calls: events in segments."""

import logging
from collections.abc import Awaitable, Callable

from kho_server.archive_room import ArchiveRoom, House
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
    return finish
