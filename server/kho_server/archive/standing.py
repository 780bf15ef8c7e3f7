"""Tells those who wait for a verdict that a document may stand elsewhere now."""

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable
from typing import TypeVar
from uuid import UUID

T = TypeVar("T")
# Another server over the same database may have judged: look again now and then.
_LOOK_AGAIN_S = 1.0


class Standing:
    """Waiting without polling hard; bounded by the calls that wait."""

    def __init__(self) -> None:
        """Begin with nobody waiting."""
        self._waiting: defaultdict[UUID, set[asyncio.Event]] = defaultdict(set)

    def changed(self, document_uuid: UUID) -> None:
        """Wake those who wait for this document."""
        for event in self._waiting.get(document_uuid, ()):
            event.set()

    async def until(
        self, document_uuid: UUID, look: Callable[[], Awaitable[T]], is_done: Callable[[T], bool], timeout_s: float
    ) -> T:
        """Return what `look` says as soon as it is done, or what it says when the time is over."""
        event = asyncio.Event()
        self._waiting[document_uuid].add(event)
        deadline = asyncio.get_running_loop().time() + timeout_s
        try:
            while True:
                event.clear()
                seen = await look()
                left = deadline - asyncio.get_running_loop().time()
                if is_done(seen) or left <= 0:
                    return seen
                try:
                    async with asyncio.timeout(min(left, _LOOK_AGAIN_S)):
                        await event.wait()
                except TimeoutError:
                    continue
        finally:
            waiting = self._waiting[document_uuid]
            waiting.discard(event)
            if not waiting:
                del self._waiting[document_uuid]
