"""The contract of the command line: JSON keys, exit statuses, words."""

import asyncio
import os
import sys
import uuid
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import grpc
import pytest

from kho.v1 import result_pb2, verdict_pb2
from kho_client.connection import Connection
from tests.clients.cli.kho_process import kho
from tests.doubles.answers import Answers
from tests.doubles.tls_folder import TlsFolder
from tests.doubles.upload_server import UploadServer

CODE = "H46.KQ.1"
ERROR_KEYS = {"code", "reason", "message", "retryable", "retry_after_s", "metadata", "request_id"}
DECLARED = ("--dossier", "H46-220905-0001", "--procedure", "1.000894", "--kind", "result", "--type", "KQ.G15.000031")
OWNERS = ("--owner", "038085001234", "038085001235", "--number", "15/QĐ-BNV")


@pytest.fixture
def answers() -> Answers:
    verdict = verdict_pb2.VerdictSummary(indication=verdict_pb2.INDICATION_TOTAL_PASSED)
    result = result_pb2.Result(
        document_id="d-1", result_code=CODE, kind="result", in_force=True, as_of="2026-11-21", verdict=verdict
    )
    return Answers(results={CODE: result}, contents={CODE: b"%PDF-1.7 " + bytes(50_000)})


@pytest.fixture
async def server(tls: TlsFolder, answers: Answers) -> AsyncIterator[UploadServer]:
    async with UploadServer(tls, answers.register) as running:
        yield running


@pytest.fixture
def desk(tls: TlsFolder, server: UploadServer) -> Connection:
    return tls.connection(server.port)


@pytest.fixture
def pages(tmp_path: Path) -> list[Path]:
    paths = [tmp_path / f"page-{number}.jpg" for number in (1, 2)]
    for path in paths:
        path.write_bytes(b"\xff\xd8\xff" + os.urandom(100_000))
    return paths


async def test_upload_says_what_was_stored(desk: Connection, server: UploadServer, pages: list[Path]) -> None:
    ran = await kho("upload", *DECLARED, *OWNERS, "--pages", *pages, "--json", connection=desk)
    assert ran.status == 0, ran.err
    document_id = ran.answer["document_id"]
    assert uuid.UUID(document_id).version == 4
    assert ran.answer == {
        "document_id": document_id,
        "version": 1,
        "state": "RECEIVED",
        "result_code": CODE,
        "public_code": "H46-ABC",
        "pages": 2,
        "bytes_sent": 200_006,
        "bytes_skipped": 0,
    }
    declared = server.uploads[document_id].begin.document
    assert list(declared.result.owner_ids) == ["038085001234", "038085001235"]
    assert (declared.result.issuer_code, declared.result.number) == ("", "15/QĐ-BNV")
    assert ran.err == ""


async def test_upload_goes_on_with_a_document_id(desk: Connection, pages: list[Path]) -> None:
    words = ("upload", *DECLARED, "--pages", *pages, "--document-id", uuid.uuid4(), "--json")
    assert (await kho(*words, connection=desk)).answer["bytes_skipped"] == 0
    again = await kho(*words, connection=desk)
    assert (again.status, again.answer["bytes_sent"], again.answer["bytes_skipped"]) == (0, 0, 200_006)


async def test_upload_that_is_refused(desk: Connection, server: UploadServer, pages: list[Path]) -> None:
    server.knobs.refuse_begin = [(grpc.StatusCode.PERMISSION_DENIED, "OFFICER_NOT_ACCEPTED", None)]
    words = ("upload", *DECLARED, "--pages", *pages, "--document-id", uuid.uuid4(), "--json")
    ran = await kho(*words, connection=desk)
    assert (ran.status, ran.out) == (1, "")
    assert set(ran.error) == ERROR_KEYS
    assert (ran.error["reason"], ran.error["request_id"]) == ("OFFICER_NOT_ACCEPTED", "req-0001")
    assert ran.error["message"] == {
        "vi": "Bị từ chối: OFFICER_NOT_ACCEPTED.",
        "en": "Refused: OFFICER_NOT_ACCEPTED.",
    }


async def test_ctrl_c_ends_quietly(desk: Connection, server: UploadServer, pages: list[Path]) -> None:
    has_begun, never = asyncio.Event(), asyncio.Event()

    async def hold() -> None:
        has_begun.set()
        await never.wait()

    server.knobs.before_acknowledging = hold
    words = ("upload", *DECLARED, "--pages", *pages, "--document-id", uuid.uuid4())
    ran = await kho(*words, connection=desk, interrupt=has_begun)
    assert (ran.status, ran.out, ran.err) == (130, "", "")


async def test_a_reader_that_goes_away_is_no_error(desk: Connection) -> None:
    command = f"{sys.executable} -m kho_cli lookup {' '.join([CODE] * 200)} --json | head -n 1"
    environ = os.environ | {
        "KHO_SERVER": desk.server,
        "KHO_CA": str(desk.ca),
        "KHO_CERT": str(desk.certificate),
        "KHO_KEY": str(desk.key),
    }
    pipe = asyncio.subprocess.PIPE
    process = await asyncio.create_subprocess_shell(command, env=environ, stdout=pipe, stderr=pipe)
    out, err = await process.communicate()
    assert (len(out.splitlines()), err) == (1, b"")


async def test_lookup_answers_line_by_line(desk: Connection) -> None:
    ran = await kho("lookup", "NONE", CODE, "--json", connection=desk)
    assert ran.status == 1
    missing, found = ran.answers
    assert missing == {"query": "NONE", "found": False, "result": None}
    assert (found["query"], found["found"]) == (CODE, True)
    assert found["result"] == {
        "document_id": "d-1",
        "result_code": CODE,
        "public_code": None,
        "kind": "result",
        "type": None,
        "issuer": None,
        "number": None,
        "issued_on": None,
        "valid_from": None,
        "valid_to": None,
        "in_force": True,
        "as_of": "2026-11-21",
        "verdict": {"indication": "TOTAL_PASSED", "sub_indication": None},
        "digest": None,
        "size_bytes": None,
    }
    assert (await kho("lookup", CODE, connection=desk)).status == 0


async def test_lookup_for_people_is_one_line_per_code(desk: Connection) -> None:
    ran = await kho("lookup", CODE, "NONE", CODE, connection=desk)
    assert [line.split()[0] for line in ran.out.splitlines()] == [CODE, "NONE", CODE]


async def test_fetch_writes_the_file(desk: Connection, answers: Answers, tmp_path: Path) -> None:
    target = tmp_path / "result.pdf"
    ran = await kho("fetch", CODE, "--purpose", "H46-1", "--officer", "cb-9", "-o", target, "--json", connection=desk)
    assert ran.status == 0, ran.err
    assert set(ran.answer) == {"access_id", "digest", "size_bytes"}
    assert target.read_bytes() == answers.contents[CODE]
    purpose = answers.purposes[0].purpose
    assert (purpose.dossier_code, purpose.officer_id) == ("H46-1", "cb-9")


async def test_fetch_of_what_is_not_there(desk: Connection, tmp_path: Path) -> None:
    ran = await kho("fetch", "NONE", "--purpose", "H46-1", "-o", tmp_path / "x", "--json", connection=desk)
    assert (ran.status, ran.error["code"], ran.error["reason"]) == (1, "NOT_FOUND", "RESULT_NOT_FOUND")
    assert not (tmp_path / "x").exists()


async def test_fetch_to_standard_output(tmp_path: Path, desk: Connection, answers: Answers) -> None:
    ran = await kho("fetch", CODE, "--purpose", "H46-1", "-o", "-", connection=desk)
    assert (ran.status, ran.out.encode()) == (0, answers.contents[CODE])


async def test_verify_answers_for_every_file_in_order(desk: Connection, tmp_path: Path) -> None:
    good, bad, empty = tmp_path / "good.pdf", tmp_path / "bad.pdf", tmp_path / "empty.pdf"
    good.write_bytes(b"%PDF-1.7 good")
    bad.write_bytes(b"%PDF-1.7 tampered")
    empty.write_bytes(b"")
    ran = await kho("verify", bad, tmp_path / "absent.pdf", empty, good, "--json", connection=desk)
    assert ran.status == 1
    first, absent, nothing, last = ran.answers
    assert set(first) == {"file", "trust", "scope", "document", "signatures", "policy", "elapsed_ms"}
    assert (first["file"], first["document"]["indication"]) == (str(bad), "TOTAL_FAILED")
    assert first["document"]["explanation"] == {"vi": "Giải thích.", "en": "Explanation."}
    (signature,) = first["signatures"]
    assert set(signature) == {
        *("field", "indication", "sub_indication", "role", "signer"),
        *("signing_time", "level", "warnings", "changes_after"),
    }
    assert absent["document"]["indication"] is None
    assert set(absent) == set(nothing) == set(first)
    assert (last["document"]["indication"], last["policy"]) == ("TOTAL_PASSED", "test-1")
    assert (await kho("verify", good, connection=desk)).status == 0


@pytest.mark.parametrize(
    ("caller", "reason"),
    [
        ("expired", "CLIENT_CERTIFICATE_EXPIRED"),
        ("foreign", "CLIENT_CERTIFICATE_NOT_ACCEPTED"),
        (None, "CLIENT_CERTIFICATE_MISSING"),
    ],
)
async def test_a_refused_certificate_is_a_refusal(
    tls: TlsFolder, server: UploadServer, caller: str | None, reason: str
) -> None:
    ran = await kho("lookup", CODE, "--json", connection=tls.connection(server.port, caller))
    assert (ran.status, ran.error["code"], ran.error["reason"]) == (1, "UNAUTHENTICATED", reason)


async def test_nobody_there(tls: TlsFolder, pages: list[Path]) -> None:
    for words in (("lookup", CODE), ("upload", *DECLARED, "--pages", *pages, "--patience", "1")):
        ran = await kho(*words, "--json", connection=tls.connection(1))
        assert (ran.status, ran.error["reason"], ran.error["retryable"]) == (3, "SERVER_UNREACHABLE", True)


async def test_doctor_finds_nothing_wrong(desk: Connection) -> None:
    ran = await kho("doctor", "--json", connection=desk)
    assert ran.status == 0, ran.out
    assert ran.answer["ok"]
    statuses = {check["name"]: check["status"] for check in ran.answer["checks"]}
    assert statuses == {
        "settings": "ok",
        "certificate": "ok" if statuses["certificate"] == "ok" else "warn",
        "connection": "ok",
        "server certificate": statuses["certificate"],
        "tls": "ok",
        "registration": "ok",
        "clock": "ok",
        "health": "ok",
    }


@pytest.mark.parametrize(("ahead", "status", "verdict"), [(10, 0, "warn"), (-90, 1, "fail")])
async def test_doctor_compares_clocks(
    desk: Connection, answers: Answers, ahead: int, status: int, verdict: str
) -> None:
    answers.clock_ahead = timedelta(seconds=ahead)
    ran = await kho("doctor", "--json", connection=desk)
    assert ran.status == status
    (clock,) = [check for check in ran.answer["checks"] if check["name"] == "clock"]
    assert clock["status"] == verdict
    assert clock["remedy"]["vi"]


async def test_doctor_says_who_is_not_registered(desk: Connection, answers: Answers) -> None:
    answers.is_registered = False
    ran = await kho("doctor", "--json", connection=desk)
    (check,) = [check for check in ran.answer["checks"] if check["name"] == "registration"]
    assert (ran.status, check["reason"]) == (1, "CLIENT_CERTIFICATE_UNKNOWN")


@pytest.mark.parametrize(("caller", "status"), [("expired", 1), ("foreign", 1), (None, 1)])
async def test_doctor_looks_at_certificates(
    tls: TlsFolder, server: UploadServer, caller: str | None, status: int
) -> None:
    ran = await kho("doctor", connection=tls.connection(server.port, caller))
    assert ran.status == status
    assert "✗" in ran.out


async def test_doctor_without_a_server(tls: TlsFolder) -> None:
    assert (await kho("doctor", connection=tls.connection(1))).status == 3


async def test_agencies_are_added_and_listed(desk: Connection) -> None:
    first = await kho("agency", "add", "so-a", "--code", "H46.01", "--name", "Sở A", "--json", connection=desk)
    assert (first.status, first.answer) == (0, {"id": "so-a"})
    twice = await kho("agency", "add", "so-a", "--code", "H46.01", "--json", connection=desk)
    assert (twice.status, twice.error["reason"]) == (1, "REGISTRATION_EXISTS")
    listed = await kho("agency", "list", "--json", connection=desk)
    (agency,) = listed.answer["agencies"]
    assert agency["codes"] == [{"text": "H46.01", "valid_from": None, "valid_to": None}]


async def test_agencies_are_imported_with_a_report_by_line(desk: Connection, answers: Answers, tmp_path: Path) -> None:
    table = tmp_path / "agencies.csv"
    table.write_text("agency_id,codes,name\nso-a,H46.01;000.00.01.H46,Sở A\nso-a,H46.02,Sở B\nso-c,,Sở C\n")
    dry = await kho("agency", "import", table, "--dry-run", "--json", connection=desk)
    assert (dry.status, dry.answer["total"], answers.agencies) == (0, 3, {})
    ran = await kho("agency", "import", table, "--json", connection=desk)
    assert (ran.status, ran.answer["accepted"], ran.answer["refused"]) == (1, 2, 1)
    assert [line["line"] for line in ran.answer["lines"]] == [2, 3, 4]
    assert ran.answer["lines"][1]["refusal"]["reason"] == "REGISTRATION_EXISTS"
    assert len(answers.agencies["so-a"].codes) == 2


@pytest.mark.parametrize(
    ("name", "text"),
    [("a.csv", "agency_id,colour\nx,red\n"), ("a.csv", "codes\nH46.01\n"), ("a.jsonl", "[]\n"), ("a.jsonl", "{\n")],
)
async def test_a_table_that_cannot_be_meant(desk: Connection, tmp_path: Path, name: str, text: str) -> None:
    (tmp_path / name).write_text(text)
    ran = await kho("agency", "import", tmp_path / name, "--json", connection=desk)
    assert (ran.status, ran.error["reason"]) == (2, "ROW_MALFORMED")
