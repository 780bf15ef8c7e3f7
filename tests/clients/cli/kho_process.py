"""Runs `kho` as a person or a script does: a process with its streams and its exit status."""

import asyncio
import json
import os
import signal
import sys
from dataclasses import dataclass
from typing import Any

from kho_client.connection import Connection


@dataclass(frozen=True)
class Ran:
    """What a process left behind."""

    status: int
    out: str
    err: str

    @property
    def answers(self) -> list[dict[str, Any]]:
        """JSON lines of standard output."""
        return [json.loads(line) for line in self.out.splitlines()]

    @property
    def answer(self) -> dict[str, Any]:
        """The one JSON line of standard output."""
        (answer,) = self.answers
        return answer

    @property
    def error(self) -> dict[str, Any]:
        """The error on standard error."""
        error: dict[str, Any] = json.loads(self.err.splitlines()[-1])["error"]
        return error


async def kho(
    *arguments: object,
    connection: Connection | None = None,
    interrupt: asyncio.Event | None = None,
    **environ: str,
) -> Ran:
    """Run `kho` with nothing of our own environment's settings; `interrupt` presses Ctrl-C when it is set."""
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("KHO_", "GRPC_"))}
    settings |= {"KHO_PROFILE": os.devnull, **environ}
    if connection is not None:
        settings |= {"KHO_SERVER": connection.server, "KHO_CA": str(connection.ca)}
        if connection.certificate and connection.key:
            settings |= {"KHO_CERT": str(connection.certificate), "KHO_KEY": str(connection.key)}
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "kho_cli",
        *(str(argument) for argument in arguments),
        env=settings,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    if interrupt is not None:
        await interrupt.wait()
        process.send_signal(signal.SIGINT)
    out, err = await process.communicate()
    assert process.returncode is not None
    return Ran(process.returncode, out.decode(), err.decode())
