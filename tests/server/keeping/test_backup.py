"""Backup and restore of real servers: what comes back, what is said to be lost, what does not come to life."""

import asyncio
import json
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import grpc
import pytest

from kho.v1 import access_service_pb2, document_pb2, verification_service_pb2
from kho_server.keeping.backup import back_up
from kho_server.keeping.backup_folder import BackupFolder
from kho_server.keeping.checking import check
from kho_server.keeping.errors import KeepingFailed
from kho_server.keeping.restore import put_back
from kho_storage.blobs.data_folder import read_identity
from tests.clients.cli.kho_process import kho
from tests.end_to_end.caller import Caller, new_id, refused
from tests.end_to_end.papers import Paper, scanned, signed
from tests.end_to_end.serving import Server
from tests.end_to_end.waiting import until
from tests.server.keeping.stores import Stocked, database_of, keep

NOT_FOUND = (grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND")
HELD = document_pb2.DOCUMENT_STATE_RESTORED_UNCONFIRMED
VALID = document_pb2.DOCUMENT_STATE_VALID

Serving = Callable[..., Server]


async def state_of(caller: Caller, paper: Paper) -> int:
    return (await caller.document(paper)).state


async def test_nothing_that_comes_back_is_in_force_before_people_say_so(serving: Serving, tmp_path: Path) -> None:
    server, backups = serving(), tmp_path / "backups"
    await server.start()
    paper, later = await signed(server.pki), await signed(server.pki)
    async with server.caller("station") as station, server.caller("agency-b") as other:
        code = (await station.store_judged(paper)).result_code
        assert (await other.lookup(code)).in_force
        made = (await keep("backup", backups, "--data", server.data)).answer
        # After the backup: another document, and agency-b loses its right.
        later_code = (await station.store_judged(later)).result_code
    async with server.caller("admin") as admin:
        grants = await admin.access.ListGrants(access_service_pb2.ListGrantsRequest())
        await admin.access.RevokeGrant(
            access_service_pb2.RevokeGrantRequest(
                request_id=new_id(), grant_id=grants.grants[0].grant_id, reason="Hết nhiệm vụ"
            )
        )
    await server.kill()
    pki = shutil.copytree(server.data / "pki", tmp_path / "pki")
    server.data.rename(tmp_path / "burnt")

    ran = await kho("restore", backups, "--data", tmp_path / "new")
    assert ran.status == 0, ran.err
    assert f"after position {made['position']}" in " ".join(ran.out.split())
    assert not (await check(tmp_path / "new")).findings
    shutil.copytree(pki, tmp_path / "new" / "pki")
    server = serving(tmp_path / "new")
    await server.start()
    async with server.caller("station") as station, server.caller("agency-b") as other:
        # The grant is there again, for nobody here knows that it was revoked; what it opens is held.
        await refused(other.lookup(code), *NOT_FOUND)
        await refused(other.reuse(code), *NOT_FOUND)
        assert await state_of(station, paper) == HELD
        assert not (await station.lookup(code)).in_force
        await refused(station.lookup(later_code), *NOT_FOUND)
        # A fresh verdict says that the signatures are good, not that nothing was recalled.
        await station.verification.VerifyDocument(
            verification_service_pb2.VerifyDocumentRequest(request_id=new_id(), document_id=paper.document_id)
        )
        assert await state_of(station, paper) == HELD
        # New work goes on meanwhile, for itself.
        again = (await station.store_judged(later)).result_code
        assert (await other.lookup(again)).in_force
        done = await keep("confirm", "--data", server.data, "--reason", "Đã nhập lại các lệnh thu hồi")
        assert done.answer == {"released": 1, "to_judge": 1}

        async def valid_again() -> bool:
            return await state_of(station, paper) == VALID

        await until(valid_again, "a fresh verdict", 40)
        assert (await other.lookup(code)).in_force
    assert not (await check(server.data)).findings


async def test_what_was_refused_stays_refused(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    await back_up(tmp_path / "backups", data)
    report = await put_back(tmp_path / "backups", tmp_path / "new")
    assert report.held == 2
    async with database_of(tmp_path / "new") as database:
        rows = await database.fetch("SELECT document_id::text AS id, state FROM kho.document")
        store = await database.fetch_one("SELECT store_id, access_key FROM kho.store")
    assert {row["id"]: row["state"] for row in rows} == {
        stocked.valid.document_id: "RESTORED_UNCONFIRMED",
        stocked.plain.document_id: "RESTORED_UNCONFIRMED",
        stocked.invalid.document_id: "INVALID",
    }
    async with database_of(data) as database:
        assert await database.fetch_one("SELECT store_id, access_key FROM kho.store") == store
    assert read_identity(tmp_path / "new") == read_identity(data)


async def test_backups_bring_only_what_is_new(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    first = await back_up(tmp_path / "backups", data)
    second = await back_up(tmp_path / "backups", data)
    assert first.new_files > 5
    assert (second.new_files, second.record.files) == (0, first.record.files)
    folder = BackupFolder(tmp_path / "backups")
    assert [record.backup_id for record in folder.complete()] == [first.record.backup_id, second.record.backup_id]
    listed = folder.place(second.record.backup_id) / "files.sha256"
    subprocess.run(["sha256sum", "--check", "--quiet", listed], cwd=folder.root, check=True)


async def test_a_backup_shares_bytes_when_asked(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    await back_up(tmp_path / "backups", data, link=True)
    (blob, *_) = (data / "blobs" / "sha256").glob("*/*")
    assert (tmp_path / "backups" / blob.relative_to(data)).stat().st_ino == blob.stat().st_ino


async def test_a_backup_during_uploads_is_consistent(serving: Serving, tmp_path: Path) -> None:
    server, backups = serving(), tmp_path / "backups"
    await server.start()
    done: list[Paper] = []

    async def upload() -> None:
        async with server.caller("station") as station:
            while True:
                paper = scanned(3)
                await station.store(paper)
                done.append(paper)

    uploads = [asyncio.create_task(upload()) for _ in range(3)]

    async def some() -> bool:
        return len(done) > 5

    await until(some, "uploads")
    before: list[Paper] = []
    for _ in range(3):
        before = list(done)
        await back_up(backups, server.data)
    for task in uploads:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
    assert len(done) > len(before)
    assert not (await check(server.data)).findings
    await put_back(backups, tmp_path / "new")
    assert not (await check(tmp_path / "new")).findings
    async with database_of(tmp_path / "new") as database:
        rows = await database.fetch("SELECT document_id::text AS id FROM kho.document")
    assert {paper.document_id for paper in before} <= {row["id"] for row in rows}


@pytest.mark.parametrize("seen", ["backups/*/*.dump", "blobs/sha256/*/*", "manifests/*/*/*.json"])
async def test_a_killed_backup_is_none_and_the_next_one_goes_on(stocked: Stocked, tmp_path: Path, seen: str) -> None:
    data, backups = stocked.copy(tmp_path), tmp_path / "backups"
    command = [sys.executable, "-m", "kho_cli", "backup", backups, "--data", data, "--json"]
    process = await asyncio.create_subprocess_exec(*map(str, command), stdout=subprocess.PIPE, stderr=subprocess.PIPE)

    async def appeared() -> bool:
        return process.returncode is not None or any(backups.glob(seen))

    await until(appeared, "something to interrupt")
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGKILL)
    out, _ = await process.communicate()
    finished = [json.loads(line)["backup_id"] for line in out.splitlines()]
    # Killed between its last file and its last word, it is complete without having said so.
    complete = [record.backup_id for record in BackupFolder(backups).complete()]
    assert set(finished) <= set(complete)
    if not complete:
        with pytest.raises(KeepingFailed, match="no finished backup"):
            await put_back(backups, tmp_path / "new")
    kept = len(list(backups.glob("blobs/sha256/*/*")))
    report = await back_up(backups, data)
    assert report.new_files <= report.record.files - kept
    assert len(list((backups / "backups").iterdir())) == len(complete) + 1
    await put_back(backups, tmp_path / "after")
    assert not (await check(tmp_path / "after")).findings


async def test_a_damaged_backup_is_not_restored(stocked: Stocked, tmp_path: Path) -> None:
    data, backups = stocked.copy(tmp_path), tmp_path / "backups"
    await back_up(backups, data)
    (blob, *_) = sorted((backups / "blobs" / "sha256").glob("*/*"))
    blob.chmod(0o600)
    blob.write_bytes(b"x" * blob.stat().st_size)
    with pytest.raises(KeepingFailed, match=blob.name):
        await put_back(backups, tmp_path / "new")
    assert read_identity(tmp_path / "new") is None


async def test_what_is_damaged_in_the_store_is_named_and_the_rest_backed_up(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    (blob, *_) = sorted((data / "blobs" / "sha256").glob("*/*"))
    blob.unlink()
    ran = await keep("backup", tmp_path / "backups", "--data", data)
    assert ran.status == 1
    assert [blob.name in each for each in ran.answer["missing"]] == [True]
    await put_back(tmp_path / "backups", tmp_path / "new")
    report = await check(tmp_path / "new")
    assert [(finding.kind, blob.name in finding.name) for finding in report.findings] == [("blob_missing", True)]


async def test_foreign_and_full_folders_are_refused(stocked: Stocked, tmp_path: Path) -> None:
    data = stocked.copy(tmp_path)
    await back_up(tmp_path / "backups", data)
    with pytest.raises(KeepingFailed, match="is not empty"):
        await put_back(tmp_path / "backups", data)
    (tmp_path / "papers").mkdir()
    (tmp_path / "papers" / "letter").write_text("Kính gửi")
    with pytest.raises(KeepingFailed, match="is not empty"):
        await back_up(tmp_path / "papers", data)
    whose = tmp_path / "backups" / "kho-backups.json"
    whose.write_text(json.dumps({"format": 1, "store_id": new_id()}))
    with pytest.raises(KeepingFailed, match="backups of store"):
        await back_up(tmp_path / "backups", data)
    ran = await keep("backup", tmp_path / "other", "--data", tmp_path / "nothing")
    assert (ran.status, ran.error["reason"]) == (1, "STORE_NOT_KEPT")
