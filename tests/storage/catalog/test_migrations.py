"""Migrations: each once, under a lock, never another text, never an older Kho."""

import asyncio
from importlib import resources

import asyncpg
import pytest

from kho_storage.catalog import migrations as module
from kho_storage.catalog.migrations import Migration, migrate, migrations
from kho_storage.errors import StoreMismatch
from kho_storage.postgres.connection import ConnectionSettings
from tests.storage.catalog.schema_facts import schema_facts


async def test_the_schema_file_and_the_migrations_build_the_same(
    database: ConnectionSettings, empty_database: ConnectionSettings
) -> None:
    schema = resources.files("kho_storage.catalog").joinpath("sql", "schema.sql").read_text("utf-8")
    migrated = await asyncpg.connect(**database.connect_args())
    built = await asyncpg.connect(**empty_database.connect_args())
    try:
        await built.execute(schema)
        facts = await schema_facts(built)
        assert facts["columns"]
        assert facts == await schema_facts(migrated)
    finally:
        await migrated.close()
        await built.close()


async def test_each_migration_is_applied_once(empty_database: ConnectionSettings) -> None:
    connection = await asyncpg.connect(**empty_database.connect_args())
    try:
        assert await migrate(connection) == tuple(step.number for step in migrations())
        assert await migrate(connection) == ()
    finally:
        await connection.close()


async def test_servers_that_start_together_wait_for_each_other(empty_database: ConnectionSettings) -> None:
    connections = [await asyncpg.connect(**empty_database.connect_args()) for _ in range(4)]
    try:
        applied = await asyncio.gather(*(migrate(connection) for connection in connections))
        assert sorted(applied) == [(), (), (), tuple(step.number for step in migrations())]
    finally:
        for connection in connections:
            await connection.close()


async def test_a_migration_whose_text_changed_is_refused(
    empty_database: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    connection = await asyncpg.connect(**empty_database.connect_args())
    try:
        monkeypatch.setattr(module, "migrations", lambda: (Migration(1, "first", "CREATE TABLE a (b int)"),))
        assert await migrate(connection) == (1,)
        monkeypatch.setattr(module, "migrations", lambda: (Migration(1, "first", "CREATE TABLE a (b bigint)"),))
        with pytest.raises(StoreMismatch, match="migration 1 was applied with another text"):
            await migrate(connection)
    finally:
        await connection.close()


async def test_the_schema_of_a_newer_kho_is_refused(
    empty_database: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = (Migration(1, "first", "CREATE TABLE a (b int)"), Migration(2, "second", "CREATE TABLE c (d int)"))
    connection = await asyncpg.connect(**empty_database.connect_args())
    try:
        monkeypatch.setattr(module, "migrations", lambda: steps)
        assert await migrate(connection) == (1, 2)
        monkeypatch.setattr(module, "migrations", lambda: steps[:1])
        with pytest.raises(StoreMismatch, match="install the newer Kho"):
            await migrate(connection)
    finally:
        await connection.close()


async def test_a_migration_that_fails_leaves_nothing_and_no_lock(
    empty_database: ConnectionSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = (Migration(1, "first", "CREATE TABLE a (b int); SELECT nothing_of_the_kind()"),)
    whole = (Migration(1, "first", "CREATE TABLE a (b int)"),)
    first = await asyncpg.connect(**empty_database.connect_args())
    second = await asyncpg.connect(**empty_database.connect_args())
    try:
        monkeypatch.setattr(module, "migrations", lambda: broken)
        with pytest.raises(asyncpg.UndefinedFunctionError):
            await migrate(first)
        monkeypatch.setattr(module, "migrations", lambda: whole)
        assert await migrate(second) == (1,)
    finally:
        await first.close()
        await second.close()
