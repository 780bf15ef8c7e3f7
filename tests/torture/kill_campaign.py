"""Kills servers and databases at random moments under load, and holds what is left against what was told.

Run as `python -m tests.torture.kill_campaign --rounds 1000 --seed 1 --minutes 60`. A round: the server starts over the
folder that the last one left, everything that was ever told to a client is looked for, clients work, and something is
killed at a moment that the seed draws. Status 0: nothing was lost; 1: findings, printed with the seed.
"""

import argparse
import asyncio
import os
import random
import secrets
import shutil
import signal
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg
import grpc

from kho_storage.postgres.beside import settings_beside
from kho_storage.postgres.embedded import EmbeddedOptions, EmbeddedPostgres
from tests.end_to_end.caller import Caller
from tests.end_to_end.papers import Sheet, signed
from tests.end_to_end.waiting import until
from tests.server.running_app import database_url
from tests.torture.forked_server import ForkedServer, Nursery
from tests.torture.laws import Laws, projections_equal_their_events
from tests.torture.load import Died, Load, is_valid
from tests.torture.promises import Promises, Record, new_id

_SETTINGS = {
    "verify_workers": "1",
    "reserve_bytes": "0",
    "log_level": "warning",
    "acknowledge_every_s": "0.05",
    "chunk_bytes": "65536",
    "database_connections": "8",
}
# Rounds over one folder: checks grow with what it holds, and a fresh one is met by kills, too.
_GENERATION = 40
_STATIONS = (("station", 0), ("station", 1), ("agency-b", 0))
_ASKERS = ("agency-a", "agency-b", "agency-c")
_VICTIMS = ("server",) * 7 + ("start",) * 2 + ("database",)


@dataclass
class Figures:
    """What a campaign did."""

    rounds: int = 0
    seconds: float = 0.0
    killed: Counter[str] = field(default_factory=Counter)
    promised: Counter[str] = field(default_factory=Counter)
    calls: int = 0
    orphans: int = 0
    findings: list[str] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Return them for people."""
        promised = ", ".join(f"{count} {name}" for name, count in self.promised.items())
        killed = ", ".join(f"{name} {count}" for name, count in sorted(self.killed.items()))
        return [
            f"rounds {self.rounds} in {self.seconds:.0f} s; killed: {killed}",
            f"calls {self.calls}; promised and found again: {promised}",
            f"blobs that nobody refers to: {self.orphans}",
            f"findings: {len(self.findings)}",
            *(f"  {finding}" for finding in self.findings[:50]),
        ]


class KillCampaign:
    """One campaign; `run` once."""

    def __init__(
        self, folder: Path, seed: int, *, is_external: bool = False, victims: Sequence[str] = _VICTIMS
    ) -> None:
        """Keep servers' folders in `folder`; `is_external`: PostgreSQL is a server of its own."""
        self._folder = folder
        self._draw = random.Random(seed)
        self._is_external = is_external
        self._victims = victims
        self.figures = Figures()

    async def run(self, rounds: int, seconds: float) -> Figures:
        """Run so many rounds, or as many as begin within the time."""
        started = time.monotonic()
        with Nursery() as nursery:
            while self.figures.rounds < rounds and time.monotonic() - started < seconds:
                until_round = min(rounds, self.figures.rounds + _GENERATION)
                folder = self._folder / f"generation-{self.figures.rounds}"
                folder.mkdir()
                async with AsyncExitStack() as stack:
                    house = await self._house(folder, nursery, stack)
                    stack.callback(house.server.kill_now)
                    try:
                        while self.figures.rounds < until_round and time.monotonic() - started < seconds:
                            await house.round(self.figures.rounds % 10 == 9)
                            self.figures.rounds += 1
                        await house.end()
                    except (AssertionError, Died, grpc.aio.AioRpcError) as error:
                        # What a client met is told together with what the server says of it.
                        house.promises.finding(f"round {self.figures.rounds}: {error!r}\n{house.last_words()}")
                        self.figures.rounds = until_round
                self.figures.findings += house.promises.findings
                self.figures.promised.update(house.promises.counts())
                self.figures.calls += house.load.calls
                self.figures.orphans += house.laws.orphans
                shutil.rmtree(folder)
        self.figures.seconds = time.monotonic() - started
        return self.figures

    async def _house(self, folder: Path, nursery: Nursery, stack: AsyncExitStack) -> "_House":
        database = None
        settings = dict(_SETTINGS)
        if self._is_external:
            options = EmbeddedOptions(max_connections=64, shared_buffers_mib=32)
            database = await stack.enter_async_context(EmbeddedPostgres(folder / "external", options))
            settings["database_url"] = database_url(database.settings)
        server = ForkedServer(folder, settings, nursery=nursery)
        promises = Promises(self._draw)
        house = _House(server, promises, self._draw, self.figures, database, self._victims)
        await house.prepare()
        return house


class _House:
    """One data folder with its server and clients."""

    def __init__(
        self,
        server: ForkedServer,
        promises: Promises,
        draw: random.Random,
        figures: Figures,
        database: EmbeddedPostgres | None,
        victims: Sequence[str],
    ) -> None:
        self.server = server
        self.promises = promises
        self.load = Load(draw, promises, ())
        self.laws = Laws(server.data, promises)
        self._draw = draw
        self._figures = figures
        self._database = database
        self._victims = victims

    async def prepare(self) -> None:
        """Bring in what can be reused: signed files that were judged."""
        await self.server.start()
        paper = await signed(self.server.pki)
        (sheet,) = paper.sheets
        self.load.signed = (Sheet(1, sheet.content, sheet.media_type, is_page=False),)
        async with self.server.caller("station") as caller:
            for _ in range(2):
                record = self.load.record_of("station", self.load.signed)
                self.promises.records.append(record)
                await self.load.persist(caller, record)
                document = await caller.judged(record.paper)
                assert is_valid(document), "what is signed well must be valid"
                self.promises.valid.append(record)
        await self.server.kill()

    async def round(self, is_plain: bool) -> None:
        """Start, check, work, kill."""
        victim = self._draw.choice(self._victims)
        self._figures.killed[victim] += 1
        self.server.is_plain = is_plain
        if victim == "start":
            self.server.begin()
            await asyncio.sleep(self._draw.uniform(0.0, 0.35))
            await self.server.kill()
        await self.server.start()
        async with self._callers() as callers:
            await self._check(callers, is_fresh=True)
            work = asyncio.ensure_future(self._work(callers))
            await asyncio.sleep(self._draw.uniform(0.02, 0.5))
            if victim == "database":
                await self._kill_database()
                await work
                await until(lambda: self._answers(callers), "an answer after the database came back")
                await self._check(callers, is_fresh=False)
                work = asyncio.ensure_future(self._work(callers))
                await asyncio.sleep(self._draw.uniform(0.02, 0.2))
            await self.server.kill()
            await work

    async def end(self) -> None:
        """Start once more, finish everything that was begun, and check what is dear to check."""
        self.server.is_plain = False
        await self.server.start()
        async with self._callers() as callers:
            await self._check(callers, is_fresh=True)
            for record in self.promises.open:
                await self.load.persist(callers[record.station], record)
            await self._check(callers, is_fresh=False)
            for record in self.promises.valid:
                if not is_valid(await callers["station"].document(record.paper)):
                    self.promises.finding("what was valid is not valid any more")
        link = await self._link()
        try:
            await projections_equal_their_events(link)
        except AssertionError as error:
            self.promises.finding(f"a rebuild changes projections: {str(error)[:300]}")
        finally:
            await link.close()
        self._log_is_clean()
        await self.server.kill()

    def _callers(self) -> "_Callers":
        return _Callers(self.server)

    async def _work(self, callers: dict[str, Caller]) -> None:
        """Let all clients work until the server dies; anything but its death is a finding."""
        clients: list[Awaitable[None]] = []
        for name, share in _STATIONS:
            clients.append(self.load.station(callers[name], name, _share(share)))
        clients += [self.load.agency(callers[name], name) for name in _ASKERS]
        for outcome in await asyncio.gather(*clients, return_exceptions=True):
            if not isinstance(outcome, Died):
                self.promises.finding(f"a client met {type(outcome).__name__}: {str(outcome)[:300]}")

    async def _check(self, callers: dict[str, Caller], *, is_fresh: bool) -> None:
        for record in self.promises.open:
            if record.current.is_begun:
                await self.load.begun(callers[record.station], record)
        for record in self.promises.records:
            version = record.current
            if version.answer is not None and not version.is_checked:
                await self._same_answer(callers[record.station], record)
                version.is_checked = True
        link = await self._link()
        try:
            await self.laws.hold(link, is_fresh=is_fresh)
        finally:
            await link.close()

    async def _same_answer(self, caller: Caller, record: Record) -> None:
        """Ask for the commit again, under its own id and under another one, and read a part."""
        answer = record.current.answer
        again = await self.load.commit(caller, record, record.current.commit_id)
        if again != answer:
            self.promises.finding("a repeated Commit is answered otherwise")
        if self._draw.random() < 0.3:
            other = await self.load.commit(caller, record, new_id(self._draw))
            other.state = again.state
            if other != answer:
                self.promises.finding("a Commit under another request id is answered otherwise")
            sheet = self._draw.choice(record.current.sheets)
            got = await caller.read(record.paper, sheet)
            if got.content != sheet.content or got.header.digest != sheet.digest:
                self.promises.finding("other bytes come back than were sealed")

    async def _kill_database(self) -> None:
        if self._database is not None:
            pid = self._database.pid
        else:
            pid = int((self.server.data / "postgres" / "cluster" / "postmaster.pid").read_text().split()[0])
        if pid is not None:
            os.kill(pid, signal.SIGKILL)

    async def _answers(self, callers: dict[str, Caller]) -> bool:
        """Try every connection that the server may still hold to a database that is gone."""
        codes = (f"KHONG.CO.{number}" for number in range(16))
        asked = [callers["station"].lookup(code) for code in codes]
        outcomes = await asyncio.gather(*asked, return_exceptions=True)
        codes_seen = {each.code() for each in outcomes if isinstance(each, grpc.aio.AioRpcError)}
        return codes_seen == {grpc.StatusCode.NOT_FOUND}

    async def _link(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._database is not None:
            return await asyncpg.connect(**self._database.settings.connect_args())
        return await asyncpg.connect(**settings_beside(self.server.data / "postgres").connect_args())

    def last_words(self) -> str:
        """Return the end of what the server complained of."""
        return "\n".join([line for line in self.server.log.splitlines() if '"level"' in line][-5:])

    def _log_is_clean(self) -> None:
        for line in self.server.log.splitlines():
            if "by a fault of ours" in line or "Traceback" in line:
                self.promises.finding(f"the server met a fault of its own: {line}")


class _Callers:
    """All clients of a round, each with a connection of its own."""

    def __init__(self, server: ForkedServer) -> None:
        self._server = server
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> dict[str, Caller]:
        names = ("station", "agency-a", "agency-b", "agency-c")
        return {name: await self._stack.enter_async_context(self._server.caller(name)) for name in names}

    async def __aexit__(self, *_: object) -> None:
        await self._stack.aclose()


def _share(number: int) -> Callable[[Record], bool]:
    def is_mine(record: Record) -> bool:
        return int(record.paper.document_id[:8], 16) % 2 == number

    return is_mine


def main() -> int:
    """Run a campaign and print its figures."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--rounds", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--external", action="store_true", help="PostgreSQL as a server of its own")
    parser.add_argument("--folder", type=Path, help="where data folders lie; default: the usual temporary folder")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        campaign = KillCampaign(Path(folder), arguments.seed, is_external=arguments.external)
        figures = asyncio.run(campaign.run(arguments.rounds, arguments.minutes * 60))
    print("\n".join(figures.lines()))
    return 1 if figures.findings else 0


if __name__ == "__main__":
    sys.exit(main())
