"""Wrong command lines, files and settings: status 2, two plain lines, or JSON."""

import json
import os

import pytest

from kho_cli.main import main
from tests.doubles.tls_folder import TlsFolder

ERROR_KEYS = {"code", "reason", "message", "retryable", "retry_after_s", "metadata", "request_id"}
DECLARED = ("--dossier", "H46-220905-0001", "--procedure", "1.000894", "--kind", "result")


@pytest.fixture(autouse=True)
def _nobody_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in tuple(os.environ):
        if name.startswith("KHO_"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("KHO_PROFILE", os.devnull)


@pytest.mark.parametrize(
    "words",
    [
        (),
        ("nonsense",),
        ("lookup",),
        ("lookup", "A"),
        ("lookup", "A", "--serv", "x:1"),
        ("lookup", "A", "--nonsense"),
        ("upload", "--dossier", "x"),
        ("upload", *DECLARED),
        ("grant",),
        ("principal", "add", "--kind", "station"),
        ("agency", "import", "/no/such/table.csv"),
        ("doctor", "--server", "nowhere", "--ca", "ca.crt"),
        ("doctor", "--server", "localhost:1", "--ca", "/no/such/ca.crt"),
    ],
    ids=" ".join,
)
def test_wrong_usage(words: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(words) == 2
    shown = capsys.readouterr()
    assert (shown.out, len(shown.err.splitlines())) == ("", 2)
    assert main([*words, "--json"]) == 2
    shown = capsys.readouterr()
    assert shown.out == ""
    assert set(json.loads(shown.err)["error"]) == ERROR_KEYS


def test_a_page_that_cannot_be_read_is_said_before_anybody_is_asked(
    tls: TlsFolder, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ("--server", "127.0.0.1:1", "--ca", str(tls.folder / "ca.crt"))
    assert main(["upload", *DECLARED, "--pages", "/no/such/page.jpg", *where, "--json"]) == 2
    assert json.loads(capsys.readouterr().err)["error"]["reason"] == "FILE_UNREADABLE"


@pytest.mark.parametrize(("language", "lines"), [("vi", 1), ("en", 1), ("both", 2), ("klingon", 2)])
def test_the_language_is_chosen(
    language: str, lines: int, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("KHO_LANG", language)
    main(["lookup"])
    shown = capsys.readouterr().err
    assert len(shown.splitlines()) == lines
    assert ("Lỗi" in shown, "Error" in shown) == (language != "en", language != "vi")
