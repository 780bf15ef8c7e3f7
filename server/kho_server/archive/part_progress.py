"""What became durable and has not been told yet."""

import asyncio

from kho_storage.parts import PartId, SpooledPart


class PartProgress:
    """News of the parts of one stream, in the order in which each first had any.

    Memory: the newest news of each part, so that a client that never reads its acknowledgements costs no more than
    the parts it declared.
    """

    def __init__(self) -> None:
        """Begin without news."""
        self._news: dict[PartId, SpooledPart] = {}
        self._is_ended = False
        self._failure: Exception | None = None
        self._changed = asyncio.Event()

    def tell(self, news: SpooledPart) -> None:
        """Tell the newest of a part."""
        self._news[news.part] = news
        self._changed.set()

    def end(self, failure: Exception | None = None) -> None:
        """Say that no more will come, and why if something went wrong; the first end counts."""
        if not self._is_ended:
            self._is_ended, self._failure = True, failure
            self._changed.set()

    async def next(self) -> SpooledPart | None:
        """Return the next news, None at an orderly end; raises what ended it once all that came before is told."""
        while not self._news:
            if self._failure is not None:
                raise self._failure
            if self._is_ended:
                return None
            self._changed.clear()
            await self._changed.wait()
        return self._news.pop(next(iter(self._news)))
