"""A bounded queue that serves callers in turn, so that one with many files does not hold up the others."""

import asyncio
from collections import OrderedDict, deque
from typing import Generic, TypeVar

T = TypeVar("T")


class QueueFullError(Exception):
    """As many items wait as may wait."""


class FairQueue(Generic[T]):
    """First in, first out for each caller; callers take turns."""

    def __init__(self, capacity: int) -> None:
        self._capacity = capacity
        self._lanes: OrderedDict[str, deque[T]] = OrderedDict()
        self._items = asyncio.Semaphore(0)
        self._size = 0

    def __len__(self) -> int:
        return self._size

    def put(self, caller: str, item: T) -> None:
        """Add an item at the end of its caller's lane. QueueFullError: there is no room."""
        if self._size >= self._capacity:
            raise QueueFullError
        self._lanes.setdefault(caller, deque()).append(item)
        self._size += 1
        self._items.release()

    async def take(self) -> T:
        """Wait for an item and take the first of the caller whose turn it is. Cancelling takes nothing."""
        await self._items.acquire()
        return self._pop()

    def drain(self) -> list[T]:
        """Take everything that waits; for whoever closes the queue."""
        return [self._pop() for _ in range(self._size)]

    def _pop(self) -> T:
        caller, lane = self._lanes.popitem(last=False)
        item = lane.popleft()
        self._size -= 1
        if lane:
            self._lanes[caller] = lane  # behind the callers that have not had their turn
        return item
