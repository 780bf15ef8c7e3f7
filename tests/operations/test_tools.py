"""Without Prometheus nothing passes silently: the set-up and the tests say what is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.operations import prometheus
from tests.operations.watching import ROOT

SHELL = ("sh", "dirname", "mktemp", "rm", "mkdir", "mv", "tail", "id", "sort", "tr", "ls", "printf")
STAND_INS = ("openssl", "pdftotext", "pdfsig")


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """Make a tree with the script, and programs without Prometheus, apt-get and dpkg-deb."""
    script = tmp_path / "tree/ops/setup/debian.sh"
    script.parent.mkdir(parents=True)
    shutil.copy(ROOT / "ops/setup/debian.sh", script)
    programs = tmp_path / "programs"
    programs.mkdir()
    for name in SHELL:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found, name
        (programs / name).symlink_to(found)
    for name in STAND_INS:
        _program(programs / name, "exit 0")
    return tmp_path


def test_the_set_up_says_what_would_do(bare: Path) -> None:
    done = _set_up(bare)
    assert (done.returncode, done.stdout) == (1, "")
    assert "need 'prometheus' and 'promtool' in PATH" in done.stderr


def test_the_set_up_takes_what_is_there(bare: Path) -> None:
    for name in ("prometheus", "promtool"):
        _program(bare / "programs" / name, "exit 0")
    done = _set_up(bare)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert not (bare / "tree/.packages").exists()


def test_a_download_that_fails_is_told_and_leaves_nothing(bare: Path) -> None:
    _program(bare / "programs/apt-get", "echo 'Could not resolve the mirror'; exit 100")
    _program(bare / "programs/dpkg-deb", "exit 2")
    done = _set_up(bare)
    assert (done.returncode, done.stdout) == (1, "")
    assert "Could not resolve the mirror" in done.stderr
    assert "Unpacking Debian's package 'prometheus' failed" in done.stderr
    assert list((bare / "tree/.packages").iterdir()) == []


def test_tests_fail_without_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(prometheus, "_FETCHED", tmp_path)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(pytest.fail.Exception, match="make packages"):
        prometheus.program("promtool")


def _program(path: Path, body: str) -> None:
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)


def _set_up(bare: Path) -> "subprocess.CompletedProcess[str]":
    environment = os.environ | {"PATH": str(bare / "programs")}
    return subprocess.run(
        [bare / "tree/ops/setup/debian.sh"], env=environment, capture_output=True, text=True, timeout=60, check=False
    )
