"""`kho check` names what is wrong, and only that."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from kho_server.keeping.checking import check
from kho_storage.catalog.database import Database
from tests.server.keeping.stores import Stocked, database_of, keep

Damage = Callable[[Path], None]


def some(data: Path, pattern: str) -> Path:
    """Return the first file of a kind."""
    return sorted(data.glob(pattern))[0]


def overwrite(path: Path, content: bytes) -> None:
    """Change a sealed file."""
    path.unlink(missing_ok=True)
    path.write_bytes(content)


def spoil(path: Path) -> None:
    """Change one byte."""
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    overwrite(path, bytes(content))


def stray(data: Path) -> None:
    """Put a blob where nobody needs it, and one into a wrong folder."""
    blob = some(data, "blobs/sha256/*/*")
    wrong = data / "blobs" / "sha256" / "fff"
    wrong.mkdir(exist_ok=True)
    blob.rename(wrong / blob.name)


def drop_payload(data: Path) -> None:
    """Lose the payload of one event of a segment."""
    path = some(data, "events/*/*.payloads.jsonl")
    overwrite(path, b"".join(path.read_bytes().splitlines(keepends=True)[1:]))


def alter_payload(data: Path) -> None:
    """Say something else in the payload of a segment."""
    path = some(data, "events/*/*.payloads.jsonl")
    first, *others = path.read_bytes().splitlines(keepends=True)
    said = json.loads(first)
    said["payload"]["more"] = 1
    overwrite(path, json.dumps(said).encode() + b"\n" + b"".join(others))


def forge_segment(data: Path) -> None:
    """Change what an event says in the first segment, in good form."""
    path = some(data, "events/*/*.facts.jsonl")
    overwrite(path, path.read_bytes().replace(b'"kind":"agency_registered"', b'"kind":"agency_forgotten"', 1))


ON_FILES: dict[str, tuple[Damage, set[str]]] = {
    "a damaged blob": (lambda data: spoil(some(data, "blobs/sha256/*/*")), {"blob_damaged"}),
    "a blob of another size": (
        lambda data: overwrite(some(data, "blobs/sha256/*/*"), b"short"),
        {"blob_damaged", "blob_size"},
    ),
    "a blob that is gone": (lambda data: some(data, "blobs/sha256/*/*").unlink(), {"blob_missing"}),
    "a blob in another folder": (stray, {"blob_misplaced", "blob_missing"}),
    "a damaged manifest": (lambda data: spoil(some(data, "manifests/*/*/*.json")), {"manifest_damaged"}),
    "a manifest that is gone": (lambda data: some(data, "manifests/*/*/*.json").unlink(), {"manifest_missing"}),
    "a manifest of nobody": (
        lambda data: overwrite(
            some(data, "manifests/*/*/*.json").with_name("v1.00000000-0000-4000-8000-000000000000.json"), b"{}"
        ),
        {"manifest_without_rows"},
    ),
    "a segment that is gone": (
        lambda data: sorted(data.glob("events/*/*.facts.jsonl"))[1].unlink(),
        {"segment_missing"},
    ),
    "a segment cut short": (
        lambda data: overwrite(some(data, "events/*/*.facts.jsonl"), b'{"first":1}\n'),
        {"segment_damaged"},
    ),
    "a forged segment": (forge_segment, {"event_altered", "segment_unchained"}),
    "a payload lost in the store": (drop_payload, {"payload_missing"}),
    "a payload altered in the store": (alter_payload, {"payloads_damaged"}),
}

ON_ROWS: dict[str, tuple[str, set[str]]] = {
    "a payload altered": (
        "UPDATE kho.event_payload SET payload = payload || '{\"more\": 1}' WHERE event_id ="
        " (SELECT event_id FROM kho.event WHERE kind = 'grant_added')",
        {"event_altered"},
    ),
    "an event gone": (
        "ALTER TABLE kho.event DISABLE TRIGGER ALL; ALTER TABLE kho.event_payload DISABLE TRIGGER ALL;"
        " DELETE FROM kho.event_payload WHERE event_id = (SELECT event_id FROM kho.event WHERE position = 3);"
        " DELETE FROM kho.event WHERE position = 3",
        {"event_missing", "payload_not_erased", "projection_differs"},
    ),
    "a state that no verdict gave": (
        "UPDATE kho.document SET state = 'VALID' WHERE state = 'INVALID'",
        {"projection_differs"},
    ),
    "a grant revived": ("UPDATE kho.access_grant SET type_code = 'KQ'", {"projection_differs"}),
    "a reference bent": (
        "UPDATE kho.blob_reference SET sha256 = repeat('0', 64) WHERE part_kind = 'page' AND number = 1",
        {"blob_missing", "manifest_differs", "projection_differs"},
    ),
}


async def kinds(data: Path) -> set[str]:
    return {finding.kind for finding in (await check(data)).findings}


@pytest.mark.parametrize("name", ON_FILES)
async def test_damaged_files_are_named(stocked: Stocked, tmp_path: Path, name: str) -> None:
    damage, expected = ON_FILES[name]
    data = stocked.copy(tmp_path)
    damage(data)
    assert await kinds(data) == expected


@pytest.mark.parametrize("name", ON_ROWS)
async def test_altered_rows_are_named(stocked: Stocked, tmp_path: Path, name: str) -> None:
    statement, expected = ON_ROWS[name]
    data = stocked.copy(tmp_path)
    async with database_of(data) as database:
        await altered(database, statement)
    found = await kinds(data)
    assert expected - {"payload_not_erased"} <= found <= expected


async def altered(database: Database, statement: str) -> None:
    """Do what nobody should, as the owner of the tables can."""
    async with database.connection() as connection:
        for each in statement.split(";"):
            await connection.execute(each.replace("TRIGGER ALL", "TRIGGER USER"))


async def test_a_whole_store_has_no_findings_and_the_command_says_so(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    ran = await keep("check", "--data", data)
    assert (ran.status, ran.answer["findings"], ran.answer["notes"]) == (0, [], [])
    blob = some(data, "blobs/sha256/*/*")
    spoil(blob)
    ran = await keep("check", "--data", data)
    assert ran.status == 1
    (finding,) = ran.answer["findings"]
    assert (finding["kind"], blob.name in finding["name"]) == ("blob_damaged", True)


async def test_a_check_leaves_nothing_behind(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    await check(data)
    async with database_of(data) as database:
        rows = await database.fetch(
            "SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text LIKE 'pg_temp%'"
        )
    assert rows == []
