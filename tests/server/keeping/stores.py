"""Stores to lose, damage and bring back."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from kho_server.keeping.reach import open_database, own_postgres
from kho_storage.catalog.database import Database
from tests.clients.cli.kho_process import Ran, kho
from tests.end_to_end.papers import Paper, scanned, signed, tampered
from tests.end_to_end.serving import Server

SETTINGS = {"segments_every_s": "0.2", "verify_workers": "1", "reserve_bytes": "0"}


@dataclass(frozen=True)
class Stocked:
    """A store that was served, filled and stopped in order."""

    data: Path
    valid: Paper
    invalid: Paper
    plain: Paper
    code: str

    def copy(self, folder: Path) -> Path:
        """Return a data folder of one's own with the same store."""
        shutil.copytree(self.data, folder / "data", symlinks=True)
        return folder / "data"


async def stock(folder: Path) -> Stocked:
    """Serve a new store, bring papers in, have them judged, and stop."""
    server = Server(folder, SETTINGS)
    await server.start()
    try:
        async with server.caller("station") as station:
            valid, invalid, plain = await signed(server.pki), await tampered(server.pki), scanned()
            code = (await station.store_judged(valid)).result_code
            await station.store_judged(invalid)
            await station.store(plain)
    finally:
        await asyncio.to_thread(server.stop_blocking)
    return Stocked(server.data, valid, invalid, plain, code)


@asynccontextmanager
async def database_of(data: Path) -> AsyncIterator[Database]:
    """Run the database of a store that nobody serves."""
    async with AsyncExitStack() as stack:
        yield await open_database(await own_postgres(data, {}, stack), stack)


async def keep(command: str, *arguments: object) -> Ran:
    """Run one of the commands that work on a store, with JSON."""
    return await kho(command, *arguments, "--json")


def serve_again(folder: Path, data: Path, **settings: str) -> Server:
    """Return a server over a store that is there already."""
    folder.mkdir(exist_ok=True)
    server = Server(folder, SETTINGS | settings)
    if data != server.data:
        data.rename(server.data)
    return server
