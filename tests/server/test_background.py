"""Background work goes on after failures; the disk's reserve is kept; settings of certificates are followed."""

import asyncio

import pytest

from kho_server.archive.refusals import Reason, Refusal
from kho_server.background import Background
from kho_server.config import Config
from kho_server.disk_room import DiskRoom
from kho_server.metrics import Metrics
from kho_server.wire_room import server_options


async def test_a_round_that_fails_is_counted_and_the_next_one_comes() -> None:
    metrics = Metrics()
    background = Background(metrics, jitter=lambda: 0.0)
    rounds: asyncio.Queue[int] = asyncio.Queue()
    count = 0

    async def work() -> None:
        nonlocal count
        count += 1
        rounds.put_nowait(count)
        if count == 1:
            raise RuntimeError("first round")

    background.every("work", 0.0, work)
    assert [await asyncio.wait_for(rounds.get(), 10) for _ in range(3)] == [1, 2, 3]
    await background.stop()
    await background.stop()
    assert metrics.registry.get_sample_value("kho_background_failures_total", {"task": "work"}) == 1


def test_uploads_leave_the_reserve_and_asking_the_disk_is_rare() -> None:
    free, now, asked = [100], [0.0], []

    def ask() -> int:
        asked.append(now[0])
        return free[0]

    disk = DiskRoom(ask, lambda: now[0], reserve_bytes=50)
    disk.admit()
    free[0] = 50
    now[0] = 0.4
    disk.admit()
    now[0] = 0.5
    with pytest.raises(Refusal) as caught:
        disk.admit()
    assert caught.value.reason is Reason.STORAGE_FULL
    assert asked == [0.0, 0.5]
    assert DiskRoom(lambda: 0, lambda: 0.0, reserve_bytes=0).has_room


def test_stations_may_ping_every_20_seconds_and_nobody_shares_the_port() -> None:
    config = Config.read({"data": "x", "dev": True}, {})
    options = dict(server_options(config))
    assert options["grpc.http2.min_ping_interval_without_data_ms"] == 20_000
    assert options["grpc.keepalive_permit_without_calls"] == 1
    assert options["grpc.so_reuseport"] == 0
    assert options["grpc.max_receive_message_length"] == 4 * config.message_bytes
