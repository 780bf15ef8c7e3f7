"""Every command explains itself."""

import json
import sys

import pytest

from kho_cli.main import main

FAMILIES = {"agency": 4, "officer": 4, "principal": 4, "grant": 3}
FIXED = ("upload", "lookup", "fetch", "show", "verify", "doctor", "serve", "dev-pki", "version")
FURTHER = ("add-rendition", "correct", "accesses", "wait", "backup", "restore", "confirm", "check", "rebuild")
COMMANDS = [
    *((command,) for command in (*FIXED, *FURTHER)),
    *((family, member) for family, count in FAMILIES.items() for member in ("add", "list", "revoke", "import")[:count]),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_help_has_an_example(command: tuple[str, ...], capsys: pytest.CaptureFixture[str]) -> None:
    assert main([*command, "--help"]) == 0
    shown = capsys.readouterr().out
    assert "example:" in shown
    assert "--json" in shown


def test_the_whole_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    shown = capsys.readouterr().out
    for name in {command[0] for command in COMMANDS}:
        assert f"    {name}" in shown


def test_serve_names_every_setting_with_unit_and_default(capsys: pytest.CaptureFixture[str]) -> None:
    from kho_server.config import options

    assert main(["serve", "--help"]) == 0
    shown = " ".join(capsys.readouterr().out.split()).replace("- ", "-")
    for option in options():
        assert option.flag in shown
        assert option.variable in shown
        assert option.unit in shown


@pytest.mark.parametrize(
    ("module", "words"),
    [
        ("kho_server.config", ("serve", "--data", "d")),
        ("kho_server.serve", ("serve", "--data", "d")),
        ("kho_server.dev_pki", ("dev-pki", "d")),
        ("kho_server.bootstrap", ("principal", "add", "--data", "d", "--certificate", "c")),
    ],
)
def test_without_the_server_it_says_how_to_install_it(
    module: str, words: tuple[str, ...], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, module, None)
    assert main([*words, "--json"]) == 2
    error = json.loads(capsys.readouterr().err)["error"]
    assert error["reason"] == "SERVER_NOT_INSTALLED"
    assert "pip install" in error["message"]["vi"]


def test_a_wrong_setting_of_the_server_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["serve", "--data", "d", "--json", "--listen", "nowhere"]) == 2
    assert "--listen" in json.loads(capsys.readouterr().err)["error"]["message"]["en"]
