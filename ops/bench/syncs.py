"""How many syncs a page costs: what Kho counts itself, and what the kernel sees where it lets itself be asked."""

import asyncio
import re
import shutil
import signal
import urllib.request
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from ops.bench.process_tree import postgres_of
from ops.bench.sides import Side

_SYNC_CALLS = "fsync,fdatasync,syncfs,sync_file_range"
_COUNTED = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.MULTILINE)
_ATTACH_S = 5.0


@dataclass(frozen=True, slots=True)
class Counters:
    """Counters of the server: pages that became durable, group commits, and requests that shared them."""

    pages: float
    batches: float
    requests: float

    def since(self, earlier: "Counters") -> "Counters":
        """Return what came in between."""
        return Counters(self.pages - earlier.pages, self.batches - earlier.batches, self.requests - earlier.requests)


@dataclass(slots=True)
class Traced:
    """System calls that made something durable, of Kho and of PostgreSQL; None: nobody could look."""

    kho: int | None = None
    postgres: int | None = None


async def counters(side: Side) -> Counters:
    """Ask a server that has metrics."""
    text = await asyncio.to_thread(_metrics, side.ops)
    return Counters(
        _value(text, "kho_pages_total"),
        _value(text, "kho_sync_batch_size_count"),
        _value(text, "kho_sync_batch_size_sum"),
    )


@asynccontextmanager
async def traced(side: Side, folder: Path) -> AsyncIterator[Traced]:
    """Count sync calls while the block runs; slows the server, so nothing else is measured meanwhile."""
    found = Traced()
    strace = shutil.which("strace")
    if strace is None:
        yield found
        return
    groups = {"kho": [side.pid], "postgres": postgres_of(side.pid)}
    tracers = {name: await _attached(strace, pids, folder / f"{name}.strace") for name, pids in groups.items()}
    try:
        yield found
    finally:
        for name, tracer in tracers.items():
            if tracer is not None:
                tracer.send_signal(signal.SIGINT)
                await tracer.wait()
                setattr(found, name, _counted(folder / f"{name}.strace"))


async def _attached(strace: str, pids: list[int], output: Path) -> asyncio.subprocess.Process | None:
    arguments = ["-f", "-c", "-e", f"trace={_SYNC_CALLS}", "-o", str(output)]
    for pid in pids:
        arguments += ["-p", str(pid)]
    process = await asyncio.create_subprocess_exec(strace, *arguments, stderr=asyncio.subprocess.PIPE)
    assert process.stderr is not None
    try:
        async with asyncio.timeout(_ATTACH_S):
            while line := await process.stderr.readline():
                if b"attached" in line:
                    # Never read again: a few lines a thread fit the pipe.
                    return process
    except TimeoutError:
        process.kill()
    await process.wait()
    return None


def _counted(output: Path) -> int:
    text = output.read_text("utf-8") if output.exists() else ""
    return sum(int(count) for count, name in _COUNTED.findall(text) if name in _SYNC_CALLS)


def _metrics(ops: str) -> str:
    with urllib.request.urlopen(f"http://{ops}/metrics", timeout=5) as answer:
        text: str = answer.read().decode()
    return text


def _value(text: str, name: str) -> float:
    found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
    return float(found[1]) if found else 0.0
