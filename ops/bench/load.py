"""The process that makes load: reads one Load a line from stdin, writes one Sample a line to stdout."""

import asyncio
import math
import sys
import time
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AsyncExitStack
from functools import partial
from pathlib import Path

import grpc

from kho_client.connection import Connection, open_channel
from kho_server.dev_pki import DevPki
from ops.bench.agency import Agency
from ops.bench.sample import Load, Sample
from ops.bench.station import Station, Tally, pages_of

# Commits are prepared ahead of the clock, since only the sealing is measured: so many for a second of the round.
_PREPARED_A_SECOND = 150
_WARM_UP_S = 2.0


async def run(load: Load, clock: Callable[[], float] = time.perf_counter) -> Sample:
    """Make this load and say what it came to; AioRpcError when the server refuses anything."""
    async with AsyncExitStack() as stack:
        channels = [await stack.enter_async_context(_channel(load)) for _ in range(load.streams)]
        await asyncio.gather(*(channel.channel_ready() for channel in channels))
        work, tally = await _prepared(load, channels, clock)
        # Streams fill their windows first: 32 of them are 128 MiB, which are no measure of what goes on from there.
        tally.begin(0.0 if load.kind == "commits" else min(_WARM_UP_S, load.seconds), load.seconds)
        async with asyncio.TaskGroup() as group:
            for each in work:
                group.create_task(_run(each))
        return Sample.of(
            tally.latencies_s, tally.size_bytes, tally.moved_bytes, min(clock() - tally.counts_from, load.seconds)
        )


async def _prepared(
    load: Load, channels: Sequence[grpc.aio.Channel], clock: Callable[[], float]
) -> tuple[list[Callable[[], Awaitable[None]]], Tally]:
    """Return what each stream will do; whatever is no part of the measurement is done here."""
    tally = Tally(clock, math.inf)
    if load.kind in ("pages", "small", "commits"):
        stations = [Station(channel, tally) for channel in channels]
        if load.kind == "pages":
            pages = pages_of(load.unit_bytes)
            return [partial(each.stream_documents, pages, load.unit_count) for each in stations], tally
        if load.kind == "small":
            return [partial(each.send_small, load.unit_bytes, load.unit_count) for each in stations], tally
        return await _commits(load, stations, tally), tally
    agencies = [Agency(channel, tally, load.codes, seed) for seed, channel in enumerate(channels)]
    if load.kind == "lookups":
        return [agency.look_up for agency in agencies], tally
    if load.kind == "batches":
        return [partial(each.look_up_batches, load.unit_count) for each in agencies], tally
    if load.kind == "reuse":
        return [agency.fetch for agency in agencies], tally
    raise ValueError(f"there is no load called {load.kind!r}")


async def _commits(load: Load, stations: Sequence[Station], tally: Tally) -> list[Callable[[], Awaitable[None]]]:
    each = max(1, int(_PREPARED_A_SECOND * load.seconds / load.streams))

    async def prepare(station: Station) -> Callable[[], Awaitable[None]]:
        requests = [await station.prepare(load.unit_bytes) for _ in range(each)]

        return partial(station.commit, requests)

    return list(await asyncio.gather(*(prepare(station) for station in stations)))


async def _run(work: Callable[[], Awaitable[None]]) -> None:
    await work()


def _channel(load: Load) -> grpc.aio.Channel:
    pki = DevPki(Path(load.pki))
    return open_channel(Connection(load.server, pki.ca, pki.certificate(load.caller), pki.key(load.caller)))


def main() -> None:
    """Serve the harness until it closes stdin."""
    for line in sys.stdin:
        sys.stdout.write(asyncio.run(run(Load.parse(line))).json() + "\n")
        sys.stdout.flush()


if __name__ == "__main__":
    main()
