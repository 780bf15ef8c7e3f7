"""The embedded PostgreSQL serves Kho and nobody else, durably, from either source."""

import asyncio
import contextlib
import fcntl
import os
import signal
import stat
import subprocess
from pathlib import Path

import asyncpg
import pytest

from kho_storage.errors import PostgresFailed, StoreInUse
from kho_storage.postgres.binaries import Source, find_binaries
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedOptions, EmbeddedPostgres

SOURCES: list[Source] = ["installed", "wheel"]


async def ask(settings: ConnectionSettings, question: str) -> object:
    connection = await asyncpg.connect(**settings.connect_args())
    try:
        return await connection.fetchval(question)
    finally:
        await connection.close()


def tcp_inodes() -> set[str]:
    lines = [line for name in ("tcp", "tcp6") for line in Path(f"/proc/net/{name}").read_text().splitlines()[1:]]
    return {fields[9] for fields in map(str.split, lines) if fields[3] == "0A"}


def socket_inodes(pid: int) -> set[str]:
    links = [os.readlink(link) for link in Path(f"/proc/{pid}/fd").iterdir()]
    return {link[8:-1] for link in links if link.startswith("socket:[")}


@pytest.mark.parametrize("source", SOURCES)
async def test_both_sources_serve_and_keep_what_was_written(tmp_path: Path, source: Source) -> None:
    options = EmbeddedOptions(source=source, max_connections=17)
    async with EmbeddedPostgres(tmp_path / "postgres", options) as server:
        assert int(str(await ask(server.settings, "SHOW server_version_num"))) // 10000 == find_binaries(source).major
        assert await ask(server.settings, "SHOW max_connections") == "17"
        await ask(server.settings, "CREATE TABLE kept AS SELECT 7 AS number")
    async with EmbeddedPostgres(tmp_path / "postgres", options) as server:
        assert await ask(server.settings, "SELECT number FROM kept") == 7


@pytest.mark.parametrize("source", SOURCES)
async def test_it_is_safe_and_closed(tmp_path: Path, source: Source) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data, EmbeddedOptions(source=source)) as server:
        expected = {
            "data_checksums": "on",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "server_encoding": "UTF8",
            "listen_addresses": "",
            "password_encryption": "scram-sha-256",
            "log_error_verbosity": "terse",
            "TimeZone": "UTC",
        }
        for name, value in expected.items():
            assert await ask(server.settings, f"SHOW {name}") == value, name
        assert await ask(server.settings, "SELECT datcollate FROM pg_database WHERE datname = 'kho'") == "C"
        assert server.pid is not None
        # Line 6 of postmaster.pid: the first TCP address that the server really opened.
        assert (data / "cluster" / "postmaster.pid").read_text().splitlines()[5] == ""
        # A container's root may not look at another user's descriptors: then the server's own record stands alone.
        with contextlib.suppress(PermissionError):
            assert not tcp_inodes() & socket_inodes(server.pid)
        assert stat.S_IMODE(Path(server.settings.host).stat().st_mode) == 0o700
    rules = [
        line.split()
        for line in (data / "cluster" / "pg_hba.conf").read_text().splitlines()
        if line.strip() and not line.startswith("#")
    ]
    assert rules
    assert all(rule[0] == "local" and rule[-1] == "scram-sha-256" for rule in rules)
    assert "trust" not in (data / "cluster" / "pg_hba.conf").read_text()
    assert stat.S_IMODE((data / "pgpass").stat().st_mode) == 0o600
    # 0700; as root where namespaces are forbidden, 0710 for the one user that PostgreSQL runs as.
    assert stat.S_IMODE(data.stat().st_mode) & 0o067 == 0


async def test_durability_cannot_be_configured_away(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data) as server:
        await ask(server.administrator, "ALTER SYSTEM SET fsync = off")
    with (data / "cluster" / "postgresql.conf").open("a") as file:
        file.write("full_page_writes = off\nsynchronous_commit = off\nlisten_addresses = '*'\n")
    async with EmbeddedPostgres(data) as server:
        for name, value in {"fsync": "on", "full_page_writes": "on", "synchronous_commit": "on"}.items():
            assert await ask(server.settings, f"SHOW {name}") == value
        assert await ask(server.settings, "SHOW listen_addresses") == ""


async def test_kho_owns_its_database_and_nothing_else(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "postgres") as server:
        owner = "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = 'kho'"
        assert await ask(server.settings, owner) == server.settings.user == "kho"
        assert await ask(server.settings, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is False
        assert await ask(server.administrator, "SELECT rolsuper FROM pg_roles WHERE rolname = current_user") is True


async def test_nobody_enters_without_the_password(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "postgres") as server:
        for user in (server.settings.user, server.administrator.user):
            for password in ("wrong", server.settings.host):
                with pytest.raises(asyncpg.InvalidPasswordError):
                    await ask(ConnectionSettings(server.settings.host, user, "kho", password=password), "SELECT 1")
        secrets = (server.settings.password, server.administrator.password)
        assert all(secret and secret not in repr(server.settings) + repr(server.administrator) for secret in secrets)


async def test_clients_mistakes_leave_no_words_in_the_log(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data) as server:
        await ask(server.settings, "CREATE TABLE owners (name text UNIQUE)")
        await ask(server.settings, "INSERT INTO owners VALUES ('Nguyễn Thị Kín')")
        with pytest.raises(asyncpg.UniqueViolationError):
            await ask(server.settings, "INSERT INTO owners VALUES ('Nguyễn Thị Kín')")
        with pytest.raises(asyncpg.DataError):
            await ask(server.settings, "SELECT 'Nguyễn Thị Kín'::integer")
    assert "Kín" not in (data / "postgres.log").read_text("utf-8")


async def test_a_second_start_on_the_same_folder_is_refused(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data) as server:
        with pytest.raises(StoreInUse, match="another Kho already serves"):
            await EmbeddedPostgres(data).start()
        assert await ask(server.settings, "SELECT 1") == 1, "the first one must not notice"


async def test_a_server_started_by_hand_is_not_trampled_on(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data):
        pass
    with subprocess.Popen(["sleep", "60"], cwd=data / "cluster") as stranger:
        (data / "cluster" / "postmaster.pid").write_text(f"{stranger.pid}\n")
        with pytest.raises(StoreInUse, match=f"by hand .process {stranger.pid}"):
            await EmbeddedPostgres(data).start()
        stranger.kill()


async def test_a_process_number_used_again_does_not_lock_us_out(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data):
        pass
    with subprocess.Popen(["sleep", "60"], cwd="/") as stranger:
        (data / "cluster" / "postmaster.pid").write_text(f"{stranger.pid}\n{data / 'cluster'}\n0\n5432\n")
        async with EmbeddedPostgres(data) as server:
            assert await ask(server.settings, "SELECT 1") == 1
        assert stranger.poll() is None
        stranger.kill()


async def test_a_postgresql_that_never_dies_is_waited_for_in_bounds(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data):
        pass
    with (data / "postgres.lock").open("r+") as holder:
        fcntl.flock(holder, fcntl.LOCK_EX)
        with pytest.raises(StoreInUse, match="earlier Kho still runs"):
            await EmbeddedPostgres(data, EmbeddedOptions(takeover_timeout_s=0.1)).start()
        late = asyncio.create_task(EmbeddedPostgres(data).start())
        done, _ = await asyncio.wait({late}, timeout=0.2)
        assert not done
        late.cancel()
        with pytest.raises(asyncio.CancelledError):
            await late
    async with EmbeddedPostgres(data):
        pass


async def test_it_comes_back_when_it_dies_alone(tmp_path: Path) -> None:
    async with EmbeddedPostgres(tmp_path / "postgres") as server:
        async with asyncpg.create_pool(**server.settings.connect_args(), min_size=1, max_size=2) as pool:
            await pool.execute("CREATE TABLE acknowledged AS SELECT 1 AS number")
            first = server.pid
            assert first is not None
            os.kill(first, signal.SIGKILL)
            async with asyncio.timeout(30):
                while server.pid in (first, None):
                    await asyncio.sleep(0)
            assert await pool.fetchval("SELECT number FROM acknowledged") == 1


@pytest.mark.parametrize(
    ("version", "says"),
    [("9\n", "needs PostgreSQL 9"), ("99\n", "needs PostgreSQL 99"), ("x\n", "no readable PG_VERSION")],
)
async def test_a_folder_of_another_version_is_refused_by_name(tmp_path: Path, version: str, says: str) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data):
        pass
    (data / "cluster" / "PG_VERSION").write_text(version)
    with pytest.raises(PostgresFailed, match=says):
        await EmbeddedPostgres(data).start()


@pytest.mark.parametrize("source", SOURCES)
async def test_an_existing_folder_takes_the_binaries_of_its_version(tmp_path: Path, source: Source) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data, EmbeddedOptions(source=source)) as server:
        made_by = await ask(server.settings, "SHOW server_version")
    async with EmbeddedPostgres(data) as server:
        assert await ask(server.settings, "SHOW server_version") == made_by


async def test_an_interrupted_first_start_leaves_no_half_cluster(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    first = asyncio.create_task(EmbeddedPostgres(data).start())
    async with asyncio.timeout(30):
        while not (data / "cluster.new" / "base").exists():
            await asyncio.sleep(0)
    first.cancel()
    with pytest.raises(asyncio.CancelledError):
        await first
    assert not (data / "cluster").exists()
    async with EmbeddedPostgres(data) as server:
        assert await ask(server.settings, "SELECT 1") == 1


async def test_a_lost_password_file_is_said_plainly(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data):
        pass
    (data / "pgpass").unlink()
    with pytest.raises(PostgresFailed, match=r"pgpass cannot be used.*restore it from the backup"):
        await EmbeddedPostgres(data).start()


async def test_a_data_folder_that_cannot_be_is_said_plainly(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(PostgresFailed, match="cannot be used"):
        await EmbeddedPostgres(tmp_path / "file" / "postgres").start()


async def test_a_server_that_refuses_its_settings_says_why(tmp_path: Path) -> None:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data):
        pass
    with (data / "cluster" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(PostgresFailed, match="no_such_setting"):
        await EmbeddedPostgres(data).start()


async def test_a_long_path_moves_the_socket_to_a_private_folder(tmp_path: Path) -> None:
    data = tmp_path / ("x" * 100) / ("y" * 100) / "postgres"
    async with EmbeddedPostgres(data) as server:
        folder = Path(server.settings.host)
        assert len(os.fsencode(folder / ".s.PGSQL.5432")) <= 107
        assert stat.S_IMODE(folder.stat().st_mode) == 0o700
        assert await ask(server.settings, "SELECT 1") == 1
    assert not folder.exists()
    folder.mkdir()
    (data / "socket.link").symlink_to(folder)
    async with EmbeddedPostgres(data) as server:
        assert server.settings.host != str(folder)
        assert not folder.exists(), "what a killed Kho left is cleared"
