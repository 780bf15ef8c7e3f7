"""A folder of backups: one pool of bytes that never change, and a small folder for each backup.

DIR/
  kho-backups.json            whose store this is; held with flock while a backup is made
  blobs/  manifests/  events/ as in a data folder: the commands of storage/README.md check them here as well
  incoming/                   copies that are not whole yet
  backups/<time>-<position>/
    database.dump             pg_dump, custom format
    files.sha256              every file of this backup: `sha256sum --check` from DIR
    trust/                    trust folder of the server, if it lies in its data folder
    backup.json               written last: a backup without it is none
"""

import dataclasses
import fcntl
import json
import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

from kho_server.keeping.errors import KeepingFailed
from kho_storage.blobs.data_folder import StoreIdentity
from kho_storage.blobs.durable_files import Descriptor, DurableFiles

FORMAT = 1
LIST = "files.sha256"
DUMP = "database.dump"
_RECORD = "backup.json"
_WHOSE = "kho-backups.json"


@dataclass(frozen=True, slots=True, kw_only=True)
class BackupRecord:
    """What `backup.json` says. `taken_at` is the instant of the database's snapshot: later events are not in it.

    `missing` names blobs, manifests and segments that were damaged or gone in the store itself.
    """

    backup_id: str
    store_id: UUID
    repository_id: str
    taken_at: datetime
    finished_at: datetime
    position: int
    events_waiting: int
    segments_position: int
    last_event_at: datetime | None
    documents: int
    uploads_open: int
    schema: int
    postgres_major: int
    files: int
    bytes: int
    list_sha256: str
    missing: tuple[str, ...] = ()

    def json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}
        return {"format": FORMAT} | {
            name: value.isoformat() if isinstance(value, datetime) else str(value) if isinstance(value, UUID) else value
            for name, value in values.items()
        }

    @classmethod
    def of(cls, values: dict[str, Any]) -> "BackupRecord":
        """Read what `json` wrote. KeepingFailed: a newer format, or not what a Kho wrote."""
        try:
            if values.pop("format") > FORMAT:
                raise KeepingFailed("the backup was made by a newer Kho: install that one")
            last = values["last_event_at"]
            return cls(
                **values
                | {
                    "store_id": UUID(values["store_id"]),
                    "taken_at": datetime.fromisoformat(values["taken_at"]),
                    "finished_at": datetime.fromisoformat(values["finished_at"]),
                    "last_event_at": datetime.fromisoformat(last) if last else None,
                    "missing": tuple(values["missing"]),
                }
            )
        except KeepingFailed:
            raise
        except (KeyError, TypeError, ValueError) as error:
            raise KeepingFailed("backup.json is not what a Kho writes") from error


@dataclass(frozen=True, slots=True)
class ListedFile:
    """One line of `files.sha256`; `path` is relative to the folder of backups."""

    sha256: str
    path: str


class BackupFolder:
    """One folder of backups."""

    def __init__(self, root: Path, files: DurableFiles | None = None) -> None:
        """Name it; nothing is touched."""
        self.root = root.absolute()
        self.files = files or DurableFiles()
        self._leftovers: list[Path] = []

    @property
    def incoming(self) -> Path:
        """Where copies grow."""
        return self.root / "incoming"

    def place(self, backup_id: str) -> Path:
        """Return the folder of one backup."""
        return self.root / "backups" / backup_id

    def claim(self, identity: StoreIdentity) -> Descriptor:
        """Make the folder, or check that it is this store's, and return its lock.

        KeepingFailed: the backups of another store, something else, or a backup is being made.
        """
        whose = self.root / _WHOSE
        if not whose.exists():
            if self.root.exists() and any(each.suffix != ".tmp" for each in self.root.iterdir()):
                raise KeepingFailed(f"{self.root} is not empty and holds no {_WHOSE}: name an empty folder for backups")
            self.root.mkdir(0o700, parents=True, exist_ok=True)
            self.write(whose, json.dumps({"format": FORMAT, "store_id": str(identity.store_id)}).encode() + b"\n")
        lock = Descriptor(os.open(whose, os.O_RDONLY | os.O_CLOEXEC))
        try:
            fcntl.flock(lock.number, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError as error:
            raise KeepingFailed(f"another backup into {self.root} is being made: wait for it") from error
        if self.store_id() != identity.store_id:
            raise KeepingFailed(f"{self.root} holds backups of store {self.store_id()}: name another folder")
        for room in ("incoming", "backups", "blobs", "blobs/sha256", "manifests", "events"):
            self.files.make_folder(self.root / room)
        shutil.rmtree(self.incoming)
        self.files.make_folder(self.incoming)
        for each in self._places():
            if not (each / _RECORD).exists():
                self._leftovers.append(each)
        return lock

    @property
    def had_leftovers(self) -> bool:
        """Whether an earlier backup was interrupted, so that names of its copies may not be durable."""
        return bool(self._leftovers)

    def store_id(self) -> UUID:
        """Return whose backups these are. KeepingFailed: nobody's."""
        try:
            return UUID(json.loads((self.root / _WHOSE).read_bytes())["store_id"])
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise KeepingFailed(f"{self.root} is not a folder of backups: it holds no {_WHOSE}") from error

    def complete(self) -> list[BackupRecord]:
        """Return the backups that were finished, oldest first."""
        found = []
        for each in self._places():
            try:
                found.append(BackupRecord.of(json.loads((each / _RECORD).read_bytes())))
            except FileNotFoundError:
                continue
            except ValueError as error:
                raise KeepingFailed(f"{each / _RECORD} cannot be read: {error}") from error
        return sorted(found, key=lambda record: record.taken_at)

    def chosen(self, backup_id: str | None) -> BackupRecord:
        """Return one backup, the newest without a name. KeepingFailed: there is none."""
        self.store_id()
        complete = self.complete()
        wanted = [record for record in complete if backup_id in (None, record.backup_id)]
        if not wanted:
            there = ", ".join(record.backup_id for record in complete) or "none"
            raise KeepingFailed(f"{self.root} holds no finished backup {backup_id or ''}(there are: {there})")
        return wanted[-1]

    def listed(self, record: BackupRecord) -> Iterator[ListedFile]:
        """Yield the files of a backup in order."""
        with (self.place(record.backup_id) / LIST).open(encoding="utf-8") as lines:
            for line in lines:
                sha256, _, path = line.rstrip("\n").partition("  ")
                yield ListedFile(sha256, path)

    def finish(self, record: BackupRecord) -> None:
        """Make a backup one, durably, all or nothing; what interrupted ones left is removed then."""
        data = json.dumps(record.json(), indent=1, sort_keys=True).encode() + b"\n"
        self.write(self.place(record.backup_id) / _RECORD, data)
        for each in self._leftovers:
            shutil.rmtree(each)

    def write(self, path: Path, data: bytes) -> None:
        """Write a small file whole and durably."""
        temporary, file = self.files.open_temporary(path.parent)
        try:
            self.files.write(file, [data], 0)
            self.files.sync_file(file)
            self.files.rename(temporary, path)
        finally:
            self.files.remove(temporary)
        self.files.sync_folder(path.parent)

    def _places(self) -> list[Path]:
        folder = self.root / "backups"
        return sorted(each for each in folder.iterdir() if each.is_dir()) if folder.is_dir() else []


def backup_id_of(taken_at: datetime, position: int) -> str:
    """Return the name of a backup: names sort by time."""
    return f"{taken_at.astimezone(UTC):%Y%m%dT%H%M%S.%fZ}-{position}"
