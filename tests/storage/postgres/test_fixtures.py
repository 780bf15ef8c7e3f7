"""The fixtures that other tests stand on."""

import asyncpg
import pytest

from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedPostgres


@pytest.mark.parametrize("turn", [1, 2])
async def test_every_test_has_a_database_of_its_own(database: ConnectionSettings, turn: int) -> None:
    async with asyncpg.create_pool(**database.connect_args(), min_size=1, max_size=2) as pool:
        await pool.execute("CREATE TABLE only_here (number integer)")
        await pool.execute("INSERT INTO only_here VALUES ($1)", turn)
        assert await pool.fetch("SELECT number FROM only_here") == [(turn,)]


async def test_an_empty_database_belongs_to_the_service(
    postgres: EmbeddedPostgres, empty_database: ConnectionSettings
) -> None:
    connection = await asyncpg.connect(**empty_database.connect_args())
    try:
        owner = await connection.fetchval(
            "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()"
        )
        assert owner == empty_database.user == postgres.settings.user
    finally:
        await connection.close()
