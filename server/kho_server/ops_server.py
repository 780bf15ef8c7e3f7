"""The operators' small HTTP server: /metrics, /healthz, /readyz. Plain text, loopback by default, GET only.

It runs on the event loop on purpose: /healthz then also says that the loop turns. At most so many connections are
served at a time, each for one request, for a few seconds.
"""

import asyncio
import contextlib
import json
from collections.abc import Callable, Mapping
from http import HTTPStatus

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

_REQUEST_BYTES = 8 * 1024
_REQUEST_TIMEOUT_S = 5.0
_CONNECTIONS = 32
_TEXT = "text/plain; charset=utf-8"
_JSON = "application/json"

Answer = tuple[HTTPStatus, str, bytes]


class OpsServer:
    """Serves what `registry` counts and what `readiness` says."""

    def __init__(self, registry: CollectorRegistry, readiness: Callable[[], Mapping[str, bool]]) -> None:
        """`readiness` returns the conditions of being ready by name; `ready` is their sum."""
        self._registry = registry
        self._readiness = readiness
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.StreamWriter] = set()
        self._idle = asyncio.Event()
        self._idle.set()

    async def start(self, host: str, port: int) -> tuple[str, int]:
        """Listen and return host and port; OSError when the address is taken."""
        self._server = await asyncio.start_server(self._serve, host, port, limit=_REQUEST_BYTES)
        bound = self._server.sockets[0].getsockname()
        return str(bound[0]), int(bound[1])

    async def stop(self) -> None:
        """Stop listening and hang up on whoever is connected. Idempotent."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for writer in self._open:
            writer.transport.abort()
        await self._idle.wait()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        if len(self._open) >= _CONNECTIONS:
            writer.transport.abort()
            return
        self._open.add(writer)
        self._idle.clear()
        try:
            async with asyncio.timeout(_REQUEST_TIMEOUT_S):
                status, kind, body = await self._answer(reader)
                head = (
                    f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {kind}\r\n"
                    f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
                )
                writer.write(head.encode() + body)
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            pass
        finally:
            writer.close()
            with contextlib.suppress(OSError):
                await writer.wait_closed()
            self._open.discard(writer)
            if not self._open:
                self._idle.set()

    async def _answer(self, reader: asyncio.StreamReader) -> Answer:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        method, _, rest = head[0].partition(" ")
        path = rest.partition(" ")[0].partition("?")[0]
        if method != "GET":
            return HTTPStatus.METHOD_NOT_ALLOWED, _TEXT, b"only GET\n"
        if path == "/metrics":
            accept = next((line[7:].strip() for line in head if line.lower().startswith("accept:")), "")
            encoder, kind = choose_encoder(accept)
            return HTTPStatus.OK, kind, encoder(self._registry)
        if path == "/healthz":
            return HTTPStatus.OK, _TEXT, b"ok\n"
        if path == "/readyz":
            conditions = dict(self._readiness())
            status = HTTPStatus.OK if conditions.get("ready") else HTTPStatus.SERVICE_UNAVAILABLE
            return status, _JSON, json.dumps(conditions).encode() + b"\n"
        return HTTPStatus.NOT_FOUND, _TEXT, b"try /metrics, /healthz or /readyz\n"
