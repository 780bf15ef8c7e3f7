"""Reading a request stream: nothing lost, silence ended, ticks in between."""

import asyncio
from collections.abc import AsyncIterator

import pytest

from kho_server.archive.refusals import Reason, Refusal
from kho_server.rpc.stream_feed import StreamFeed


class Requests:
    """A stream whose messages come when the test says."""

    def __init__(self) -> None:
        """Begin silent."""
        self.queue: asyncio.Queue[int | Exception | None] = asyncio.Queue()

    def __aiter__(self) -> AsyncIterator[int]:
        return self

    async def __anext__(self) -> int:
        message = await self.queue.get()
        if message is None:
            raise StopAsyncIteration
        if isinstance(message, Exception):
            raise message
        return message


def feed_of(requests: Requests, tick_s: float = 0.002, stall_timeout_s: float = 30.0) -> StreamFeed[int]:
    """Return a feed with short ticks."""
    return StreamFeed(requests, tick_s=tick_s, stall_timeout_s=stall_timeout_s)


async def test_messages_in_order_then_the_end() -> None:
    requests = Requests()
    for message in (1, 2, 3, None):
        requests.queue.put_nowait(message)
    feed = feed_of(requests)
    assert [await feed.next() for _ in range(4)] == [1, 2, 3, None]


async def test_no_message_is_lost_to_a_tick() -> None:
    requests = Requests()
    feed = feed_of(requests)
    ticks = 0

    async def tick() -> None:
        nonlocal ticks
        ticks += 1
        if ticks == 5:
            requests.queue.put_nowait(7)

    assert await feed.next(tick) == 7
    assert ticks >= 5


async def test_a_tick_that_fails_passes_through_and_loses_nothing() -> None:
    requests = Requests()
    feed = feed_of(requests)

    async def fail() -> None:
        raise OSError(5, "I/O error")

    with pytest.raises(OSError, match="I/O"):
        await feed.next(fail)
    requests.queue.put_nowait(7)
    assert await feed.next() == 7


async def test_silence_ends_by_name() -> None:
    feed = feed_of(Requests(), stall_timeout_s=0.01)
    with pytest.raises(Refusal) as caught:
        await feed.next()
    assert caught.value.reason is Reason.UPLOAD_STALLED
    feed.end()


async def test_our_own_slowness_is_nobodys_silence() -> None:
    requests = Requests()
    feed = feed_of(requests, stall_timeout_s=0.05)
    requests.queue.put_nowait(1)
    assert await feed.next() == 1
    # As long as a slow disk takes over one message: longer than the silence that is allowed.
    loop = asyncio.get_running_loop()
    until = loop.time() + 0.08
    while loop.time() < until:
        await asyncio.sleep(0)
    loop.call_later(0.01, requests.queue.put_nowait, 2)
    assert await feed.next() == 2


async def test_whoever_waits_is_released_by_the_end() -> None:
    feed = feed_of(Requests())
    waiting = asyncio.create_task(feed.next())
    await asyncio.sleep(0)
    feed.end()
    assert await waiting is None


async def test_after_the_end_nothing_is_read_any_more() -> None:
    requests = Requests()
    feed = feed_of(requests)
    requests.queue.put_nowait(1)
    assert await feed.next() == 1
    # The reader was busy with its message when the stream was ended: it must not wait for another one.
    feed.end()
    feed.end()
    requests.queue.put_nowait(2)
    assert await feed.next() is None


async def test_what_the_stream_raises_comes_through_once() -> None:
    requests = Requests()
    feed = feed_of(requests)
    requests.queue.put_nowait(Refusal(Reason.MESSAGE_TOO_LARGE))
    with pytest.raises(Refusal):
        await feed.next()
    requests.queue.put_nowait(None)
    assert await feed.next() is None
