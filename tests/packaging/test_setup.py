"""The scripts behind `make` say plainly what is missing."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.packaging.tree import ROOT

SHELL_TOOLS = ("sh", "dirname", "cat", "cksum", "printf", "mktemp", "rm", "tail", "grep", "id", "sort", "tr", "ls")


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Copy what the scripts read into a folder with a space in its name."""
    folder = tmp_path / "a folder"
    shutil.copytree(ROOT / "ops/setup", folder / "ops/setup")
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, folder)
    # What make fetched for this checkout need not be fetched again for its copy.
    (folder / ".packages").symlink_to(ROOT / ".packages")
    return folder


@pytest.fixture
def bare_path(tmp_path: Path) -> Path:
    """Make a folder of programs that has the shell's tools, and nothing that the tests need."""
    folder = tmp_path / "programs"
    folder.mkdir()
    for name in SHELL_TOOLS:
        found = shutil.which(name, path="/usr/bin:/bin")
        assert found, name
        (folder / name).symlink_to(found)
    return folder


@pytest.mark.parametrize(
    ("version", "words"),
    [("2.7", "is Python 2.7, and Kho needs 3.11 or newer"), ("3.9", "is Python 3.9"), ("3.10", "is Python 3.10")],
)
def test_an_old_python_is_refused_in_a_sentence(tree: Path, tmp_path: Path, version: str, words: str) -> None:
    """Nothing is made with it."""
    python = _program(tmp_path / "old-python", f"echo {version}")
    done = _run(tree, "venv.sh", PYTHON=str(python))
    assert (done.returncode, done.stdout) == (1, "")
    assert words in done.stderr
    assert not (tree / ".venv").exists()


def test_no_python_at_all(tree: Path, bare_path: Path) -> None:
    """The sentence names the packages."""
    done = _run(tree, "venv.sh", PATH=str(bare_path))
    assert done.returncode == 1
    assert "apt-get install python3 python3-venv" in done.stderr


def test_a_python_without_venv(tree: Path, tmp_path: Path) -> None:
    """Debian ships `venv` apart: the sentence names its package."""
    python = _program(tmp_path / "python", 'case $2 in *ensurepip*) exit 1 ;; *) echo "3.11" ;; esac')
    done = _run(tree, "venv.sh", PYTHON=str(python))
    assert done.returncode == 1
    assert "apt-get install python3-venv" in done.stderr


def test_a_broken_environment_is_made_again(tree: Path, tmp_path: Path) -> None:
    """A venv whose Python is gone does not stay in the way; one that only misses its stamp is kept until installed."""
    broken = tree / ".venv/bin/python"
    broken.parent.mkdir(parents=True)
    broken.symlink_to("/nowhere/python3.11")
    (tree / ".venv/left-over").touch()
    made = "echo made-a-venv; exit 1"
    python = _program(tmp_path / "python", f"case $2 in *version*) echo 3.12 ;; venv) {made} ;; esac")
    done = _run(tree, "venv.sh", PYTHON=str(python))
    assert done.returncode == 1
    assert "made-a-venv" in done.stderr
    assert "Setting up .venv failed at:" in done.stderr
    assert not (tree / ".venv/left-over").exists()


def test_missing_packages_are_named_with_the_command(tree: Path, bare_path: Path) -> None:
    """An ordinary user of Debian learns what to type, and nothing is installed."""
    (bare_path / "id").unlink()
    _program(bare_path / "id", "echo 1000")
    _program(bare_path / "apt-get", "echo must not be called; exit 9")
    done = _run(tree, "debian.sh", PATH=str(bare_path))
    assert (done.returncode, done.stdout) == (1, "")
    (command,) = (line for line in done.stderr.splitlines() if "apt-get install" in line)
    assert {"openssl", "poppler-utils"} <= set(command.split())


def test_nothing_is_said_when_nothing_is_missing(tree: Path) -> None:
    """This environment passed the check to get here."""
    done = _run(tree, "debian.sh")
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def _program(path: Path, body: str) -> Path:
    """Write a small program."""
    path.write_text(f"#!/bin/sh\n{body}\n")
    path.chmod(0o755)
    return path


def _run(tree: Path, script: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run one script as make does."""
    inherited = {name: value for name, value in os.environ.items() if name != "PYTHON"}
    return subprocess.run(
        [tree / "ops/setup" / script],
        cwd=tree,
        env={**inherited, **environment},
        capture_output=True,
        text=True,
        check=False,
    )
