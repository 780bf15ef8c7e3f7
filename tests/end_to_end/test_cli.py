"""The command line as scripts rely on it: keys, exit statuses, errors, precedence of settings."""

import json
import socket
import uuid
from pathlib import Path
from typing import Any

import pytest

from kho_server.config import options
from tests.clients.cli.kho_process import Ran, kho
from tests.end_to_end.command_line import kho_at, kho_with, settings_of
from tests.end_to_end.papers import JPEG_HEAD, signed
from tests.end_to_end.serving import Server
from tests.end_to_end.strangers import Certificates

UPLOAD_KEYS = [
    "document_id",
    "version",
    "state",
    "result_code",
    "public_code",
    "pages",
    "bytes_sent",
    "bytes_skipped",
]
RESULT_KEYS = [
    "document_id",
    "result_code",
    "public_code",
    "kind",
    "type",
    "issuer",
    "number",
    "issued_on",
    "valid_from",
    "valid_to",
    "in_force",
    "as_of",
    "verdict",
    "digest",
    "size_bytes",
]
ERROR_KEYS = ["code", "reason", "message", "retryable", "retry_after_s", "metadata", "request_id"]
DECLARED = (
    *("--dossier", "000.00.16.H46-261121-0001", "--procedure", "1.000894", "--kind", "result"),
    *("--type", "KQ.G15.000031", "--owner", "038085001234", "--issuer", "000.00.16.H46"),
)


@pytest.fixture
async def files(server: Server, tmp_path: Path) -> dict[str, Path]:
    """Lay out what a desk has: two pages and a signed file."""
    for number in (1, 2):
        (tmp_path / f"page-{number}.jpg").write_bytes(JPEG_HEAD + uuid.uuid4().bytes * 500)
    paper = await signed(server.pki)
    (tmp_path / "signed.pdf").write_bytes(paper.sheets[0].content)
    return {path.name: path for path in tmp_path.iterdir()}


async def stored(server: Server, files: dict[str, Path], *more: object) -> dict[str, Any]:
    """Upload the signed file and return the answer."""
    ran = await kho_at(
        server, "station", "upload", *DECLARED, *more, "--signed", files["signed.pdf"], "--wait-verdict", "--json"
    )
    assert ran.status == 0, ran.err
    return ran.answer


async def test_upload_lookup_and_fetch_keep_their_keys(server: Server, files: dict[str, Path], tmp_path: Path) -> None:
    """Every key, in order, null where nothing is known; the bytes come back."""
    pages = ("--pages", files["page-1.jpg"], files["page-2.jpg"])
    answer = await stored(server, files, *pages)
    assert sorted(answer) == sorted(UPLOAD_KEYS)
    assert (answer["version"], answer["state"], answer["pages"]) == (1, "VALID", 2)
    code = answer["result_code"]
    ran = await kho_at(server, "agency-b", "lookup", code, "NO-SUCH-1", answer["public_code"], "--json")
    assert ran.status == 1
    assert [line["found"] for line in ran.answers] == [True, False, True]
    assert [line["query"] for line in ran.answers] == [code, "NO-SUCH-1", answer["public_code"]]
    assert all(list(line) == ["query", "found", "result"] for line in ran.answers)
    assert ran.answers[1]["result"] is None
    result = ran.answers[0]["result"]
    assert sorted(result) == sorted(RESULT_KEYS)
    assert sorted(result["verdict"]) == ["indication", "sub_indication"]
    assert result["verdict"] == {"indication": "TOTAL_PASSED", "sub_indication": None}
    assert [result[name] for name in ("number", "issued_on", "valid_from", "valid_to")] == [None] * 4
    assert (result["kind"], result["type"], result["in_force"]) == ("result", "KQ.G15.000031", True)
    target = tmp_path / "fetched.pdf"
    dossier = "000.00.17.H46-261121-0002"
    fetched = await kho_at(server, "agency-b", "fetch", code, "--purpose", dossier, "-o", target, "--json")
    assert fetched.status == 0, fetched.err
    assert sorted(fetched.answer) == ["access_id", "digest", "size_bytes"]
    assert target.read_bytes() == files["signed.pdf"].read_bytes()
    assert (fetched.answer["digest"], fetched.answer["size_bytes"]) == (result["digest"], target.stat().st_size)
    accesses = await kho_at(server, "station", "accesses", answer["document_id"], "--json")
    assert fetched.answer["access_id"] in accesses.out


async def test_one_found_code_is_success_and_a_day_can_be_named(server: Server, files: dict[str, Path]) -> None:
    """Exit status 0 when all are found; --on judges validity on that day."""
    answer = await stored(server, files, "--issued", "2022-01-10", "--valid-to", "2023-12-31", "--number", "15/QĐ-BNV")
    for day, is_in_force in (("2023-12-31", True), ("2024-01-01", False)):
        ran = await kho_at(server, "station", "lookup", answer["result_code"], "--on", day, "--json")
        assert ran.status == 0, ran.err
        result = ran.answer["result"]
        assert (result["in_force"], result["as_of"]) == (is_in_force, day)
        assert (result["number"], result["issued_on"], result["valid_to"]) == ("15/QĐ-BNV", "2022-01-10", "2023-12-31")


async def test_a_repeated_upload_sends_nothing_again(server: Server, files: dict[str, Path]) -> None:
    """The same --document-id answers the same and sends no byte."""
    arguments = ("--document-id", str(uuid.uuid4()), "--pages", files["page-1.jpg"])
    first = await stored(server, files, *arguments)
    again = await stored(server, files, *arguments)
    assert (again["result_code"], again["version"]) == (first["result_code"], 1)
    assert again["bytes_sent"] == 0


async def test_show_verify_and_doctor_answer_in_json(server: Server, files: dict[str, Path]) -> None:
    """One JSON object each, exit status 0."""
    answer = await stored(server, files)
    shown = await kho_at(server, "station", "show", answer["document_id"], "--json")
    assert shown.status == 0, shown.err
    assert answer["result_code"] in shown.out
    verified = await kho_at(server, "station", "verify", files["signed.pdf"], "--json")
    assert verified.status == 0, verified.err
    assert "TOTAL_PASSED" in verified.out
    doctor = await kho_at(server, "station", "doctor", "--json")
    assert (doctor.status, doctor.answer["ok"]) == (0, True), doctor.out


def assert_error(ran: Ran, status: int, reason: str) -> dict[str, Any]:
    """Check exit status and the shape of an error, and return it."""
    assert ran.status == status, ran.err
    error = ran.error
    assert sorted(error) == sorted(ERROR_KEYS)
    assert error["reason"] == reason, error
    assert sorted(error["message"]) == ["en", "vi"]
    assert all(error["message"].values())
    return error


async def test_refusals_are_1_with_reason_and_request_id(server: Server, files: dict[str, Path]) -> None:
    """Not found, malformed, without purpose: the server's reason, both languages, the request id."""
    absent = ("fetch", "NO-SUCH-1", "--purpose", "000.00.17.H46-261121-0002", "-o", "/dev/null", "--json")
    error = assert_error(await kho_at(server, "agency-b", *absent), 1, "RESULT_NOT_FOUND")
    assert error["code"] == "NOT_FOUND"
    assert uuid.UUID(error["request_id"])
    assert (error["retryable"], error["retry_after_s"]) == (False, None)
    bad_day = ("upload", *DECLARED, "--issued", "2022-02-30", "--pages", files["page-1.jpg"], "--json")
    error = assert_error(await kho_at(server, "station", *bad_day), 1, "DATE_IMPOSSIBLE")
    assert error["metadata"]["field"] == "document.result.issued_on"


async def test_certificates_that_tls_refuses_are_named(server: Server, tmp_path: Path) -> None:
    """Missing, expired, of another authority, unknown: told apart, though gRPC only sees a closed socket."""
    certificates = Certificates(tmp_path, server.pki)
    settings = settings_of(server, "station")
    without = {name: value for name, value in settings.items() if name not in ("KHO_CERT", "KHO_KEY")}
    assert_error(await kho_with(without, "lookup", "X-1", "--json"), 1, "CLIENT_CERTIFICATE_MISSING")
    for make, name, reason in (
        (certificates.expired, "old", "CLIENT_CERTIFICATE_EXPIRED"),
        (certificates.foreign, "foreign", "CLIENT_CERTIFICATE_NOT_ACCEPTED"),
        (certificates.known_authority, "newcomer", "CLIENT_CERTIFICATE_UNKNOWN"),
    ):
        make(name)
        pair = {"KHO_CERT": str(tmp_path / f"{name}.crt"), "KHO_KEY": str(tmp_path / f"{name}.key")}
        assert_error(await kho_with(settings | pair, "lookup", "X-1", "--json"), 1, reason)


async def test_no_server_is_3_and_wrong_usage_is_2(server: Server) -> None:
    """Nobody listens there; no such command; a flag is missing; a file that is not there."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        nobody = settings_of(server, "station") | {"KHO_SERVER": f"127.0.0.1:{free.getsockname()[1]}"}
        ran = await kho_with(nobody, "lookup", "X-1", "--json")
    assert ran.status == 3, ran.err
    assert sorted(ran.error) == sorted(ERROR_KEYS)
    assert ran.error["retryable"] is True
    assert (await kho("no-such-command")).status == 2
    assert (await kho_at(server, "station", "fetch", "X-1")).status == 2
    missing = await kho_at(server, "station", "upload", *DECLARED, "--pages", "/nowhere/page.jpg", "--json")
    assert missing.status == 2, missing.err


async def test_flags_come_before_variables_before_the_profile(server: Server, tmp_path: Path) -> None:
    """A wrong one in front hides a right one behind, and the other way round."""
    right, pki = server.address, server.pki
    profile = tmp_path / "profile.toml"
    lines = {
        "server": right,
        "cert": str(pki.certificate("station")),
        "key": str(pki.key("station")),
        "ca": str(pki.ca),
    }
    profile.write_text("".join(f"{name} = {json.dumps(value)}\n" for name, value in lines.items()))
    wrong = "127.0.0.1:1"
    by_profile = await kho("doctor", "--json", KHO_PROFILE=str(profile))
    assert by_profile.status == 0, by_profile.out + by_profile.err
    by_variable = await kho("lookup", "X-1", "--json", KHO_PROFILE=str(profile), KHO_SERVER=wrong)
    assert by_variable.status == 3
    by_flag = await kho("lookup", "X-1", "--server", right, "--json", KHO_PROFILE=str(profile), KHO_SERVER=wrong)
    assert by_flag.status == 1
    assert by_flag.answer == {"query": "X-1", "found": False, "result": None}


async def test_serve_help_names_every_setting(server: Server) -> None:
    """Flag, variable, unit and default of each."""
    ran = await kho("serve", "--help")
    words = " ".join(ran.out.split())
    for option in options():
        for fact in (option.flag, option.variable, option.unit):
            assert fact in words, option.name
    assert "default 7443" in words or "127.0.0.1:7443" in words


async def test_the_ready_file_says_where(server: Server) -> None:
    """Four keys, no more."""
    assert sorted(server.ready) == ["grpc", "ops", "pid", "pki"]
    assert server.ready["pid"] == server.process.pid
    assert Path(server.ready["pki"]) == server.pki.folder
