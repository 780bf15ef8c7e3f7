"""A killed Kho takes its PostgreSQL with it and comes back over the same folder."""

import asyncio
import os
import signal
from pathlib import Path

import asyncpg
import pytest

from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedOptions, EmbeddedPostgres
from kho_storage.postgres.passwords import Passwords
from tests.storage.postgres.processes import ProcessFamily, ServedDatabase


def settings_of(data: Path, host: str) -> ConnectionSettings:
    return ConnectionSettings(host, "kho", "kho", password=Passwords.load(data / "pgpass").service)


@pytest.mark.parametrize("source", ["installed", "wheel"])
async def test_what_was_acknowledged_survives_and_nothing_is_orphaned(tmp_path: Path, source: str) -> None:
    data = tmp_path / "postgres"
    with ServedDatabase(data, source=source) as kho:
        answer = kho.answer()
        writer, busy = [await asyncpg.connect(**settings_of(data, answer["host"]).connect_args()) for _ in range(2)]
        await writer.execute("CREATE TABLE acknowledged (number integer)")
        # A backend in the middle of a query would not notice by itself that its server died.
        query = asyncio.create_task(busy.execute("SELECT pg_sleep(3600)"))
        await asyncio.wait({query}, timeout=0.1)
        for number in range(50):
            await writer.execute("INSERT INTO acknowledged VALUES ($1)", number)
        family = ProcessFamily(answer["pid"])
        assert len(family.pids) > 5
        kho.process.kill()
        kho.process.wait()
        # At once: the new Kho must wait for the dying PostgreSQL by itself.
        async with EmbeddedPostgres(data) as again:
            connection = await asyncpg.connect(**again.settings.connect_args())
            assert await connection.fetchval("SELECT count(*) FROM acknowledged") == 50
            await connection.close()
        with pytest.raises((asyncpg.PostgresError, OSError)):
            await query
        writer.terminate()
    assert await asyncio.to_thread(family.wait_for_end)


async def test_a_kill_during_the_first_start_is_repaired(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    with ServedDatabase(data) as kho:
        async with asyncio.timeout(30):
            while not (data / "cluster.new" / "base").exists():
                await asyncio.sleep(0)
        kho.process.kill()
    async with EmbeddedPostgres(data) as again:
        connection = await asyncpg.connect(**again.settings.connect_args())
        assert await connection.fetchval("SELECT 1") == 1
        await connection.close()
    assert not (data / "cluster.new").exists()
    assert not (data / "initdb.secret").exists()


async def test_an_orderly_end_leaves_nothing(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    with ServedDatabase(data) as kho:
        family = ProcessFamily(kho.answer()["pid"])
    assert await asyncio.to_thread(family.wait_for_end)
    assert not (data / "socket").exists()
    assert not (data / "cluster" / "postmaster.pid").exists()


async def test_a_killed_postgresql_under_a_killed_kho(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    with ServedDatabase(data) as kho:
        answer = kho.answer()
        os.kill(answer["pid"], signal.SIGSTOP)
        kho.process.kill()
        kho.process.wait()
        # A stopped postmaster cannot die in order; the next Kho says so instead of hanging or sharing.
        with pytest.raises(Exception, match="earlier Kho still runs"):
            await EmbeddedPostgres(data, EmbeddedOptions(takeover_timeout_s=0.2)).start()
        os.kill(answer["pid"], signal.SIGKILL)
    async with EmbeddedPostgres(data) as again:
        assert again.pid is not None
