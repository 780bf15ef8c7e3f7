"""The two servers that are compared, both over the same loopback and the same certificates."""

import asyncio
import json
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kho_server.dev_pki import DevPki
from ops.bench.stock import Stock
from ops.demo.server_process import ServerProcess
from ops.demo.steps import Expected

_START_S = 20.0
_LOOK_S = 0.02
# The usual settings of a server, where the demo that starts it likes others.
_USUAL = ("--chunk-bytes", str(256 * 1024), "--reserve-bytes", str(1024**3))


@dataclass(frozen=True, slots=True)
class Side:
    """One server: what it is called, HOST:PORT, its process, and where its metrics are (empty: nowhere)."""

    name: str
    server: str
    pid: int
    ops: str = ""


@asynccontextmanager
async def kho(folder: Path) -> AsyncIterator[tuple[Side, DevPki]]:
    """Run `kho serve --dev` with its usual settings over a new data folder."""
    process = ServerProcess(folder, _USUAL)
    addresses = await process.start()
    try:
        yield Side("kho", addresses.grpc, addresses.pid, addresses.ops), DevPki(addresses.pki)
    finally:
        await process.stop()


@asynccontextmanager
async def bare(folder: Path, pki: DevPki, stock: Stock) -> AsyncIterator[Side]:
    """Run the bare server, which gives the answers that Kho gave."""
    ready_file, answers_file = folder / "bare.address", folder / "bare.answers.json"
    answers = {"result": stock.answer.SerializeToString().hex(), "sizes": stock.large}
    answers_file.write_text(json.dumps(answers), "utf-8")
    arguments = (str(pki.folder), str(ready_file), str(answers_file))
    process = await asyncio.create_subprocess_exec(sys.executable, "-m", "ops.bench.bare", *arguments)
    try:
        async with asyncio.timeout(_START_S):
            while not ready_file.exists():
                if process.returncode is not None:
                    raise Expected("the bare server did not start")
                await asyncio.sleep(_LOOK_S)
        yield Side("bare", ready_file.read_text("utf-8"), process.pid)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()
