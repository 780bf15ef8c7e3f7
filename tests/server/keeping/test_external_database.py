"""The same over a PostgreSQL that is not Kho's own."""

from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kho_server.keeping.backup import back_up
from kho_server.keeping.checking import check
from kho_server.keeping.errors import KeepingFailed
from kho_server.keeping.reach import open_database
from kho_server.keeping.restore import put_back
from kho_storage.errors import PostgresFailed
from kho_storage.postgres.binaries import INSTALLED_ROOT
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.dump import find_dump_programs
from kho_storage.postgres.embedded import EmbeddedPostgres
from ops.recovery.stock import Size, make_store
from tests.fixtures_postgres import create_database, drop_database
from tests.server.running_app import database_url


async def test_backup_and_restore_from_one_database_into_another(
    tmp_path: Path, empty_database: ConnectionSettings, postgres: EmbeddedPostgres
) -> None:
    here = {"KHO_DATABASE_URL": database_url(empty_database)}
    await make_store(tmp_path / "data", Size(3, 1, 200), here)
    await back_up(tmp_path / "backups", tmp_path / "data", environment=here)
    with pytest.raises(KeepingFailed, match="holds a Kho already"):
        await put_back(tmp_path / "backups", tmp_path / "other", environment=here)
    target = await create_database(postgres, "restored")
    try:
        there = {"KHO_DATABASE_URL": database_url(target)}
        report = await put_back(tmp_path / "backups", tmp_path / "new", environment=there)
        assert (report.held, report.record.documents) == (3, 3)
        assert not (await check(tmp_path / "new", environment=there)).findings
        with pytest.raises(KeepingFailed, match="is not that of the data folder"):
            await check(tmp_path / "data", environment={"KHO_DATABASE_URL": database_url(postgres.settings)})
        async with AsyncExitStack() as stack:
            row = await (await open_database(postgres.settings, stack)).fetch_one("SELECT to_regnamespace('kho')")
        assert row is not None
        assert row[0] is None, "a database of somebody else is left as it is"
    finally:
        await drop_database(postgres, "restored")


async def test_a_url_that_cannot_be_used_is_refused_without_its_password(tmp_path: Path) -> None:
    await make_store(tmp_path / "data", Size(1, 1, 100))
    with pytest.raises(KeepingFailed) as refused:
        await check(tmp_path / "data", environment={"KHO_DATABASE_URL": "postgresql://kho:secret@host:99999/kho"})
    assert "secret" not in str(refused.value)


def test_dump_programs_are_those_of_the_server_or_newer() -> None:
    majors = {int(folder.name) for folder in INSTALLED_ROOT.iterdir()}
    assert find_dump_programs(min(majors)).major == min(majors)
    assert find_dump_programs(1).major >= 1
    with pytest.raises(PostgresFailed, match="postgresql-client-99"):
        find_dump_programs(99)
