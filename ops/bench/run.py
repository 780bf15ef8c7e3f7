"""`make bench`: measures Kho beside a bare gRPC server in one run, and writes a table and bench.json."""

import argparse
import asyncio
import json
import os
import sys
import tempfile
from collections.abc import Sequence
from contextlib import AsyncExitStack
from pathlib import Path

from rich.console import Console

from kho_server.dev_pki import DevPki
from ops.bench.cases import CASES, MEMORY, MEMORY_CASE, MIB, Case
from ops.bench.load_process import LoadProcess
from ops.bench.outcome import CaseOutcome, Medians, Report, Round
from ops.bench.process_tree import Memory, memory_of, processor_seconds
from ops.bench.sides import Side, bare, kho
from ops.bench.stock import Stock, stocked
from ops.bench.syncs import counters, traced
from ops.bench.table import show
from ops.demo.steps import Expected

_ROUNDS = 3
_SECONDS = 5.0
_QUICK_SECONDS = 1.5
_SMALL_RESULTS = 64
_LARGE_BYTES = (MIB, 5 * MIB, 25 * MIB)
_LOOK_AT_MEMORY_S = 0.5
_TRACED_CASE = "pages-100k-32"


class Bench:
    """One measurement; both servers stay up from the first case to the last."""

    def __init__(self, load: LoadProcess, pki: DevPki, stock: Stock, sides: tuple[Side, Side], report: Report) -> None:
        """`sides` are Kho and the bare server."""
        self._load = load
        self._pki = pki
        self._stock = stock
        self._kho, self._bare = sides
        self._report = report

    async def case(self, case: Case) -> CaseOutcome:
        """Measure both sides in turns, so that whatever else the machine does hits both."""
        rounds: dict[str, list[Round]] = {self._kho.name: [], self._bare.name: []}
        for number in range(self._report.rounds):
            sides = (self._bare, self._kho) if number % 2 == 0 else (self._kho, self._bare)
            for side in sides:
                rounds[side.name].append(await self._round(case, side))
        mine, bare_ones = rounds[self._kho.name], rounds[self._bare.name]
        outcome = CaseOutcome(case, Medians.of(case, mine), Medians.of(case, bare_ones))
        self._report.cases.append(outcome)
        return outcome

    async def memory(self, seconds: float) -> None:
        """Watch the memory of Kho while 64 stations bring documents of 100 pages."""
        self._report.idle_memory = await asyncio.to_thread(memory_of, self._kho.pid)
        busy = asyncio.ensure_future(self._load.make(MEMORY.load(self._kho, self._pki, self._stock, seconds)))
        peak = self._report.idle_memory
        while not busy.done():
            await asyncio.wait({busy}, timeout=_LOOK_AT_MEMORY_S)
            now = await asyncio.to_thread(memory_of, self._kho.pid)
            peak = Memory(max(peak.kho_bytes, now.kho_bytes), max(peak.postgres_bytes, now.postgres_bytes))
        busy.result()
        self._report.peak_memory = peak

    async def syncs(self, case: Case, seconds: float, folder: Path) -> None:
        """Count system calls of a round that is not timed."""
        before = await counters(self._kho)
        async with traced(self._kho, folder) as found:
            await self._load.make(case.load(self._kho, self._pki, self._stock, seconds))
        pages = (await counters(self._kho)).since(before).pages
        if found.kho is not None and pages:
            self._report.traced_syncs_per_page = found.kho / pages
            self._report.traced_postgres_syncs_per_page = (found.postgres or 0) / pages

    async def _round(self, case: Case, side: Side) -> Round:
        load = case.load(side, self._pki, self._stock, self._report.seconds)
        before = await counters(side) if side.ops else None
        spent = processor_seconds(side.pid)
        sample = await self._load.make(load)
        spent = processor_seconds(side.pid) - spent
        if before is None or case.kind != "pages":
            return Round(sample, spent)
        done = (await counters(side)).since(before)
        return Round(sample, spent, done.batches, done.requests, done.pages)


async def measure(cases: Sequence[Case], report: Report, folder: Path, console: Console, *, small: int) -> None:
    """Start both servers, measure, stop them."""
    names = {case.name for case in cases}
    async with AsyncExitStack() as stack:
        side, pki = await stack.enter_async_context(kho(folder))
        large = _LARGE_BYTES if any(case.kind == "reuse" for case in cases) else ()
        stock = await stocked(side.server, pki, folder, small=small, large_bytes=large)
        baseline = await stack.enter_async_context(bare(folder, pki, stock))
        load = await stack.enter_async_context(LoadProcess.started())
        bench = Bench(load, pki, stock, (side, baseline), report)
        for case in cases:
            if case.name == MEMORY_CASE:
                await bench.memory(3 * report.seconds)
                continue
            outcome = await bench.case(case)
            console.print(
                f"{case.name}: {outcome.kho.rate:,.0f} {case.unit}, bare {outcome.bare.rate:,.0f},"
                f" ratio {outcome.ratio:.2f}"
            )
        if _TRACED_CASE in names:
            await bench.syncs(next(case for case in cases if case.name == _TRACED_CASE), report.seconds, folder)


def main(words: Sequence[str] | None = None) -> int:
    """Measure as the arguments say; return 0 when it ran, reached or not, unless --strict."""
    parser = argparse.ArgumentParser(prog="python -m ops.bench.run", description=__doc__)
    parser.add_argument("--quick", action="store_true", help=f"one round of {_QUICK_SECONDS:g} s")
    parser.add_argument("--only", action="append", default=[], metavar="NAME", help="only cases that begin like this")
    parser.add_argument("--seconds", type=float, help=f"length of a round (default {_SECONDS:g})")
    parser.add_argument("--rounds", type=int, help=f"rounds of each side (default {_ROUNDS})")
    parser.add_argument("--results", type=int, default=_SMALL_RESULTS, help="results that look-ups choose from")
    parser.add_argument("--folder", type=Path, help="where data lies meanwhile (default: a temporary folder)")
    parser.add_argument("--json", type=Path, default=Path("bench.json"), help="where the figures go")
    parser.add_argument("--strict", action="store_true", help="end with 1 when a target is missed")
    flags = parser.parse_args(words)
    console = Console(width=None if sys.stdout.isatty() else 160)
    cases = [each for each in (*CASES, MEMORY) if not flags.only or each.name.startswith(tuple(flags.only))]
    if not cases:
        parser.error("no such case; there are " + ", ".join(each.name for each in (*CASES, MEMORY)))
    report = Report(
        load_average=os.getloadavg(),
        rounds=flags.rounds or (1 if flags.quick else _ROUNDS),
        seconds=flags.seconds or (_QUICK_SECONDS if flags.quick else _SECONDS),
    )
    with tempfile.TemporaryDirectory(prefix="kho-bench-", dir=flags.folder) as folder:
        try:
            asyncio.run(measure(cases, report, Path(folder), console, small=flags.results))
        except Expected as error:
            console.print(f"the measurement failed: {error}")
            return 1
    show(report, console)
    flags.json.write_text(json.dumps(report.json(), indent=2) + "\n", "utf-8")
    missed = report.is_memory_reached is False or any(each.is_reached is False for each in report.cases)
    return 1 if flags.strict and missed else 0


if __name__ == "__main__":
    sys.exit(main())
