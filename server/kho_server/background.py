"""Work that goes on beside the calls, and survives its own failures."""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from contextlib import suppress

from kho_server.metrics import Metrics

_log = logging.getLogger("kho.background")
_RESTART_S = 5.0

Round = Callable[[], Awaitable[object]]


class Background:
    """The tasks of a server; a round that fails is counted and logged, and the next one comes in its time."""

    def __init__(self, metrics: Metrics, *, jitter: Callable[[], float] = random.random) -> None:
        """`jitter` returns 0 to 1: rounds of many servers should not fall together."""
        self._metrics = metrics
        self._jitter = jitter
        self._tasks: list[asyncio.Task[None]] = []

    def every(self, name: str, seconds: float, work: Round) -> None:
        """Do a round now and then again so many seconds after the last one, up to a tenth more."""

        async def rounds() -> None:
            while True:
                await self._round(name, work)
                await asyncio.sleep(seconds * (1 + self._jitter() / 10))

        self._start(name, rounds)

    def keep(self, name: str, work: Round) -> None:
        """Run something that goes on for ever, and again a while after it failed."""

        async def again() -> None:
            while True:
                await self._round(name, work)
                await asyncio.sleep(_RESTART_S)

        self._start(name, again)

    async def stop(self) -> None:
        """Cancel all tasks and wait for their ends. Idempotent."""
        tasks, self._tasks = self._tasks, []
        for task in tasks:
            task.cancel()
        for task in tasks:
            with suppress(asyncio.CancelledError):
                await task

    def _start(self, name: str, work: Callable[[], Awaitable[None]]) -> None:
        async def run() -> None:
            await work()

        # Shown as 0 before it fails: what counts growth would miss a series that begins with its first failure.
        self._metrics.background_failures.labels(name)
        self._tasks.append(asyncio.create_task(run(), name=name))

    async def _round(self, name: str, work: Round) -> None:
        try:
            await work()
        except Exception as error:
            self._metrics.background_failures.labels(name).inc()
            _log.warning("background work failed", extra={"facts": {"task": name}}, exc_info=error)
