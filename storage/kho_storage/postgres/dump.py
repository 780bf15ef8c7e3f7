"""Copies of a whole database by PostgreSQL's own programs: pg_dump and pg_restore in the custom format."""

import asyncio
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path

from kho_storage.errors import PostgresFailed
from kho_storage.postgres.binaries import Source, program_folders
from kho_storage.postgres.connection import ConnectionSettings

_VERSION = re.compile(r"\(PostgreSQL\) (\d+)")
_ASK_TIMEOUT_S = 20
_TOLD_CHARS = 500


@dataclass(frozen=True, slots=True)
class DumpPrograms:
    """pg_dump and pg_restore of one major version."""

    folder: Path
    major: int


def find_dump_programs(server_major: int, source: Source = "auto") -> DumpPrograms:
    """Return the programs for a server of a major version: its own, else the next newer ones.

    PostgresFailed: there are none; an older pg_dump refuses a newer server.
    """
    found = []
    for folder in program_folders(source):
        if all(os.access(folder / program, os.X_OK) for program in ("pg_dump", "pg_restore")):
            major = _major_of(folder / "pg_dump")
            if major is not None and major >= server_major:
                found.append(DumpPrograms(folder, major))
    if not found:
        raise PostgresFailed(
            f"no pg_dump for PostgreSQL {server_major} found: install the Debian package "
            f"postgresql-client-{server_major}"
        )
    return min(found, key=lambda each: each.major)


async def dump(programs: DumpPrograms, settings: ConnectionSettings, snapshot: str, target: Path) -> None:
    """Write the database as an exported snapshot shows it; PostgresFailed with the program's own words.

    A cancelled call ends the program.
    """
    await _run(
        programs.folder / "pg_dump",
        settings,
        "--format=custom",
        "--no-owner",
        "--no-privileges",
        f"--snapshot={snapshot}",
        f"--file={target}",
    )


async def restore(programs: DumpPrograms, settings: ConnectionSettings, source: Path, jobs: int) -> None:
    """Fill an empty database from a dump, on so many connections; PostgresFailed leaves part of it behind."""
    await _run(
        programs.folder / "pg_restore",
        settings,
        "--no-owner",
        "--no-privileges",
        "--exit-on-error",
        f"--jobs={jobs}",
        f"--dbname={settings.database}",
        str(source),
    )


async def _run(program: Path, settings: ConnectionSettings, *arguments: str) -> None:
    process = await asyncio.create_subprocess_exec(
        program,
        "--no-password",
        *arguments,
        env=_environment(settings),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    try:
        _, told = await process.communicate()
    except BaseException:
        if process.returncode is None:
            process.kill()
            await process.wait()
        raise
    if process.returncode != 0:
        words = " ".join(told.decode(errors="replace").split())[-_TOLD_CHARS:]
        raise PostgresFailed(f"{program.name} failed: {words}")


def _environment(settings: ConnectionSettings) -> dict[str, str]:
    """Say where to connect; a password on the command line would be seen by everyone on the machine."""
    said = {
        "PGHOST": settings.host,
        "PGPORT": str(settings.port),
        "PGUSER": settings.user,
        "PGDATABASE": settings.database,
        "PGAPPNAME": "kho backup",
        "PGSSLMODE": "disable",
        "PATH": os.environ.get("PATH", ""),
    }
    if settings.password is not None:
        said["PGPASSWORD"] = settings.password
    elif "HOME" in os.environ:
        said["HOME"] = os.environ["HOME"]
    tls = settings.tls
    if tls is not None:
        said["PGSSLMODE"] = tls.mode
        said["PGSSLROOTCERT"] = str(tls.root_certificate or "system")
        if tls.mode == "require" and tls.root_certificate is None:
            del said["PGSSLROOTCERT"]
        if tls.certificate is not None:
            said["PGSSLCERT"] = str(tls.certificate)
        if tls.key is not None:
            said["PGSSLKEY"] = str(tls.key)
    return said


def _major_of(program: Path) -> int | None:
    """Ask the program itself: that also proves that its libraries are there."""
    try:
        answer = subprocess.run(  # noqa: S603 - a path found in fixed places
            [program, "--version"], capture_output=True, timeout=_ASK_TIMEOUT_S, check=True, text=True, env={}
        )
    except (OSError, subprocess.SubprocessError):
        return None
    match = _VERSION.search(answer.stdout)
    return int(match[1]) if match else None
