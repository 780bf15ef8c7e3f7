"""`kho serve --dev` as a process: started, killed, ended and started again over the same data folder."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from kho_server.dev_pki import DevPki
from kho_storage.postgres.beside import settings_beside
from tests.end_to_end.caller import Caller

START_S = 60.0
STOP_S = 30.0
_LOOK_EVERY_S = 0.02


@dataclass
class Server:
    """One server over one folder; `settings` are KHO_* variables without their prefix."""

    folder: Path
    settings: dict[str, str] = field(default_factory=dict)
    ready: dict[str, Any] = field(default_factory=dict)
    _process: "subprocess.Popen[bytes] | None" = None

    @property
    def data(self) -> Path:
        """Its data folder."""
        return self.folder / "data"

    @property
    def pki(self) -> DevPki:
        """Its development certificates."""
        return DevPki(self.data / "pki")

    @property
    def address(self) -> str:
        """Where gRPC is served."""
        return str(self.ready["grpc"])

    @property
    def log(self) -> str:
        """All that its processes wrote on standard error."""
        return (self.folder / "log").read_text()

    @property
    def ready_file(self) -> Path:
        """File that says that it serves."""
        return self.folder / "ready.json"

    @property
    def postmaster(self) -> int:
        """Process id of its own PostgreSQL."""
        (file,) = self.data.glob("postgres/**/postmaster.pid")
        return int(file.read_text().split()[0])

    @property
    def command(self) -> list[str]:
        """`kho serve` on free ports, but for its folder."""
        listen = ["--listen", "127.0.0.1:0", "--ops-listen", "127.0.0.1:0"]
        return [sys.executable, "-m", "kho_cli", "serve", "--dev", *listen]

    def spawn(self, **settings: str) -> "subprocess.Popen[bytes]":
        """Start a process without waiting for it; its output is appended to the log."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KHO_", "GRPC_"))}
        given = {f"KHO_{name.upper()}": value for name, value in (self.settings | settings).items()}
        command = [*self.command, "--data", str(self.data), "--ready-file", str(self.ready_file)]
        with (self.folder / "log").open("ab") as log:
            return subprocess.Popen(command, env=kept | given, stdout=log, stderr=log, start_new_session=True)

    def start_blocking(self, **settings: str) -> None:
        """Start and return when it serves."""
        self.ready_file.unlink(missing_ok=True)
        self._process = self.spawn(**settings)
        deadline = time.monotonic() + START_S
        while not self.ready_file.exists():
            assert self._process.poll() is None, f"the server ended at its start:\n{self.log[-4000:]}"
            assert time.monotonic() < deadline, f"the server did not serve within {START_S:g} s:\n{self.log[-4000:]}"
            time.sleep(_LOOK_EVERY_S)
        self.ready = json.loads(self.ready_file.read_text())

    async def start(self, **settings: str) -> None:
        """Start and return when it serves."""
        await asyncio.to_thread(self.start_blocking, **settings)

    @property
    def process(self) -> "subprocess.Popen[bytes]":
        """The process that runs."""
        assert self._process is not None
        return self._process

    async def kill(self) -> None:
        """SIGKILL: what a cut of power leaves of a process."""
        self.process.kill()
        await asyncio.to_thread(self.process.wait, STOP_S)

    def terminate(self) -> None:
        """SIGTERM, without waiting."""
        self.process.send_signal(signal.SIGTERM)

    async def ended(self) -> int:
        """Wait for its end and return the exit status."""
        return await asyncio.to_thread(self.process.wait, STOP_S)

    async def stop(self) -> None:
        """End it in order."""
        await asyncio.to_thread(self.stop_blocking)

    def stop_blocking(self) -> None:
        """End it in order if it runs, by force if it does not obey."""
        if self._process is None or self._process.poll() is not None:
            return
        self.terminate()
        try:
            self._process.wait(STOP_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait(STOP_S)
            raise

    @asynccontextmanager
    async def caller(self, name: str, *, folder: Path | None = None) -> AsyncIterator[Caller]:
        """Connect as one of the development callers, or as NAME.crt of another folder."""
        certificates = folder or self.pki.folder
        key, certificate = (certificates / f"{name}.{end}" for end in ("key", "crt"))
        async with Caller.connected(self.address, self.pki.ca, certificate, key) as caller:
            yield caller

    @asynccontextmanager
    async def database(self) -> AsyncIterator["asyncpg.Connection[asyncpg.Record]"]:
        """Connect to its own PostgreSQL, as an operator on the machine can."""
        connection = await asyncpg.connect(**settings_beside(self.data / "postgres").connect_args())
        try:
            yield connection
        finally:
            await connection.close()

    async def ops(self, path: str) -> tuple[int, str]:
        """Read one of the operators' addresses: status and body."""

        def read() -> tuple[int, str]:
            try:
                with urllib.request.urlopen(f"http://{self.ready['ops']}{path}", timeout=5) as answer:
                    return answer.status, answer.read().decode()
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, error.read().decode()

        return await asyncio.to_thread(read)
