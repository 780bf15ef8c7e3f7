"""Reads a request stream without ever losing a message to a time-out."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta
from typing import Generic, TypeVar

from kho_server.archive.refusals import Reason, Refusal

M = TypeVar("M")


class StreamFeed(Generic[M]):
    """One pending read at a time; a tick about every second; a limit for silence, none for the whole."""

    def __init__(self, requests: AsyncIterator[M], *, tick_s: float, stall_timeout_s: float) -> None:
        """Read from `requests`; `tick_s` is how often `on_tick` of `next` runs."""
        self._requests = requests
        self._tick_s = tick_s
        self._stall_timeout_s = stall_timeout_s
        self._pending: asyncio.Task[M] | None = None
        self._is_ended = False
        self._ticked_at = self._waits_since = time.monotonic()

    async def next(self, on_tick: Callable[[], Awaitable[None]] | None = None) -> M | None:
        """Return the next message, None at the end of the stream or after `end`. Refusal: UPLOAD_STALLED."""
        await self._tick(on_tick)
        if self._is_ended:
            return None
        if self._pending is None:
            # From now on the other side is silent; what we did with its last message is our own time.
            self._waits_since = time.monotonic()
            self._pending = asyncio.ensure_future(_read(self._requests))
        while not self._pending.done():
            await asyncio.wait({self._pending}, timeout=self._tick_s)
            if not self._pending.done() and time.monotonic() - self._waits_since > self._stall_timeout_s:
                raise Refusal(
                    Reason.UPLOAD_STALLED,
                    stall_timeout_s=int(self._stall_timeout_s),
                    retry_after=timedelta(seconds=1),
                )
            await self._tick(on_tick)
        pending, self._pending = self._pending, None
        if pending.cancelled():
            return None
        try:
            return pending.result()
        except _EndOfStream:
            return None

    async def _tick(self, on_tick: Callable[[], Awaitable[None]] | None) -> None:
        now = time.monotonic()
        if on_tick is not None and now - self._ticked_at >= self._tick_s:
            self._ticked_at = now
            await on_tick()

    def end(self) -> None:
        """Stop reading: a `next` that waits, and every later one, returns None. Idempotent."""
        self._is_ended = True
        if self._pending is not None:
            self._pending.cancel()
            # A read that ended with an error just now is nobody's concern any more.
            self._pending.add_done_callback(lambda read: read.cancelled() or read.exception())


class _EndOfStream(Exception):
    """A task cannot end with StopAsyncIteration; this stands for it."""


async def _read(requests: AsyncIterator[M]) -> M:
    try:
        return await anext(requests)
    except StopAsyncIteration:
        raise _EndOfStream from None
