"""`kho rebuild` from the store alone, with and without the events that say so."""

import asyncio
import json
import shutil
from collections.abc import Callable
from pathlib import Path

import grpc
import pytest

from kho.v1 import document_pb2
from kho_server.keeping.checking import check
from kho_server.keeping.errors import KeepingFailed
from kho_server.keeping.rebuilding import rebuild
from kho_storage.segments.folder import SegmentFolder
from tests.end_to_end.caller import refused
from tests.end_to_end.papers import scanned
from tests.end_to_end.serving import Server
from tests.end_to_end.waiting import until
from tests.server.keeping.stores import Stocked, database_of, keep, stock

NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND")
States = dict[str, str]


async def states(data: Path) -> States:
    async with database_of(data) as database:
        rows = await database.fetch("SELECT document_id::text AS id, state FROM kho.document")
    return {row["id"]: row["state"] for row in rows}


def lose_database(data: Path) -> None:
    shutil.rmtree(data / "postgres")


async def test_all_comes_back_from_events_and_nothing_is_in_force(
    stocked: Stocked, serving: Callable[..., Server], tmp_path: Path
) -> None:
    data = stocked.copy(tmp_path)
    async with database_of(data) as database:
        row = await database.fetch_one("SELECT max(position), count(*) FROM kho.event")
        assert row is not None
    lose_database(data)
    ran = await keep("rebuild", "--data", data)
    assert (ran.status, ran.answer["findings"], ran.answer["from_manifests"]) == (0, [], 0)
    assert ran.answer["position"] == row[0] == row[1]
    assert await states(data) == {
        stocked.valid.document_id: "RESTORED_UNCONFIRMED",
        stocked.plain.document_id: "RESTORED_UNCONFIRMED",
        stocked.invalid.document_id: "INVALID",
    }
    assert not (await check(data)).findings
    server = serving(data)
    await server.start()
    async with server.caller("station") as station, server.caller("agency-b") as other:
        await refused(other.lookup(stocked.code), *NOT_FOUND)
        assert not (await station.lookup(stocked.code)).in_force
        await keep("confirm", "--data", server.data, "--reason", "Đã đối chiếu")

        async def valid_again() -> bool:
            return (await station.document(stocked.valid)).state == document_pb2.DOCUMENT_STATE_VALID

        await until(valid_again, "a fresh verdict", 40)
        assert (await other.lookup(stocked.code)).in_force
        await station.store(scanned())
    await asyncio.to_thread(server.stop_blocking)
    assert not (await check(server.data)).findings


async def test_what_only_manifests_tell_comes_back_unconfirmed(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    lose_database(data)
    folder = SegmentFolder(data / "events")
    lost = [first for first in folder.firsts() if _tells_of(folder, first, "document_sealed")]
    # From the first event of a document on, all segments are gone; callers and agencies are known.
    for first in [first for first in folder.firsts() if first >= lost[0]]:
        folder.facts_path(first).unlink()
    report = await rebuild(data)
    assert (report.findings, report.from_manifests) == ([], 3)
    assert set((await states(data)).values()) == {"RESTORED_UNCONFIRMED"}
    async with database_of(data) as database:
        row = await database.fetch_one("SELECT code, public_code FROM kho.result_code WHERE code = $1", stocked.code)
    assert row is not None
    assert not (await check(data)).findings


def _tells_of(folder: SegmentFolder, first: int, kind: str) -> bool:
    return any(event.kind == kind for event in folder.read(first).segment.events)


async def test_without_any_event_documents_come_back_under_agencies_to_be_named(
    stocked: Stocked, tmp_path: Path
) -> None:
    data = stocked.copy(tmp_path)
    lose_database(data)
    shutil.rmtree(data / "events")
    report = await rebuild(data)
    assert (report.position, report.from_manifests, report.held) == (0, 3, 3)
    assert not (await check(data)).findings
    async with database_of(data) as database:
        rows = await database.fetch("SELECT agency_id FROM kho.agency")
    assert [row["agency_id"] for row in rows] == ["agency-a"]


async def test_an_erased_payload_stays_erased(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    folder = SegmentFolder(data / "events")
    first = next(iter(folder.firsts()))
    position = next(e.position for e in folder.read(first).segment.events if e.kind == "principal_registered")
    folder.erase(first, {position})
    assert {finding.kind for finding in (await check(data)).findings} == {"payload_missing"}
    lose_database(data)
    report = await rebuild(data)
    assert (report.findings, report.events_erased) == ([], 1)
    assert not (await check(data)).findings


async def test_a_broken_chain_brings_back_what_lies_before(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    lose_database(data)
    folder = SegmentFolder(data / "events")
    second = list(folder.firsts())[1]
    path = folder.facts_path(second)
    path.chmod(0o600)
    path.write_bytes(path.read_bytes().replace(b'"position"', b'"positiom"', 1))
    report = await rebuild(data)
    assert report.position == second - 1
    assert [finding.kind for finding in report.findings] == ["segment_damaged"]
    assert set((await states(data)).values()) == {"RESTORED_UNCONFIRMED"}


async def test_a_missing_blob_and_a_damaged_manifest_are_named(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    lose_database(data)
    shutil.rmtree(data / "events")
    manifests = sorted(data.glob("manifests/*/*/*.json"))
    manifests[0].chmod(0o600)
    manifests[0].write_bytes(b"{")
    part = json.loads(manifests[1].read_bytes())["parts"][0]["sha256"]
    (data / "blobs" / "sha256" / part[:3] / part).unlink()
    report = await rebuild(data)
    assert sorted(finding.kind for finding in report.findings) == ["blob_missing", "manifest_damaged"]
    assert len(await states(data)) == 2


async def test_a_database_that_is_there_is_not_rebuilt(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    with pytest.raises(KeepingFailed, match="the database of"):
        await rebuild(data)


async def test_an_older_database_is_not_served_over_a_newer_store(
    serving: Callable[..., Server], tmp_path: Path
) -> None:
    (tmp_path / "stock").mkdir()
    stocked = await stock(tmp_path / "stock")
    shutil.copytree(stocked.data / "postgres", tmp_path / "older", symlinks=True)
    server = serving(stocked.data)
    await server.start()
    async with server.caller("station") as station:
        await station.store(scanned())
    await asyncio.to_thread(server.stop_blocking)
    shutil.rmtree(server.data / "postgres")
    shutil.copytree(tmp_path / "older", server.data / "postgres", symlinks=True)
    with pytest.raises(AssertionError, match="kho rebuild"):
        await server.start()
