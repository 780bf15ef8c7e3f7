"""When to ask again: back-off with jitter, reset by progress, RetryInfo obeyed (the rule of UploadService).

A fixed deadline restarts big uploads for ever on slow links; what is bounded here is the time *without progress*.
"""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from kho_client.errors import KhoError

Sleep = Callable[[float], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long to go on; all in seconds.

    `first_contact_s` bounds the time until anything succeeds, `without_progress_s` the time since the last
    progress after that; 0 means: never ask again.
    """

    first_contact_s: float = 5.0
    without_progress_s: float = 300.0
    first_wait_s: float = 0.25
    longest_wait_s: float = 15.0
    factor: float = 2.0


QUICK = Patience(first_contact_s=3.0, without_progress_s=3.0)
"""For short questions that a person waits for."""


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Time and chance as handed in: a monotonic clock in seconds, a sleep, a number in [0, 1)."""

    clock: Callable[[], float] = time.monotonic
    sleep: Sleep = asyncio.sleep
    chance: Callable[[], float] = random.random


REAL = Surroundings()


class Retry:
    """The waits of one task that may be tried again."""

    def __init__(self, patience: Patience, surroundings: Surroundings = REAL) -> None:
        """Begin now."""
        self._patience = patience
        self._around = surroundings
        self._since = surroundings.clock()
        self._next_wait_s = patience.first_wait_s
        self._allowed_s = patience.first_contact_s
        self.attempts = 1

    def progress(self) -> None:
        """Start the back-off afresh: something came through."""
        self._since = self._around.clock()
        self._next_wait_s = self._patience.first_wait_s
        self._allowed_s = self._patience.without_progress_s

    async def wait_after(self, error: KhoError) -> None:
        """Sleep until it is time to try again; raises `error` when it is not worth it or patience is over."""
        if not error.retryable:
            raise error
        # Full jitter would let desks that lost one link come back at once; half of the wait is certain.
        wait_s = self._next_wait_s * (0.5 + self._around.chance() / 2)
        if error.retry_after_s is not None:
            wait_s = max(wait_s, error.retry_after_s)
        if self._around.clock() - self._since + wait_s > self._allowed_s:
            raise error
        self.attempts += 1
        self._next_wait_s = min(self._next_wait_s * self._patience.factor, self._patience.longest_wait_s)
        await self._around.sleep(wait_s)
