"""Kho's own PostgreSQL: started with Kho, reachable by Kho alone, gone with Kho."""

import asyncio
import contextlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from kho_storage.errors import PostgresFailed, StoreInUse
from kho_storage.postgres.binaries import Binaries, Source, find_binaries
from kho_storage.postgres.bounded_log import BoundedLog
from kho_storage.postgres.cluster import Cluster
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.folder_lock import FolderLock
from kho_storage.postgres.passwords import ADMINISTRATOR, SERVICE
from kho_storage.postgres.postmaster import Postmaster
from kho_storage.postgres.provision import create_database, ensure_database
from kho_storage.postgres.rights import Isolation, Rights, choose_rights
from kho_storage.postgres.socket_folder import clear_socket_folder, make_socket_folder

_log = logging.getLogger(__name__)

_POLL_S = 0.02
_RESTART_DELAYS_S = (0.0, 0.2, 1.0, 5.0)
_SHORT_LIFE_S = 60.0


@dataclass(frozen=True, slots=True)
class EmbeddedOptions:
    """What may be chosen about an embedded PostgreSQL; durability may not."""

    source: Source = "auto"
    """Which binaries: `installed` ones, the `wheel`'s, or `auto`: installed before wheel."""
    isolation: Isolation = "auto"
    """As root only: `namespace` (keeps root's reach over files), `user` (an unprivileged one), or `auto`."""
    max_connections: int = 64
    """Connections at a time; PostgreSQL keeps three of them for the administrator."""
    shared_buffers_mib: int = 128
    """PostgreSQL's own cache, in MiB; the system caches the rest."""
    takeover_timeout_s: float = 20.0
    """How long a dying PostgreSQL of a killed Kho is waited for, in seconds."""
    start_timeout_s: float = 300.0
    """How long recovery after a crash may take, in seconds."""
    stop_timeout_s: float = 30.0
    """How long an orderly stop may take before an immediate one, in seconds."""


class EmbeddedPostgres:
    """One PostgreSQL server over one data folder, a direct child of this process.

    It listens on a socket in a folder of its own, never on TCP; roles prove themselves by SCRAM with random
    passwords in `data/pgpass`. It dies when this process dies, even by SIGKILL, and is started again when it
    dies alone: pools reconnect by themselves. Its words are in `data/postgres.log` (bounded).
    """

    def __init__(self, data: Path, options: EmbeddedOptions | None = None) -> None:
        """Name the data folder; nothing is touched yet."""
        self._data = Path(os.path.abspath(data))  # noqa: PTH100 - resolve() would follow links into long paths
        self._options = options or EmbeddedOptions()
        self._cluster = Cluster(self._data)
        self._ours = FolderLock(self._data / "kho.lock")
        self._children = FolderLock(self._data / "postgres.lock")
        self._log = BoundedLog(self._data / "postgres.log")
        self._postmaster: Postmaster | None = None
        self._watch: asyncio.Task[None] | None = None
        self._settings: ConnectionSettings | None = None
        self._administrator: ConnectionSettings | None = None

    @property
    def settings(self) -> ConnectionSettings:
        """How Kho connects: to the database `kho`, as its owner; RuntimeError before the start."""
        if self._settings is None:
            raise RuntimeError("the embedded PostgreSQL is not running")
        return self._settings

    @property
    def administrator(self) -> ConnectionSettings:
        """How backups and tests connect: as the superuser; RuntimeError before the start."""
        if self._administrator is None:
            raise RuntimeError("the embedded PostgreSQL is not running")
        return self._administrator

    @property
    def pid(self) -> int | None:
        """Process id of the running server."""
        return self._postmaster.pid if self._postmaster else None

    async def start(self) -> ConnectionSettings:
        """Start the server, making its cluster first if there is none, and return how to connect.

        StoreInUse: another process serves this folder. PostgresFailed: anything else, in plain words. After
        an error or a cancellation nothing is left running.
        """
        try:
            await self._start()
        except OSError as error:
            await self.stop()
            raise PostgresFailed(f"the data folder {self._data} cannot be used: {error.strerror or error}") from error
        except BaseException:
            await self.stop()
            raise
        return self.settings

    async def stop(self) -> None:
        """Stop the server in order and let go of the folder. Idempotent; goes on to the end if cancelled."""
        await asyncio.shield(asyncio.ensure_future(self._stop()))

    async def __aenter__(self) -> "EmbeddedPostgres":
        """Start the server."""
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the server."""
        await self.stop()

    async def _start(self) -> None:
        self._data.mkdir(0o700, parents=True, exist_ok=True)
        await self._lock_folder()
        major = self._cluster.major()
        binaries = await asyncio.to_thread(find_binaries, self._options.source, major)
        rights = await asyncio.to_thread(choose_rights, self._cluster.folder, self._options.isolation, binaries.folder)
        self._open_way(rights)
        if major is None:
            await self._cluster.create(binaries, rights, log=self._log, lock=self._children.descriptor)
        sockets = make_socket_folder(self._data)
        rights.give(sockets)
        passwords = self._cluster.passwords()
        self._settings = ConnectionSettings(str(sockets), SERVICE, "kho", password=passwords.service)
        self._administrator = ConnectionSettings(
            str(sockets), ADMINISTRATOR, "postgres", password=passwords.administrator
        )
        self._postmaster = await self._run(binaries, rights, sockets)
        if major is None:
            await create_database(self._administrator, self._settings)
        else:
            await ensure_database(self._administrator, self._settings)
        _log.info("embedded PostgreSQL %d (%s) runs", binaries.major, binaries.origin)
        self._watch = asyncio.create_task(self._keep_running(binaries, rights, sockets))

    async def _lock_folder(self) -> None:
        """Take both locks: ours says another Kho lives, the children's that its PostgreSQL still dies."""
        if not self._ours.take():
            raise StoreInUse(f"another Kho already serves the database in {self._data}: stop it first")
        deadline = asyncio.get_running_loop().time() + self._options.takeover_timeout_s
        while not self._children.take():
            if asyncio.get_running_loop().time() > deadline:
                raise StoreInUse(
                    f"the PostgreSQL of an earlier Kho still runs over {self._data} after "
                    f"{self._options.takeover_timeout_s:.0f} s of waiting: look for it with "
                    f"fuser {self._data / 'postgres.lock'} and stop it"
                )
            await asyncio.sleep(_POLL_S)

    def _open_way(self, rights: Rights) -> None:
        """Let another user pass through our folder to its own, and no further."""
        if rights.kind == "user":
            os.chown(self._data, -1, rights.gid)
            self._data.chmod(0o710)
        else:
            self._data.chmod(0o700)

    async def _run(self, binaries: Binaries, rights: Rights, sockets: Path) -> Postmaster:
        self._log.forget()
        settings = {
            "unix_socket_directories": str(sockets),
            "max_connections": str(self._options.max_connections),
            "shared_buffers": f"{self._options.shared_buffers_mib}MB",
        }
        postmaster = await Postmaster.spawn(
            binaries, self._cluster.folder, settings, rights, log=self._log, lock=self._children.descriptor
        )
        try:
            await postmaster.ready(self._options.start_timeout_s)
        except BaseException:
            await asyncio.shield(asyncio.ensure_future(postmaster.stop(0)))
            raise
        return postmaster

    async def _keep_running(self, binaries: Binaries, rights: Rights, sockets: Path) -> None:
        """Start the server again whenever it ends by itself; ever slower when it does not last."""
        loop = asyncio.get_running_loop()
        began, short_lives = loop.time(), 0
        while True:
            if self._postmaster is not None:
                code = await self._postmaster.wait()
                self._postmaster = None
                _log.error("embedded PostgreSQL ended by itself with code %s; starting it again", code)
            short_lives = short_lives + 1 if loop.time() - began < _SHORT_LIFE_S else 0
            await asyncio.sleep(_RESTART_DELAYS_S[min(short_lives, len(_RESTART_DELAYS_S) - 1)])
            began = loop.time()
            try:
                self._postmaster = await self._run(binaries, rights, sockets)
            except (PostgresFailed, StoreInUse, OSError):
                _log.exception("embedded PostgreSQL does not start; trying again")

    async def _stop(self) -> None:
        if self._watch is not None:
            self._watch.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watch
            self._watch = None
        if self._postmaster is not None:
            await self._postmaster.stop(self._options.stop_timeout_s)
            self._postmaster = None
        self._settings = self._administrator = None
        if self._children.is_held:
            clear_socket_folder(self._data)
        self._children.release()
        self._ours.release()
