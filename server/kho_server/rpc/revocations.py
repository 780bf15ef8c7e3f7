"""Ends the calls of principals who may call no longer, within the time between two rounds."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Protocol
from uuid import UUID

from kho_server.archive.refusals import Reason, Refusal
from kho_server.metrics import Metrics
from kho_server.rpc.identity import Identity
from kho_server.rpc.live_calls import LiveCalls


class Standing(Protocol):
    """Tells which registrations have ended."""

    async def ended_among(self, principal_ids: Sequence[UUID], at: datetime) -> Sequence[UUID]:
        """Return those of the given principals that do not stand at an instant: revoked, ended, agency revoked.

        CatalogUnavailable: nothing is known.
        """
        ...


class Revocations:
    """Watches the standing of everyone who has a call open or is remembered."""

    def __init__(
        self,
        standing: Standing,
        identity: Identity,
        live: LiveCalls,
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> None:
        """Begin without having looked; `look` is called every few seconds by the application."""
        self._standing = standing
        self._identity = identity
        self._live = live
        self._clock = clock
        self._metrics = metrics
        self._changed = asyncio.Event()

    def registry_changed(self) -> None:
        """Take in that this server changed the registry: nothing remembered counts, and look at once."""
        self._identity.forget()
        self._changed.set()

    async def changed(self, timeout_s: float) -> None:
        """Wait until this server changed the registry, at most so long."""
        try:
            async with asyncio.timeout(timeout_s):
                await self._changed.wait()
        except TimeoutError:
            return
        self._changed.clear()

    async def look(self) -> int:
        """Ask once, end the calls of those who stand no more, and return how many calls that were."""
        as_of = self._clock()
        watched = sorted(self._live.principals() | self._identity.remembered())
        ended = await self._standing.ended_among(watched, as_of) if watched else ()
        self._identity.confirm(ended, as_of)
        calls = 0
        for principal_id in ended:
            calls += self._live.end_principal(principal_id, Refusal(Reason.CLIENT_CERTIFICATE_REVOKED))
        self._metrics.callers_ended.inc(calls)
        return calls
