"""A server that finds a damaged blob by itself, and repairs it from the backups."""

import asyncio
from collections.abc import Callable
from pathlib import Path

from kho_server.keeping.backup import back_up
from kho_server.keeping.checking import check
from tests.end_to_end.serving import Server
from tests.end_to_end.waiting import until
from tests.server.keeping.stores import Stocked


async def seen(server: Server, series: str) -> bool:
    """Tell whether a series of the metrics stands at one."""
    _, text = await server.ops("/metrics")
    return f"{series} 1.0" in text


async def test_a_damaged_page_is_found_and_repaired(
    stocked: Stocked, serving: Callable[..., Server], tmp_path: Path
) -> None:
    data, backups = stocked.copy(tmp_path), tmp_path / "backups"
    await back_up(backups, data)
    page = stocked.plain.sheets[0]
    name = page.digest.removeprefix("sha256:")
    blob = data / "blobs" / "sha256" / name[:3] / name
    blob.chmod(0o600)
    blob.write_bytes(bytes(len(page.content)))
    server = serving(data, second_copy=str(backups))
    await server.start()
    await until(lambda: seen(server, 'kho_scrubbed_blobs_total{outcome="repaired"}'), "the repair")
    async with server.caller("station") as station:
        assert (await station.read(stocked.plain, page)).content == page.content
    await asyncio.to_thread(server.stop_blocking)
    assert not (await check(server.data)).findings


async def test_without_a_second_copy_damage_is_told(
    stocked: Stocked, serving: Callable[..., Server], tmp_path: Path
) -> None:
    data = stocked.copy(tmp_path)
    blob = sorted(data.glob("blobs/sha256/*/*"))[0]
    blob.chmod(0o600)
    blob.write_bytes(b"x")
    server = serving(data)
    await server.start()
    await until(lambda: seen(server, "kho_blobs_damaged_total"), "the alarm")
    async with server.database() as database:
        assert await database.fetchval("SELECT subject_id FROM kho.event WHERE kind = 'blob_damaged'") == blob.name
