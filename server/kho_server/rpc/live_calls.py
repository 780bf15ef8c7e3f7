"""Which calls are open, whose they are, and how they are ended before their time."""

import asyncio
import contextlib
from collections.abc import Iterator
from uuid import UUID

from kho_server.archive.refusals import Reason, Refusal
from kho_server.metrics import Metrics


class LiveCall:
    """One open call; `ending` says why the server ended it, None while nothing but the client could."""

    def __init__(self, task: "asyncio.Task[object]", *, is_stream: bool, is_waited_for: bool) -> None:
        """Hold the task that serves it."""
        self._task = task
        self.is_stream = is_stream
        self.is_waited_for = is_waited_for
        self.principal_id: UUID | None = None
        self.ending: Refusal | None = None

    def end(self, why: Refusal) -> None:
        """End the call with a refusal, unless it is the one that asks or is ending already."""
        if self.ending is None and self._task is not asyncio.current_task() and not self._task.done():
            self.ending = why
            self._task.cancel()

    def take_back(self) -> None:
        """Undo the cancellation that ended the call, so that its answer can still be sent."""
        self._task.uncancel()


class LiveCalls:
    """All open calls of this server, bounded in number as a whole and in streams of each principal."""

    def __init__(self, metrics: Metrics, *, concurrent_rpcs: int, streams_per_principal: int) -> None:
        """Begin with none."""
        self._metrics = metrics
        self._concurrent_rpcs = concurrent_rpcs
        self._streams_per_principal = streams_per_principal
        self._calls: set[LiveCall] = set()
        self._of_principal: dict[UUID, set[LiveCall]] = {}
        self._is_draining = False
        self._nothing_to_wait_for = asyncio.Event()
        self._nothing_to_wait_for.set()
        self._waited_for = 0

    @contextlib.contextmanager
    def opened(self, *, is_stream: bool, is_waited_for: bool = True) -> Iterator[LiveCall]:
        """Count a call in for as long as the block runs; its task is the current one.

        `is_waited_for` is false for calls that draining neither refuses nor waits for: health and reflection.
        Refusals: SERVER_DRAINING, TOO_MANY_REQUESTS.
        """
        if self._is_draining and is_waited_for:
            raise Refusal(Reason.SERVER_DRAINING)
        if len(self._calls) >= self._concurrent_rpcs:
            raise Refusal(Reason.TOO_MANY_REQUESTS)
        task = asyncio.current_task()
        assert task is not None
        call = LiveCall(task, is_stream=is_stream, is_waited_for=is_waited_for)
        self._calls.add(call)
        self._count(call, 1)
        try:
            yield call
        finally:
            self._calls.discard(call)
            self._count(call, -1)
            if call.principal_id is not None:
                mine = self._of_principal[call.principal_id]
                mine.discard(call)
                if not mine:
                    del self._of_principal[call.principal_id]

    def belongs_to(self, call: LiveCall, principal_id: UUID) -> None:
        """Say whose call it is. TOO_MANY_REQUESTS: that principal has as many streams open as it may."""
        mine = self._of_principal.get(principal_id, set())
        if call.is_stream and sum(each.is_stream for each in mine) >= self._streams_per_principal:
            raise Refusal(Reason.TOO_MANY_REQUESTS)
        call.principal_id = principal_id
        self._of_principal.setdefault(principal_id, mine).add(call)

    def principals(self) -> frozenset[UUID]:
        """Return who has calls open."""
        return frozenset(self._of_principal)

    def end_principal(self, principal_id: UUID, why: Refusal) -> int:
        """End all calls of a principal and return how many they were."""
        mine = tuple(self._of_principal.get(principal_id, ()))
        for call in mine:
            call.end(why)
        return len(mine)

    def drain(self) -> None:
        """Refuse new calls from now on."""
        self._is_draining = True

    async def drained(self, timeout_s: float) -> bool:
        """Wait until no call is open that is waited for; false if some still are after `timeout_s`."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._nothing_to_wait_for.wait()
        except TimeoutError:
            return False
        return True

    def end_all(self, why: Refusal) -> int:
        """End every call and return how many there were."""
        calls = tuple(self._calls)
        for call in calls:
            call.end(why)
        return len(calls)

    def _count(self, call: LiveCall, step: int) -> None:
        self._metrics.rpcs_open.inc(step)
        if call.is_stream:
            self._metrics.streams_open.inc(step)
        if call.is_waited_for:
            self._waited_for += step
            if self._waited_for:
                self._nothing_to_wait_for.clear()
            else:
                self._nothing_to_wait_for.set()
