"""A real TCP link that a test can cut, cut after so many bytes, or silence: stands between client and server."""

import asyncio
import contextlib


class BrokenLink:
    """Forwards loopback connections to `server_port`; use as an async context."""

    def __init__(self, server_port: int) -> None:
        """Prepare; `cut_after` is a queue of byte counts towards the server, one for each cut to come."""
        self.server_port = server_port
        self.port = 0
        self.cut_after: list[int] = []
        self.cuts = 0
        self.bytes_up = 0
        self.is_silent = False
        self._writers: set[asyncio.StreamWriter] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._since_cut = 0

    async def __aenter__(self) -> "BrokenLink":
        """Listen."""
        self._listener = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._listener.sockets[0].getsockname()[1]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close everything."""
        self._listener.close()
        self.cut()
        for task in tuple(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> None:
        """Reset all connections, as a pulled plug does."""
        for writer in tuple(self._writers):
            writer.transport.abort()
        self._writers.clear()

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        try:
            up_reader, up_writer = await asyncio.open_connection("127.0.0.1", self.server_port)
        except OSError:
            writer.transport.abort()
            return
        self._writers |= {writer, up_writer}
        await asyncio.gather(self._pump(reader, up_writer, is_up=True), self._pump(up_reader, writer, is_up=False))

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, is_up: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(16 * 1024):
                if self.is_silent:
                    continue
                if is_up:
                    self.bytes_up += len(data)
                    self._since_cut += len(data)
                    if self.cut_after and self._since_cut >= self.cut_after[0]:
                        self.cut_after.pop(0)
                        self._since_cut = 0
                        self.cuts += 1
                        self.cut()
                        return
                writer.write(data)
                await writer.drain()
        writer.transport.abort()
        self._writers.discard(writer)
