"""The running server process: started, waited for until it is ready, stopped."""

import asyncio
import os
import signal
from collections.abc import Mapping
from pathlib import Path

from kho_storage.errors import PostgresFailed, StoreInUse
from kho_storage.postgres.binaries import Binaries
from kho_storage.postgres.bounded_log import BoundedLog
from kho_storage.postgres.rights import Rights
from kho_storage.postgres.tethered import TetheredProcess

_POLL_S = 0.01
# The postmaster itself gives its children 5 s to quit before it kills them.
_QUIT_TIMEOUT_S = 8.0

# On the command line, where neither postgresql.conf nor ALTER SYSTEM can take them back.
_FIXED_SETTINGS = {
    "listen_addresses": "",
    "unix_socket_permissions": "0700",
    # An acknowledged byte is a durable byte.
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    # What a client got wrong goes back to the client; its words (codes, names) stay out of the log.
    "log_min_messages": "log",
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
    "log_line_prefix": "%m [%p] ",
    "log_timezone": "UTC",
    "logging_collector": "off",
    "log_destination": "stderr",
    # Compiling pays for long analytic queries; ours are short.
    "jit": "off",
}


class Postmaster:
    """One postgres process over one cluster folder."""

    def __init__(self, process: TetheredProcess, cluster: Path, rights: Rights, log: BoundedLog) -> None:
        """Wrap a started process; `spawn` makes one."""
        self._process = process
        self._cluster = cluster
        self._rights = rights
        self._log = log

    @classmethod
    async def spawn(
        cls,
        binaries: Binaries,
        cluster: Path,
        settings: Mapping[str, str],
        rights: Rights,
        *,
        log: BoundedLog,
        lock: int,
    ) -> "Postmaster":
        """Start postgres; it inherits `lock`, so that the lock ends with the last of its processes.

        The caller holds that lock, so no PostgreSQL of ours lives. StoreInUse: one started by hand does.
        """
        _remove_stale_pid_file(cluster)
        arguments = ["-D", str(cluster)]
        for name, value in {**settings, **_FIXED_SETTINGS}.items():
            arguments += ["-c", f"{name}={value}"]
        # SIGQUIT ends at once and in order (children told, no files left); the log replays what was
        # acknowledged. An orderly SIGINT would first write a checkpoint and keep the next Kho waiting.
        process = await TetheredProcess.spawn(
            binaries.postgres, arguments, rights, death_signal=signal.SIGQUIT, log=log, inherit=(lock,)
        )
        return cls(process, cluster, rights, log)

    @property
    def pid(self) -> int:
        """Process id of the postmaster."""
        return self._process.pid

    async def ready(self, timeout_s: float) -> None:
        """Return when connections are accepted; PostgresFailed with the server's own last words."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + timeout_s
        while not self._says_ready():
            if not self._process.is_running:
                raise PostgresFailed(f"PostgreSQL did not start{self._rights.hint}: {self._log.tail() or 'no word'}")
            if loop.time() > deadline:
                raise PostgresFailed(f"PostgreSQL was not ready after {timeout_s:.0f} s: {self._log.tail()}")
            await asyncio.sleep(_POLL_S)

    async def wait(self) -> int | None:
        """Return the exit code once the server and all its processes have ended."""
        return await self._process.wait()

    async def stop(self, timeout_s: float) -> None:
        """Disconnect everyone, write a checkpoint and end; after `timeout_s` end at once, then by force."""
        for number, patience_s in ((signal.SIGINT, timeout_s), (signal.SIGQUIT, _QUIT_TIMEOUT_S)):
            if patience_s > 0:
                self._process.signal(number)
                if await self._process.wait(patience_s) is not None:
                    return
        self._process.signal(signal.SIGKILL)
        await self._process.wait(_QUIT_TIMEOUT_S)

    def _says_ready(self) -> bool:
        """Read postmaster.pid: line 1 is the process id, line 8 the state (miscadmin.h, LOCK_FILE_LINE_*)."""
        try:
            lines = (self._cluster / "postmaster.pid").read_text("utf-8").splitlines()
        except OSError:
            return False
        return len(lines) >= 8 and lines[0] == str(self.pid) and lines[7].strip() == "ready"


def _remove_stale_pid_file(cluster: Path) -> None:
    """Remove the process id of a dead server: after a restart of the machine the number may be anybody's.

    PostgreSQL would then refuse to start for ever.
    """
    pid_file = cluster / "postmaster.pid"
    try:
        pid = int(pid_file.read_text("utf-8").split("\n", 1)[0])
    except (OSError, ValueError):
        pid = 0
    if pid > 0 and _works_in(pid, cluster):
        raise StoreInUse(f"a PostgreSQL started by hand (process {pid}) runs over {cluster}: stop it first")
    pid_file.unlink(missing_ok=True)


def _works_in(pid: int, folder: Path) -> bool:
    """Tell whether a process has its working folder there: a postmaster always has."""
    try:
        return Path(os.readlink(f"/proc/{pid}/cwd")).samefile(folder)  # noqa: PTH115 - read, then compared
    except OSError:
        return False
