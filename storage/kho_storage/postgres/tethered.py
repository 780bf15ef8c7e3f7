"""A child process that dies when this process dies, however it dies."""

import asyncio
import os
import subprocess
import threading
from concurrent.futures import Future
from pathlib import Path
from typing import IO

from kho_storage.postgres.bounded_log import BoundedLog
from kho_storage.postgres.rights import Rights

# All that the launcher, a Python like ours, may need to start; the program itself gets none of it.
_LAUNCHER_NEEDS = ("LD_LIBRARY_PATH",)


class TetheredProcess:
    """Runs one command; a thread of its own spawns it, reads what it says and waits for it.

    The kernel ties a child to the *thread* that made it (PR_SET_PDEATHSIG, prctl(2)), not to the process:
    spawned from a pool, it would die with an idle worker. So the thread lives exactly as long as the child.
    """

    def __init__(self, process: "subprocess.Popen[bytes]", ended: "Future[int]") -> None:
        """Wrap a running child; `spawn` makes one."""
        self._process = process
        self._ended = ended

    @classmethod
    async def spawn(
        cls,
        program: Path,
        arguments: list[str],
        rights: Rights,
        *,
        death_signal: int,
        log: BoundedLog,
        inherit: tuple[int, ...] = (),
    ) -> "TetheredProcess":
        """Start a program; OSError when the launcher itself cannot run.

        `death_signal` is what the kernel sends it when we die. Open files in `inherit` are passed on. When
        the call is cancelled the child may be running already and is then told to die.
        """
        started: Future[subprocess.Popen[bytes]] = Future()
        ended: Future[int] = Future()
        command = rights.command(death_signal, [str(program), *arguments])

        def live() -> None:
            try:
                process = subprocess.Popen(  # noqa: S603 - our launcher and a program we found
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    pass_fds=inherit,
                    env={name: os.environ[name] for name in _LAUNCHER_NEEDS if name in os.environ},
                    cwd="/",
                    # Its own session: Ctrl-C in our terminal must not stop it before we have drained.
                    start_new_session=True,
                )
            except BaseException as error:
                started.set_exception(error)
                return
            started.set_result(process)
            assert process.stdout is not None
            _drain(process.stdout, log)
            ended.set_result(process.wait())

        threading.Thread(target=live, name=f"tethered-{program.name}", daemon=True).start()
        try:
            process = await asyncio.shield(asyncio.wrap_future(started))
        except asyncio.CancelledError:
            started.add_done_callback(_kill)
            raise
        return cls(process, ended)

    @property
    def pid(self) -> int:
        """Process id of the child; the launcher replaces itself, so it is the program's own."""
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether the child or anything it left behind still runs."""
        return not self._ended.done()

    def signal(self, number: int) -> None:
        """Send a signal; nothing happens when it has ended."""
        self._process.send_signal(number)

    async def wait(self, timeout_s: float | None = None) -> int | None:
        """Return the exit code, or None after the time is up.

        A child has ended when it and all its own children have let go of its output: only then may another
        server take its folder.
        """
        ended = asyncio.shield(asyncio.wrap_future(self._ended))
        await asyncio.wait({ended}, timeout=timeout_s)
        return ended.result() if ended.done() else None


def _kill(started: "Future[subprocess.Popen[bytes]]") -> None:
    if started.exception() is None:
        started.result().kill()


def _drain(stream: IO[bytes], log: BoundedLog) -> None:
    """Read until the last holder of the pipe is gone, in lines of bounded length."""
    with stream:
        while line := stream.readline(64 * 1024):
            log.write(line)
