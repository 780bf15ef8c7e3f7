"""A whole development server inside the test, over the database of the test."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import grpc

from kho_server.app import App
from kho_server.config import Config
from kho_server.dev_pki import DevPki
from kho_server.ready_file import Ready
from kho_storage.postgres.connection import ConnectionSettings


def database_url(settings: ConnectionSettings) -> str:
    """Return the URL of a test's database behind its socket."""
    password = quote(settings.password or "", safe="")
    return f"postgresql://{settings.user}:{password}@/{settings.database}?host={quote(settings.host, safe='')}"


def settings_of(data: Path, database: ConnectionSettings, **changes: Any) -> Config:
    """Return settings of a small development server on free ports."""
    flags = {
        "data": data,
        "dev": True,
        "listen": "127.0.0.1:0",
        "ops_listen": "127.0.0.1:0",
        "database_url": database_url(database),
        "database_connections": 4,
        "verify_workers": 1,
        "drain_s": "1",
        "revocation_poll_s": "0.2",
    }
    return Config.read(flags | changes, {})


@dataclass
class RunningApp:
    """A server that serves."""

    app: App
    ready: Ready
    pki: DevPki

    @asynccontextmanager
    async def channel(self, name: str) -> AsyncIterator[grpc.aio.Channel]:
        """Connect as one of the development callers."""
        credentials = grpc.ssl_channel_credentials(
            self.pki.ca.read_bytes(), self.pki.key(name).read_bytes(), self.pki.certificate(name).read_bytes()
        )
        options = [("grpc.use_local_subchannel_pool", 1)]
        async with grpc.aio.secure_channel(self.ready.grpc, credentials, options=options) as channel:
            yield channel


@asynccontextmanager
async def running_app(config: Config) -> AsyncIterator[RunningApp]:
    """Run a server while the block runs."""
    app = App(config)
    ready = await app.start()
    try:
        yield RunningApp(app, ready, DevPki(Path(ready.pki or "")))
    finally:
        await app.stop()
