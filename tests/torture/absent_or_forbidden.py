"""Whether a stranger can tell by the clock that a result exists which is not for it.

Run as `python -m tests.torture.absent_or_forbidden`: medians of 1,000 look-ups of absent codes and 1,000 of forbidden
ones, interleaved in an order that the seed draws. Status 1: they differ by a tenth or more.
"""

import argparse
import asyncio
import random
import secrets
import statistics
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

import grpc

from kho.v1 import result_service_pb2
from tests.end_to_end.caller import Caller
from tests.end_to_end.papers import scanned, signed
from tests.end_to_end.serving import Server

_DOCUMENTS = 20
_WARMING = 200


@dataclass(frozen=True)
class Medians:
    """Seconds that half of the look-ups took at most."""

    absent_s: float
    forbidden_s: float

    @property
    def difference(self) -> float:
        """How much longer one takes than the other, as a share of the shorter."""
        return abs(self.absent_s - self.forbidden_s) / min(self.absent_s, self.forbidden_s)

    def line(self) -> str:
        """Return them for people."""
        absent, forbidden = self.absent_s * 1000, self.forbidden_s * 1000
        return f"median absent {absent:.3f} ms, forbidden {forbidden:.3f} ms: they differ by {self.difference:.1%}"


async def forbidden_codes(server: Server) -> list[str]:
    """Bring in documents of agency-a, valid and unsigned ones, and return their codes."""
    async with server.caller("station") as station:
        codes = [(await station.store_judged(await signed(server.pki))).result_code]
        return codes + [(await station.store(scanned(1))).result_code for _ in range(_DOCUMENTS)]


def absent_like(code: str, draw: random.Random) -> str:
    """Return a code of the same form that nobody has."""
    owner, rest = code.split(".", 1)
    return f"{draw.randrange(10 ** len(owner)):0{len(owner)}d}.{rest.rsplit('.', 1)[0]}.{draw.randint(10_000, 99_999)}"


async def measured(stranger: Caller, codes: list[str], count: int, draw: random.Random) -> Medians:
    """Look up so many of each kind, one at a time."""
    kinds = ["absent", "forbidden"] * (count + _WARMING // 2)
    warming, kinds = kinds[:_WARMING], kinds[_WARMING:]
    draw.shuffle(kinds)
    took: dict[str, list[float]] = {"absent": [], "forbidden": []}
    for number, kind in enumerate((*warming, *kinds)):
        code = draw.choice(codes)
        if kind == "absent":
            code = absent_like(code, draw)
        request = result_service_pb2.LookupResultRequest(code=code)
        began = time.perf_counter()
        try:
            await stranger.results.LookupResult(request, timeout=30)
            raise RuntimeError("a stranger was shown a result")
        except grpc.aio.AioRpcError as error:
            seconds = time.perf_counter() - began
            if error.code() is not grpc.StatusCode.NOT_FOUND:
                raise
        if number >= _WARMING:
            took[kind].append(seconds)
    return Medians(statistics.median(took["absent"]), statistics.median(took["forbidden"]))


async def run(folder: Path, count: int, seed: int) -> Medians:
    """Start a server, measure, stop it."""
    server = Server(folder, {"verify_workers": "1", "reserve_bytes": "0", "log_level": "warning"})
    await server.start()
    try:
        codes = await forbidden_codes(server)
        async with server.caller("agency-c") as stranger:
            return await measured(stranger, codes, count, random.Random(seed))
    finally:
        server.stop_blocking()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--count", type=int, default=1000, help="look-ups of each kind")
    parser.add_argument("--seed", type=int, default=secrets.randbits(32))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    with tempfile.TemporaryDirectory() as folder:
        medians = asyncio.run(run(Path(folder), arguments.count, arguments.seed))
    print(medians.line())
    return 0 if medians.difference < 0.1 else 1


if __name__ == "__main__":
    sys.exit(main())
