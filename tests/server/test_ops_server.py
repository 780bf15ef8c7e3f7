"""The operators' server over real sockets."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import pytest

from kho_server.metrics import Metrics
from kho_server.ops_server import OpsServer


@pytest.fixture
def conditions() -> dict[str, bool]:
    return {"ready": True, "database": True}


@pytest.fixture
async def port(conditions: dict[str, bool]) -> AsyncIterator[int]:
    server = OpsServer(Metrics().registry, lambda: conditions)
    _, bound = await server.start("127.0.0.1", 0)
    yield bound
    await server.stop()


async def ask(port: int, request: bytes) -> bytes:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(request)
        await writer.drain()
        return await asyncio.wait_for(reader.read(), 10)
    finally:
        await hang_up(writer)


async def hang_up(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with contextlib.suppress(OSError):
        await writer.wait_closed()


def get(path: str) -> bytes:
    return f"GET {path} HTTP/1.1\r\nHost: kho\r\n\r\n".encode()


async def test_serves_metrics_health_and_readiness(port: int, conditions: dict[str, bool]) -> None:
    assert b"kho_pages_total 0.0" in await ask(port, get("/metrics"))
    assert b"# EOF" in await ask(port, b"GET /metrics HTTP/1.1\r\nAccept: application/openmetrics-text\r\n\r\n")
    assert (await ask(port, get("/healthz?x=1"))).startswith(b"HTTP/1.1 200 OK")
    assert (await ask(port, get("/readyz"))).endswith(b'{"ready": true, "database": true}\n')
    conditions["ready"] = False
    assert (await ask(port, get("/readyz"))).startswith(b"HTTP/1.1 503")


async def test_answers_nonsense_shortly(port: int) -> None:
    assert (await ask(port, get("/etc/passwd"))).startswith(b"HTTP/1.1 404")
    assert (await ask(port, b"POST /metrics HTTP/1.1\r\n\r\n")).startswith(b"HTTP/1.1 405")
    assert await ask(port, b"GET /" + b"x" * 100_000) == b""


async def test_bounds_its_connections(port: int) -> None:
    silent = [await asyncio.open_connection("127.0.0.1", port) for _ in range(32)]
    with pytest.raises(ConnectionError):
        await ask(port, get("/healthz"))
    for _, writer in silent:
        await hang_up(writer)


async def test_stopping_hangs_up_on_the_silent() -> None:
    server = OpsServer(Metrics().registry, dict)
    _, bound = await server.start("127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", bound)
    writer.write(b"GET ")
    assert (await ask(bound, get("/healthz"))).endswith(b"ok\n")
    await server.stop()
    assert await asyncio.wait_for(reader.read(), 10) == b""
    await hang_up(writer)
