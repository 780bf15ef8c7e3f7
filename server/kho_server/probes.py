"""Looks at the server from inside, so that health and metrics tell the truth."""

import asyncio
import contextlib
import logging
from collections.abc import Callable
from datetime import datetime

from kho_server.background import Background
from kho_server.disk_room import DiskRoom
from kho_server.metrics import Metrics
from kho_server.rpc.health import Condition, Health
from kho_server.rpc.tls import ServerTls
from kho_server.verification.worker_pool import WorkerPool
from kho_storage.catalog.access_log import PostgresAccessLog
from kho_storage.catalog.backlog import VerificationBacklog, verification_backlog
from kho_storage.catalog.database import Database
from kho_storage.catalog.sequencer import Sequencer
from kho_storage.errors import StorageError

_log = logging.getLogger("kho.probes")

_CONDITION_EVERY_S = 1.0
_LAG_EVERY_S = 0.25
_LAG_WINDOW = 20
_BACKLOG_EVERY_S = 5.0
_TLS_EVERY_S = 30.0


class Probes:
    """Rounds of looking: database and disk, event loop, workers, certificates."""

    def __init__(
        self,
        *,
        database: Database,
        access_log: PostgresAccessLog,
        sequencer: Sequencer,
        disk: DiskRoom,
        pool: WorkerPool,
        tls: ServerTls,
        health: Health,
        metrics: Metrics,
        clock: Callable[[], datetime],
    ) -> None:
        """Look at these."""
        self._database = database
        self._access_log = access_log
        self._sequencer = sequencer
        self._disk = disk
        self._pool = pool
        self._tls = tls
        self._health = health
        self._metrics = metrics
        self._clock = clock
        self._restarts = 0
        self._backlog = VerificationBacklog(0, None, 0)

    def start(self, background: Background) -> None:
        """Look again and again."""
        background.every("probe", _CONDITION_EVERY_S, self.look)
        background.every("probe_backlog", _BACKLOG_EVERY_S, self.look_at_backlog)
        background.every("probe_tls", _TLS_EVERY_S, self.look_at_tls)
        background.keep("probe_event_loop", self._watch_event_loop)

    async def look(self) -> None:
        """Look once at database, disk and workers, and say how the server stands."""
        try:
            await self._database.ping()
            answers = True
        except Exception as error:
            # Whatever stands in the way, the database does not answer; the health of a server is no place to guess.
            _log.warning("the database does not answer", extra={"facts": {"error": type(error).__name__}})
            answers = False
        metrics = self._metrics
        metrics.database_up.set(answers)
        idle = self._database.connections_idle
        metrics.database_connections.labels("idle").set(idle)
        metrics.database_connections.labels("used").set(self._database.connections_open - idle)
        metrics.disk_free_bytes.set(self._disk.free_bytes)
        lag = self._sequencer.lag
        metrics.event_position_lag.set(lag.events)
        metrics.event_position_lag_seconds.set(lag.age_s)
        metrics.verification_queue_files.set(self._pool.waiting)
        restarts = self._pool.restarts
        metrics.worker_restarts.inc(restarts - self._restarts)
        self._restarts = restarts
        takes_records = answers and await self._takes_records()
        if not self._health.condition.is_draining:
            condition = Condition(answers, self._disk.has_room, takes_records=takes_records)
            await self._health.say(condition)

    async def look_at_backlog(self) -> None:
        """Look once at what waits for a verdict; while the database is away the oldest goes on ageing."""
        metrics = self._metrics
        with contextlib.suppress(StorageError):  # kho_database_up says so
            self._backlog = await verification_backlog(self._database)
        metrics.verifications_waiting.set(self._backlog.unjudged)
        metrics.verifications_undecided.set(self._backlog.undecided)
        metrics.verification_oldest_seconds.set(self._backlog.age_s(self._clock()))

    async def _takes_records(self) -> bool:
        """Tell whether an access can be recorded; tried when in doubt only, for each trial leaves dead rows."""
        if not self._access_log.is_refused and not self._disk.is_nearly_full:
            return True
        try:
            await self._access_log.rehearse(self._clock())
        except Exception as error:
            _log.warning("accesses cannot be recorded", extra={"facts": {"error": type(error).__name__}})
            return False
        return True

    async def look_at_tls(self) -> None:
        """Take changed TLS files over even while nobody connects, and say how long the certificates last."""
        await asyncio.to_thread(self._tls.renewed)
        for use, days in self._tls.material.days_left(self._clock()).items():
            self._metrics.certificate_days_left.labels(use).set(days)

    async def _watch_event_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            worst = 0.0
            for _ in range(_LAG_WINDOW):
                due = loop.time() + _LAG_EVERY_S
                await asyncio.sleep(_LAG_EVERY_S)
                worst = max(worst, loop.time() - due)
            self._metrics.event_loop_lag_seconds.set(worst)
