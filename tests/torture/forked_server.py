"""A server that is started and killed many times over one data folder."""

import asyncio
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from tests.end_to_end.serving import START_S, Server

_LOOK_EVERY_S = 0.01
_FORKS = 2


class Nursery:
    """The process that forks servers; use as a context."""

    def __init__(self) -> None:
        """Start nothing yet."""
        self._process: subprocess.Popen[str] | None = None
        self._lock = Lock()

    def __enter__(self) -> "Nursery":
        """Start it; it reads the server's code while others go on."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("KHO_", "GRPC_"))}
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.torture.nursery"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env=kept,
        )
        return self

    def __exit__(self, *_: object) -> None:
        """End it."""
        assert self._process is not None
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        self._process.wait(30)

    def serve(self, settings: dict[str, Any], log: str) -> int:
        """Fork a server and return its process id."""
        return int(self._ask({"serve": settings, "log": log})["pid"])

    def wait(self, pid: int, *, is_patient: bool) -> int | None:
        """Return how a server ended, None if it has not."""
        status = self._ask({"wait": pid, "is_patient": is_patient})["status"]
        return None if status is None else int(status)

    def _ask(self, order: dict[str, Any]) -> dict[str, Any]:
        process = self._process
        assert process is not None
        assert process.stdin is not None
        assert process.stdout is not None
        with self._lock:
            process.stdin.write(json.dumps(order) + "\n")
            process.stdin.flush()
            line = process.stdout.readline()
        assert line, "the nursery has ended"
        answer: dict[str, Any] = json.loads(line)
        return answer


@dataclass
class ForkedServer(Server):
    """A server from the nursery, or as the plain command when `is_plain` is set before a start."""

    nursery: Nursery = field(default_factory=Nursery)
    is_plain: bool = False
    _pid: int | None = None
    _is_forked: bool = False

    def begin(self) -> None:
        """Start it without waiting until it serves."""
        self.ready_file.unlink(missing_ok=True)
        self._is_forked = not self.is_plain
        if self.is_plain:
            self._process = self.spawn()
            self._pid = self._process.pid
            return
        settings = {
            "data": str(self.data),
            "dev": "yes",
            "listen": "127.0.0.1:0",
            "ops_listen": "127.0.0.1:0",
            "ready_file": str(self.ready_file),
        }
        self._pid = self.nursery.serve(settings | self.settings, str(self.folder / "log"))

    def start_blocking(self, **settings: str) -> None:
        """Start and return when it serves."""
        self.settings |= settings
        self.begin()
        deadline = time.monotonic() + START_S
        forks_left = _FORKS
        while not self.ready_file.exists():
            has_ended = self._has_ended()
            if has_ended and self._is_forked and forks_left:
                # Seen once in some 240 rounds, cause not found: perhaps the fork (a process with threads), perhaps the
                # server. Begun again so that the laws are still checked, and said aloud with the server's last words.
                print(f"a forked server ended at its start and is begun again:\n{self.log[-4000:]}")
                forks_left -= 1
                has_ended = False
                self.begin()
            assert not has_ended, f"the server ended at its start:\n{self.log[-4000:]}"
            assert time.monotonic() < deadline, f"the server did not serve within {START_S:g} s:\n{self.log[-4000:]}"
            time.sleep(_LOOK_EVERY_S)
        self.ready = json.loads(self.ready_file.read_text())

    def kill_now(self) -> None:
        """SIGKILL, and wait until it is gone."""
        if self._pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGKILL)
        self._wait()

    async def kill(self) -> None:
        """SIGKILL, and wait until it is gone."""
        await asyncio.to_thread(self.kill_now)

    def stop_blocking(self) -> None:
        """End it in order if it runs."""
        if self._pid is None:
            return
        with suppress(ProcessLookupError):
            os.kill(self._pid, signal.SIGTERM)
        self._wait()

    def _wait(self) -> None:
        assert self._pid is not None
        if self._is_forked:
            self.nursery.wait(self._pid, is_patient=True)
        else:
            self.process.wait(START_S)
        self._pid = None

    def _has_ended(self) -> bool:
        assert self._pid is not None
        if self._is_forked:
            ended = self.nursery.wait(self._pid, is_patient=False) is not None
        else:
            ended = self.process.poll() is not None
        if ended:
            self._pid = None
        return ended
