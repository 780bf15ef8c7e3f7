"""Forks servers: a process that has read the server's code once, so that a start costs no imports.

Run as `python -m tests.torture.nursery`. Each line on standard input is an order, each answer one line of JSON:
{"serve": SETTINGS, "log": FILE} gives {"pid": N}; {"wait": N, "is_patient": BOOL} gives {"status": N or null}.

What is forked is `kho serve` with one difference: workers that verify begin with the first file that waits for them
instead of before the door opens, for two thirds of a start are theirs. The campaign starts every tenth server as the
plain command.
"""

import asyncio
import gc
import json
import os
import sys
import traceback
from typing import Any

import kho_server.app
from kho_server.serve import run_serve
from kho_server.verification.worker_pool import WorkerPool, _Seat


class LateWorkers(WorkerPool):
    """A pool whose workers start when they are needed."""

    async def start(self) -> None:
        """Start no worker yet."""
        self._seats = [_Seat() for _ in range(self._limits.workers)]
        self._tasks = [asyncio.create_task(self._serve(seat)) for seat in self._seats]


def main() -> None:
    """Obey until the input ends; servers that still run then are killed."""
    # The one difference to `kho serve`; by name, because the application does not offer to be changed.
    setattr(kho_server.app, "WorkerPool", LateWorkers)  # noqa: B010
    # What is read by now is shared with all that are forked, as long as nobody counts references in it.
    gc.collect()
    gc.freeze()
    for line in sys.stdin:
        order = json.loads(line)
        answer: dict[str, int | None]
        if "serve" in order:
            answer = {"pid": _fork(order["serve"], order["log"])}
        else:
            answer = {"status": _wait(order["wait"], 0 if order["is_patient"] else os.WNOHANG)}
        sys.stdout.write(json.dumps(answer) + "\n")
        sys.stdout.flush()


def _wait(pid: int, options: int) -> int | None:
    found, status = os.waitpid(pid, options)
    return os.waitstatus_to_exitcode(status) if found else None


def _fork(settings: dict[str, Any], log: str) -> int:
    pid = os.fork()
    if pid:
        return pid
    status = 1
    try:
        os.setsid()
        written = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        os.dup2(written, 1)
        os.dup2(written, 2)
        status = run_serve(settings)
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stderr.flush()
        # Nothing of the parent's may run twice: no exit handlers, no buffers.
        os._exit(status)


if __name__ == "__main__":
    main()
