"""The server of the demo: a real `kho serve` over a folder of its own, that can be killed and started again."""

import asyncio
import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from ops.demo.steps import Expected

_START_S = 60.0
_STOP_S = 15.0
_LOOK_S = 0.02
_LOG_LINES = 6
_MERELY_TOLD = re.compile(r'"level": ?"info"|^=+$|^ DEVELOPMENT|^ keys lie|^ NEVER|^Kho serves')
# Small messages, because the desks' links are poor; a disk that is nearly full is enough for a demo.
_SETTINGS = ("--drain-s", "2", "--chunk-bytes", str(64 * 1024), "--reserve-bytes", str(64 * 1024 * 1024))


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the server serves, HOST:PORT, its process, and its development PKI."""

    grpc: str
    ops: str
    pid: int
    pki: Path


class ServerProcess:
    """Starts, kills, restarts and stops one server; whoever made it must end with `stop`."""

    def __init__(self, folder: Path, flags: Sequence[str] = ()) -> None:
        """Keep everything in `folder`; `flags` are further settings of `kho serve`."""
        self.data = folder / "data"
        self.log = folder / "server.log"
        self._ready_file = folder / "ready.json"
        self._flags = tuple(flags)
        self._process: subprocess.Popen[bytes] | None = None
        self._addresses: Addresses | None = None

    @property
    def addresses(self) -> Addresses:
        """Where it serves since it was started last."""
        assert self._addresses is not None
        return self._addresses

    async def start(self, listen: str = "127.0.0.1:0", ops_listen: str = "127.0.0.1:0") -> Addresses:
        """Start it and wait until it serves; Expected says what the server said when it does not."""
        self._ready_file.unlink(missing_ok=True)
        settings = {
            "--data": self.data,
            "--listen": listen,
            "--ops-listen": ops_listen,
            "--ready-file": self._ready_file,
        }
        flags = [str(word) for setting in settings.items() for word in setting]
        with self.log.open("ab") as log:
            # A session of its own: Ctrl-C is for the demo, which then stops the server in good order.
            # Not asyncio's: its transport would kill a server that is meant to stay when our loop ends.
            self._process = subprocess.Popen(  # noqa: S603, ASYNC220 - our own program; the fork takes milliseconds
                [sys.executable, "-m", "kho_cli", "serve", "--dev", *_SETTINGS, *flags, *self._flags],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                env=_environment(),
                start_new_session=True,
            )
        self._addresses = await self._ready(self._process)
        return self._addresses

    def kill(self) -> None:
        """Kill it here and now, as a power cut would: no goodbye."""
        assert self._process is not None
        self._process.send_signal(signal.SIGKILL)

    async def is_dead(self) -> None:
        """Wait until a killed server is gone."""
        assert self._process is not None
        await asyncio.to_thread(self._process.wait)

    async def stop(self) -> None:
        """Stop it in good order, or else kill it. Idempotent."""
        process = self._process
        if process is None or process.poll() is not None:
            return
        process.terminate()
        try:
            await asyncio.to_thread(process.wait, _STOP_S)
        except subprocess.TimeoutExpired:
            process.kill()
            await asyncio.to_thread(process.wait)

    def last_words(self) -> tuple[str, ...]:
        """Return the end of the server's log, without what is merely told."""
        lines = self.log.read_text("utf-8", "replace").splitlines() if self.log.exists() else []
        telling = [line for line in lines if line.strip() and not _MERELY_TOLD.search(line)]
        return tuple(telling[-_LOG_LINES:])

    async def _ready(self, process: subprocess.Popen[bytes]) -> Addresses:
        try:
            async with asyncio.timeout(_START_S):
                while not self._ready_file.exists():
                    if process.poll() is not None:
                        raise Expected("the server did not start; its last words are below")
                    await asyncio.sleep(_LOOK_S)
        except TimeoutError as error:
            raise Expected(f"the server did not serve within {_START_S:.0f} s") from error
        ready = json.loads(self._ready_file.read_text("utf-8"))
        return Addresses(ready["grpc"], ready["ops"], ready["pid"], Path(ready["pki"]))


def _environment() -> dict[str, str]:
    """Return our environment without settings of another Kho that this user may have."""
    return {name: value for name, value in os.environ.items() if not name.startswith("KHO_")}
