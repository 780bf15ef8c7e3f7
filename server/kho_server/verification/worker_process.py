"""One worker process as the pool sees it: started, asked, killed."""

import asyncio
import asyncio.subprocess
import contextlib
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from kho_server.verification import frames
from kho_server.verification.errors import VerifierUnavailable
from kho_server.verification.limits import WorkerLimits


class WorkerLostError(Exception):
    """The process ended instead of answering; `signal` is what ended it, 0 if it ended by itself."""

    def __init__(self, signal: int) -> None:
        super().__init__(f"a verification worker ended, signal {signal}")
        self.signal = signal


class WorkerProcess:
    """A process that is ready to judge; make it with `start`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self.answered = 0

    @classmethod
    async def start(cls, trust: Path | None, limits: WorkerLimits, policy: Path | None = None) -> "WorkerProcess":
        """Start a process and wait until its libraries are loaded. VerifierUnavailable: it does not come up."""
        # Not a fork: the server has threads and open sockets. -I and the empty environment keep secrets of the
        # server (a database URL) away from a process that reads hostile files.
        try:
            process = await asyncio.create_subprocess_exec(
                sys.executable,
                "-I",
                "-m",
                "kho_server.verification.worker",
                str(os.getpid()),
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                env={"LANG": "C.UTF-8"},
                cwd="/",
            )
        except OSError as error:
            raise VerifierUnavailable("no process can be started for verification; see `kho doctor`") from error
        worker = cls(process)
        try:
            async with asyncio.timeout(limits.start_s):
                await worker._exchange(
                    {
                        "trust": None if trust is None else str(trust),
                        "policy": None if policy is None else str(policy),
                        "limits": asdict(limits),
                    }
                )
        except (WorkerLostError, TimeoutError) as error:
            await worker.kill()
            raise VerifierUnavailable("a verification worker does not start; see `kho doctor`") from error
        except BaseException:
            await worker.kill()
            raise
        return worker

    @property
    def pid(self) -> int:
        """Process id."""
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        """Whether the process has not ended, as far as is known."""
        return self._process.returncode is None

    async def ask(self, question: dict[str, Any], timeout_s: float) -> dict[str, Any]:
        """Send a question and wait for its answer.

        WorkerLostError: the process ended. TimeoutError: it did not answer in time. After either, and after
        cancelling, it is good for nothing but `kill`.
        """
        async with asyncio.timeout(timeout_s):
            answer = await self._exchange(question)
        self.answered += 1
        return answer

    async def kill(self) -> None:
        """End the process and wait for it; idempotent."""
        with contextlib.suppress(ProcessLookupError):
            self._process.kill()
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        while await self._process.stdout.read(frames.MAX_FRAME_BYTES):
            pass  # until the pipe is closed, or its transport outlives the loop
        await self._process.wait()

    async def _exchange(self, question: dict[str, Any]) -> dict[str, Any]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        try:
            self._process.stdin.write(frames.encode(question))
            await self._process.stdin.drain()
            head = await self._process.stdout.readexactly(frames.LENGTH_BYTES)
            return frames.decode(await self._process.stdout.readexactly(frames.body_bytes(head)))
        except (OSError, asyncio.IncompleteReadError, frames.FrameError) as error:
            await self.kill()
            raise WorkerLostError(max(0, -(self._process.returncode or 0))) from error
