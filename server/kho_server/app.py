"""The only composition root: what a server is made of, in the order it is made and unmade.

Start: 1. data folder, whose lock keeps a second server out; 2. TLS files, made first with --dev; 3. PostgreSQL, schema,
and the check that both belong together; 4. workers that verify; 5. use cases; what an earlier death left is settled;
6. the door opens, then the operators' addresses, then the ready file says so. Stop goes the other way, after calls
that are open have had their time.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive_room import House, archive_room
from kho_server.background import Background
from kho_server.bootstrap import register_development
from kho_server.byte_room import ByteRoom
from kho_server.config import Config
from kho_server.counting_observer import CountingObserver
from kho_server.dev_pki import write_dev_pki
from kho_server.disk_room import DiskRoom
from kho_server.document_room import add_documents
from kho_server.index_room import IndexRoom, index_room
from kho_server.keeping_room import add_keeping
from kho_server.metrics import Metrics
from kho_server.ops_server import OpsServer
from kho_server.probes import Probes
from kho_server.ready_file import Ready
from kho_server.registry_room import add_registry
from kho_server.rpc.tls import ServerTls, TlsFiles
from kho_server.setting import Address, CannotListen
from kho_server.verification.limits import FileLimits, WorkerLimits
from kho_server.verification.worker_pool import WorkerPool
from kho_server.wire_room import WireRoom

_log = logging.getLogger("kho.app")


def utc_now() -> datetime:
    """Return the instant it is."""
    return datetime.now(UTC)


class App:
    """One server; `start` and `stop` once each."""

    def __init__(self, config: Config, *, clock: Callable[[], datetime] = utc_now) -> None:
        """Take the settings; nothing is touched yet."""
        self._config = config
        self._clock = clock
        self._stack = AsyncExitStack()
        self._wire: WireRoom | None = None
        self._ready_file: Path | None = None
        self.metrics = Metrics()

    async def start(self) -> Ready:
        """Start everything and return where it is served.

        ConfigError, CannotListen, TlsUnusable, DevPkiError, VerifierUnavailable and the errors of storage say in plain
        words why not; nothing is left running then.
        """
        try:
            return await self._start()
        except BaseException:
            await self._stack.aclose()
            raise

    async def stop(self, *, drain_s: float | None = None) -> None:
        """Let open calls finish within `drain_s` (None: as configured), then stop everything. Idempotent."""
        if self._ready_file is not None:
            self._ready_file.unlink(missing_ok=True)
            self._ready_file = None
        if self._wire is not None:
            await self._wire.drain(self._config.drain_s if drain_s is None else drain_s)
        await self._stack.aclose()

    def hurry(self) -> None:
        """End the calls that a stop is waiting for."""
        if self._wire is not None:
            self._wire.live.end_all(Refusal(Reason.SERVER_DRAINING))

    async def _start(self) -> Ready:
        config = self._config
        room = await asyncio.to_thread(ByteRoom.open, config.data, config.repository_id, self.metrics)
        self._stack.push_async_callback(room.close)
        if config.ready_file is not None:
            # Only now: before the lock was ours, the file could be that of a server that serves.
            config.ready_file.unlink(missing_ok=True)
        disk = DiskRoom(room.folder.free_bytes, time.monotonic, config.reserve_bytes)
        self.metrics.disk_reserve_bytes.set(config.reserve_bytes)
        config, pki = await self._with_certificates(config, room)
        tls = await asyncio.to_thread(ServerTls, _tls_files(config))
        index = await self._stack.enter_async_context(index_room(config, room, self._clock))
        if pki is not None:
            await register_development(index.registry, pki, self._clock())
        pool = await self._verifier(config)
        background = Background(self.metrics)
        self._stack.push_async_callback(background.stop)
        wire = self._wire = WireRoom.build(config, tls, index.registry, index.standing, self._clock, self.metrics)
        house = House(
            config=config,
            clock=self._clock,
            room=room,
            index=index,
            disk=disk,
            verifier=pool,
            observer=CountingObserver(self.metrics),
            metrics=self.metrics,
            registry_changed=wire.revocations.registry_changed,
        )
        archive = archive_room(house)
        own = add_documents(house, archive)
        add_registry(house, archive, own)
        self._stack.push_async_callback(add_keeping(house, archive))
        await archive.settle()
        probes = Probes(
            database=index.database,
            access_log=index.access_log,
            sequencer=index.sequencer,
            disk=disk,
            pool=pool,
            tls=tls,
            health=wire.health,
            metrics=self.metrics,
            clock=self._clock,
        )
        bound = await wire.serve(archive.servicers)
        self._stack.push_async_callback(wire.drain, 0.0)
        await probes.look()
        self._beside(background, wire, index)
        probes.start(background)
        archive.start(background)
        ops = await self._ops(wire, disk)
        ready = Ready(str(bound), str(ops), os.getpid(), str(pki) if pki is not None else None)
        if config.ready_file is not None:
            await asyncio.to_thread(ready.write, config.ready_file)
            self._ready_file = config.ready_file
        _log.info("serving", extra={"facts": {"grpc": ready.grpc, "ops": ready.ops}})
        return ready

    async def _with_certificates(self, config: Config, room: ByteRoom) -> tuple[Config, Path | None]:
        """Return settings with TLS files and a trust folder in them, and the development PKI if it is one."""
        if not config.dev:
            trust = config.trust or room.folder.root / "trust"
            trust.mkdir(0o755, exist_ok=True)
            return replace(config, trust=trust), None
        pki = await asyncio.to_thread(write_dev_pki, room.folder.root / "pki")
        return replace(config, trust=config.trust or pki.trust), pki.folder

    async def _verifier(self, config: Config) -> WorkerPool:
        assert config.trust is not None
        limits = WorkerLimits(
            workers=config.verify_workers,
            address_space_bytes=config.verify_address_space_bytes,
            wall_clock_s=config.verify_wall_clock_s,
            file=FileLimits(file_bytes=config.verify_bytes),
        )
        pool = WorkerPool(config.trust, limits=limits, clock=self._clock)
        return await self._stack.enter_async_context(pool)

    def _beside(self, background: Background, wire: WireRoom, index: IndexRoom) -> None:
        poll_s = self._config.revocation_poll_s

        async def watch_callers() -> None:
            # Waiting comes first: a look that fails is then not repeated at once.
            await wire.revocations.changed(poll_s)
            await wire.revocations.look()

        async def look_after_access_records() -> None:
            await index.access_log.make_partitions(self._clock().date())
            self.metrics.access_default_partition_rows.set(await index.access_log.records_astray())

        background.every("revocations", 0.0, watch_callers)
        background.every("access_partitions", 3600.0, look_after_access_records)

    async def _ops(self, wire: WireRoom, disk: DiskRoom) -> Address:
        def readiness() -> dict[str, bool]:
            condition = wire.health.condition
            return {
                "ready": condition.is_ready,
                "database": condition.database_answers,
                "disk": disk.has_room,
                "draining": condition.is_draining,
            }

        listen = self._config.ops_listen
        server = OpsServer(self.metrics.registry, readiness)
        try:
            host, port = await server.start(listen.host, listen.port)
        except OSError as error:
            raise CannotListen(f"--ops-listen {listen} cannot be listened on: {error.strerror or error}") from error
        self._stack.push_async_callback(server.stop)
        return Address(host, port)


def _tls_files(config: Config) -> TlsFiles:
    if config.dev:
        pki = config.data.absolute() / "pki"
        return TlsFiles(pki / "server.crt", pki / "server.key", pki / "ca.crt")
    assert config.tls_cert is not None
    assert config.tls_key is not None
    assert config.client_ca is not None
    return TlsFiles(config.tls_cert, config.tls_key, config.client_ca)
