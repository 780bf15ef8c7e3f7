"""The files of one PostgreSQL cluster: made whole or not at all."""

import os
import shutil
import signal
from pathlib import Path

from kho_storage.errors import PostgresFailed
from kho_storage.postgres.binaries import Binaries
from kho_storage.postgres.bounded_log import BoundedLog
from kho_storage.postgres.passwords import ADMINISTRATOR, Passwords, write_private
from kho_storage.postgres.rights import Rights
from kho_storage.postgres.tethered import TetheredProcess

# Only sockets, only with a password. Replication is for pg_basebackup, by the administrator.
_HOST_BASED_AUTHENTICATION = f"""\
# TYPE  DATABASE     USER         METHOD
local   all          all          scram-sha-256
local   replication  {ADMINISTRATOR}    scram-sha-256
"""


class Cluster:
    """A folder that PostgreSQL keeps its data in, with the passwords beside it."""

    def __init__(self, data: Path) -> None:
        """Name the data folder; the cluster is `data/cluster`."""
        self._data = data
        self.folder = data / "cluster"
        self._passwords = data / "pgpass"

    def major(self) -> int | None:
        """Return the major version that made this cluster, None when there is no cluster yet.

        PostgresFailed: PG_VERSION is missing or unreadable, so this is not a whole cluster.
        """
        if not self.folder.exists():
            return None
        try:
            return int((self.folder / "PG_VERSION").read_text("ascii").strip())
        except (OSError, ValueError) as error:
            raise PostgresFailed(
                f"{self.folder} holds no readable PG_VERSION, so it is not a whole PostgreSQL cluster: "
                "restore it from the backup, or move it away to begin with an empty database"
            ) from error

    def passwords(self) -> Passwords:
        """Return the passwords; PostgresFailed when their file is gone or damaged."""
        try:
            return Passwords.load(self._passwords)
        except (OSError, ValueError) as error:
            raise PostgresFailed(f"{self._passwords} cannot be used ({error}): restore it from the backup") from error

    async def create(self, binaries: Binaries, rights: Rights, *, log: BoundedLog, lock: int) -> None:
        """Make the cluster in a folder beside and rename it into place, so that a kill leaves no half one.

        PostgresFailed with initdb's own words.
        """
        staging = self._data / "cluster.new"
        secret = self._data / "initdb.secret"
        self._remove_leftovers(staging, secret)
        passwords = Passwords.draw()
        passwords.save(self._passwords)
        write_private(secret, passwords.administrator + "\n")
        rights.give(secret)
        staging.mkdir(0o700)
        rights.give(staging)
        try:
            child = await TetheredProcess.spawn(
                binaries.initdb,
                _initdb_arguments(staging, secret),
                rights,
                death_signal=signal.SIGKILL,
                log=log,
                inherit=(lock,),
            )
            try:
                code = await child.wait()
            finally:
                child.signal(signal.SIGKILL)
                await child.wait()
            if code != 0:
                raise PostgresFailed(f"initdb of PostgreSQL {binaries.major} failed{rights.hint}: {log.tail()}")
            _overwrite(staging / "pg_hba.conf", _HOST_BASED_AUTHENTICATION)
            staging.rename(self.folder)
            _sync_folder(self._data)
        finally:
            self._remove_leftovers(staging, secret)

    @staticmethod
    def _remove_leftovers(staging: Path, secret: Path) -> None:
        secret.unlink(missing_ok=True)
        shutil.rmtree(staging, ignore_errors=True)


def _initdb_arguments(folder: Path, secret: Path) -> list[str]:
    return [
        f"--pgdata={folder}",
        f"--username={ADMINISTRATOR}",
        f"--pwfile={secret}",
        "--auth=scram-sha-256",
        "--data-checksums",
        "--encoding=UTF8",
        # Byte order: the same on every machine, whatever its C library's version sorts like.
        "--locale=C",
        "--no-instructions",
    ]


def _overwrite(path: Path, text: str) -> None:
    with path.open("w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
