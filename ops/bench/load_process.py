"""The load generator as seen from the harness: a process of its own, so that it never shares an interpreter."""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ops.bench.sample import Load, Sample
from ops.demo.steps import Expected


class LoadProcess:
    """Makes one load after the other; use `started`."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        """Take a process that reads loads."""
        self._process = process

    @classmethod
    @asynccontextmanager
    async def started(cls) -> AsyncIterator["LoadProcess"]:
        """Start it; it ends with the block."""
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "ops.bench.load", stdin=pipe, stdout=pipe, limit=2**20
        )
        try:
            yield cls(process)
        finally:
            if process.returncode is None:
                process.kill()
            await process.wait()

    async def make(self, load: Load) -> Sample:
        """Make this load. Expected: the process died, having said why."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(load.json().encode() + b"\n")
        line = await self._process.stdout.readline()
        if not line:
            raise Expected(f"the load {load.kind} with {load.streams} streams failed against {load.server}")
        return Sample.parse(line.decode())
