"""The first administrator, with the server stopped and running, and what --dev registers."""

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest

from kho_server.bootstrap import BootstrapFailed, add_administrator, register_development
from kho_server.dev_pki import DevPki, write_dev_pki
from kho_storage.blobs.data_folder import DataFolder
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.catalog.database import Database
from kho_storage.catalog.migrations import migrate
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.store import claim_store
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedPostgres
from kho_storage.records.registry import Actor, PrincipalKind

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> DevPki:
    """Give certificates."""
    return write_dev_pki(tmp_path_factory.mktemp("pki") / "pki")


def url_of(settings: ConnectionSettings) -> str:
    """Return the settings as KHO_DATABASE_URL has them."""
    return f"postgresql://{settings.user}:{settings.password}@/{settings.database}?host={settings.host}"


async def test_with_the_server_stopped_and_then_running(tmp_path: Path, pki: DevPki) -> None:
    data = tmp_path / "data"
    first = await add_administrator(
        data=data, certificate=pki.certificate("admin"), display_name="Quản trị", environment={}
    )
    again = await add_administrator(
        data=data, certificate=pki.certificate("admin"), display_name="Khác", environment={}
    )
    assert again == first
    # As a running server does: it holds the folder, and its PostgreSQL runs.
    folder = DataFolder.open(data, repository_id="H46", new_store_id=uuid4, files=DurableFiles())
    try:
        async with EmbeddedPostgres(folder.postgres) as postgres:
            second = await add_administrator(
                data=data, certificate=pki.certificate("agency-c"), display_name="Hai", environment={}
            )
            database = await Database.open(postgres.settings.connect_args(), max_connections=1)
            registry = PostgresRegistry(database)
            found = {each.principal_id: each for each in await registry.principals(None, None, 10)}
            await database.close()
    finally:
        folder.close()
    assert set(found) == {first, second}
    assert {each.kind for each in found.values()} == {PrincipalKind.ADMINISTRATOR}
    assert found[first].display_name == "Quản trị"


async def test_with_a_database_by_url(tmp_path: Path, pki: DevPki, empty_database: ConnectionSettings) -> None:
    environment = {"KHO_DATABASE_URL": url_of(empty_database), "KHO_REPOSITORY_ID": "H15"}
    data = tmp_path / "data"
    principal_id = await add_administrator(
        data=data, certificate=pki.certificate("admin"), display_name="Quản trị", environment=environment
    )
    assert not (data / "postgres").exists()
    database = await Database.open(empty_database.connect_args(), max_connections=1)
    try:
        (principal,) = await PostgresRegistry(database).principals(None, None, 10)
        assert principal.principal_id == principal_id
        await claim_store(database, uuid4(), "H15", NOW, folder_holds_documents=False)
        with pytest.raises(BootstrapFailed, match="belong together"):
            await add_administrator(
                data=data, certificate=pki.certificate("admin"), display_name="Quản trị", environment=environment
            )
    finally:
        await database.close()


async def test_what_stands_in_the_way_is_said(tmp_path: Path, pki: DevPki, empty_database: ConnectionSettings) -> None:
    environment = {"KHO_DATABASE_URL": url_of(empty_database)}
    broken = tmp_path / "broken.crt"
    broken.write_bytes(b"-----BEGIN CERTIFICATE-----\nnothing\n")

    async def failure(certificate: Path, environment: dict[str, str], data: Path = tmp_path / "data") -> str:
        with pytest.raises(BootstrapFailed) as failed:
            await add_administrator(data=data, certificate=certificate, display_name="x", environment=environment)
        return str(failed.value)

    assert "cannot be read" in await failure(broken, environment)
    assert "KHO_DATABASE_URL" in await failure(pki.certificate("admin"), {"KHO_DATABASE_URL": "mysql://x"})
    nobody = {"KHO_DATABASE_URL": f"postgresql://kho@/kho?host={tmp_path}"}
    assert "does not answer" in await failure(pki.certificate("admin"), nobody)
    (tmp_path / "else").mkdir()
    (tmp_path / "else" / "thesis.txt").write_text("not Kho's")
    assert "not a data folder" in await failure(pki.certificate("admin"), environment, tmp_path / "else")
    database = await Database.open(empty_database.connect_args(), max_connections=1)
    async with database.connection() as connection:
        await migrate(connection)
    await register_development(PostgresRegistry(database), pki.folder, NOW)
    await database.close()
    assert "registered as station" in await failure(pki.certificate("station"), environment)


async def test_what_a_development_server_registers(catalog: Database, pki: DevPki) -> None:
    registry = PostgresRegistry(catalog)
    await register_development(registry, pki.folder, NOW)
    a, b, c = await registry.agencies("", 10)
    assert [agency.agency_id for agency in (a, b, c)] == ["agency-a", "agency-b", "agency-c"]
    by_code = await registry.agency_by_code("H46.02")
    assert by_code == b
    principals = await registry.principals(None, None, 10)
    assert {(each.display_name, each.kind, each.agency_id, each.default_officer_id) for each in principals} == {
        ("station", PrincipalKind.STATION, "agency-a", "officer-a"),
        ("agency-a", PrincipalKind.AGENCY_SYSTEM, "agency-a", "officer-a"),
        ("agency-b", PrincipalKind.AGENCY_SYSTEM, "agency-b", "officer-b"),
        ("agency-c", PrincipalKind.AGENCY_SYSTEM, "agency-c", "officer-c"),
        ("operator", PrincipalKind.OPERATOR, None, None),
        ("admin", PrincipalKind.ADMINISTRATOR, None, None),
    }
    assert [grant.type_code for grant in await registry.grants_between(a.agency_uuid, b.agency_uuid)] == [None]
    assert await registry.grants(c.agency_uuid, None, 10) == ()


async def test_a_development_server_starts_again_and_leaves_changes_alone(catalog: Database, pki: DevPki) -> None:
    registry, actor = PostgresRegistry(catalog), Actor(None, None)
    await register_development(registry, pki.folder, NOW)
    station = next(each for each in await registry.principals("agency-a", None, 9) if each.display_name == "station")
    (grant,) = await registry.grants(None, None, 9)
    await registry.revoke_principal(station.principal_id, "thử", actor, NOW)
    await registry.revoke_grant(grant.grant_id, "thử", actor, NOW)
    await registry.revoke_officer("agency-b", "officer-b", "thử", actor, NOW)
    await registry.revoke_agency("agency-c", "thử", actor, NOW)
    events = await catalog.fetch("SELECT event_id FROM kho.event")
    await register_development(registry, pki.folder, NOW)
    assert await catalog.fetch("SELECT event_id FROM kho.event") == events
    assert await registry.grants(None, None, 9) == (replace(grant, revoked_at=NOW),)
