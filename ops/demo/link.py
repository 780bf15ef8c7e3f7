"""The cable of a one-stop desk: a TCP link between a station and the server that can be pulled out."""

import asyncio
import contextlib
import time
from types import TracebackType

_PIECE_BYTES = 16 * 1024
_HANGS_S = 0.4


class Link:
    """Forwards loopback connections to a server; use as an async context."""

    def __init__(self, server: str) -> None:
        """Lead to `server`, HOST:PORT; `cut_at` is the last cut on the monotonic clock."""
        self._host, _, port = server.rpartition(":")
        self._port = int(port)
        self._listener: asyncio.Server | None = None
        self._ends: set[tuple[asyncio.StreamWriter, asyncio.StreamWriter]] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._cut_after: int | None = None
        self.bytes_up = 0
        self.cuts = 0
        self.cut_at = 0.0

    async def __aenter__(self) -> "Link":
        """Listen on a free loopback port."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close everything."""
        if self._listener is not None:
            self._listener.close()
        # Not cancelled: asyncio's own callback complains about cancelled handlers. Without their ends they stop.
        while self._tasks:
            self._pull()
            await asyncio.wait(self._tasks, timeout=0.1)

    @property
    def address(self) -> str:
        """Where a station connects, HOST:PORT."""
        assert self._listener is not None
        return f"127.0.0.1:{self._listener.sockets[0].getsockname()[1]}"

    def cut_after(self, size_bytes: int) -> None:
        """Pull the plug once when so many more bytes have gone towards the server; what left the desk has arrived."""
        self._cut_after = self.bytes_up + size_bytes

    def _pull(self) -> None:
        for desk, server in tuple(self._ends):
            desk.transport.abort()
            server.close()  # after what is written already
        self._ends.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            up_reader, up_writer = await asyncio.open_connection(self._host, self._port)
        except OSError:
            writer.transport.abort()
            return
        ends = (writer, up_writer)
        self._ends.add(ends)
        try:
            await asyncio.gather(self._up(reader, up_writer), self._down(up_reader, writer))
        finally:
            self._ends.discard(ends)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_PIECE_BYTES):
                self.bytes_up += len(data)
                if self._cut_after is not None and self.bytes_up >= self._cut_after:
                    self._cut_after = None
                    writer.write(data)
                    # Links mostly hang before they are lost. Without this, gRPC drops messages that have arrived but
                    # were not read yet, and how much the server holds would be a matter of luck.
                    await asyncio.sleep(_HANGS_S)
                    self.cuts += 1
                    self.cut_at = time.monotonic()
                    self._pull()
                    return
                writer.write(data)
                await writer.drain()
        writer.close()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(_PIECE_BYTES):
                writer.write(data)
                await writer.drain()
        writer.close()
