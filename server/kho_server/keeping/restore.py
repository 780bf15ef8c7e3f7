"""`kho restore`: a backup becomes a store again, and says what it cannot know.

Between the backup and the loss things happened that nobody here knows of: a result was recalled, a caller revoked, a
verdict turned. So nothing that comes back is in force: one event, `store_restored`, puts every document that is not
refused into RESTORED_UNCONFIRMED, and `kho confirm` ends that when people have gone through the gap.
`store.json` is written last: a folder without it is no store.
"""

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from kho_server.keeping.backup_folder import DUMP, LIST, BackupFolder, BackupRecord
from kho_server.keeping.copying import Copier, Copy
from kho_server.keeping.errors import KeepingFailed
from kho_server.keeping.holding import hold_all
from kho_server.keeping.reach import database_source, open_database, own_postgres
from kho_storage.blobs.data_folder import FORMAT, StoreIdentity, write_identity
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.catalog.database import Database
from kho_storage.catalog.migrations import migrate
from kho_storage.catalog.statements import statements
from kho_storage.catalog.store import find_store
from kho_storage.errors import CatalogUnavailable
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.dump import find_dump_programs, restore
from kho_storage.segments.folder import SegmentFolder
from kho_storage.segments.segment import SegmentDamaged, strangers

_JOBS = 2
_SHOWN = 20


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class RestoreReport:
    """What came back. Everything after `record.taken_at` and `position` is lost; `held` documents wait."""

    record: BackupRecord
    position: int
    held: int
    seconds: float


async def put_back(
    source: Path,
    data: Path,
    *,
    backup_id: str | None = None,
    environment: Mapping[str, str] = os.environ,
    clock: Callable[[], datetime] = _utc_now,
) -> RestoreReport:
    """Put a backup (None: the newest) into a new data folder, every byte verified.

    KeepingFailed: the target holds something, the database is not empty, or a file of the backup is missing or
    damaged; then `data` holds no store.
    """
    started = time.monotonic()
    folder = BackupFolder(source)
    record = await asyncio.to_thread(folder.chosen, backup_id)
    data = await asyncio.to_thread(data.absolute)
    await asyncio.to_thread(_must_be_free, data)
    await asyncio.to_thread(_bring_files, folder, record, data)
    async with AsyncExitStack() as stack:
        settings = await own_postgres(data, environment, stack)
        database = await open_database(settings, stack)
        await _fill(folder, record, settings, database, environment)
        async with database.connection() as connection:
            await migrate(connection)
        store = await find_store(database)
        if store is None or store.store_id != record.store_id:
            raise KeepingFailed("the dump of the backup belongs to another store: this backup cannot be used")
        payload = {
            "cause": "restored",
            "backup_id": record.backup_id,
            "taken_at": record.taken_at.isoformat(),
            "position": record.position,
        }
        position, held = await hold_all(database, payload, clock())
    identity = StoreIdentity(FORMAT, record.store_id, record.repository_id)
    await asyncio.to_thread(_finish, data, identity)
    return RestoreReport(record, position, held, time.monotonic() - started)


def _must_be_free(data: Path) -> None:
    if data.exists() and any(each.name != "lost+found" for each in data.iterdir()):
        raise KeepingFailed(f"{data} is not empty: name a folder that is, or one that does not exist")
    data.mkdir(0o700, parents=True, exist_ok=True)
    data.chmod(0o700)


def _bring_files(folder: BackupFolder, record: BackupRecord, data: Path) -> None:
    """Copy and verify all files of a backup; blocks. KeepingFailed names what is wrong with them."""
    place = folder.place(record.backup_id)
    if _sha256(place / LIST) != record.list_sha256:
        raise KeepingFailed(f"{place / LIST} is damaged: take another backup (kho restore --backup)")
    incoming = data / "restoring"
    for room in ("restoring", "spool", "blobs", "manifests", "events"):
        (data / room).mkdir(0o700)
    copier = Copier(incoming)
    wrong = []
    for copied in copier.copy_all(_copies(folder, record, data)):
        if copied.problem:
            wrong.append(f"{copied.copy.source.relative_to(folder.root)} {copied.problem}")
    if wrong:
        raise KeepingFailed(
            f"{len(wrong)} files of the backup are missing or damaged, the first: {'; '.join(wrong[:_SHOWN])}. "
            "Put them back from another copy, or take another backup (kho restore --backup)"
        )
    _bring_payloads(folder, data)
    copier.settle()
    shutil.rmtree(incoming)


def _copies(folder: BackupFolder, record: BackupRecord, data: Path) -> Iterator[Copy]:
    """Yield what is to be copied; the dump is verified by its copy, too, and goes when the database is filled."""
    prefix = f"backups/{record.backup_id}/"
    for listed in folder.listed(record):
        path = listed.path.removeprefix(prefix) if listed.path.startswith(prefix) else listed.path
        if Path(path).is_absolute() or ".." in Path(path).parts:
            raise KeepingFailed(f"{LIST} names a path outside of the backup: it was not written by a Kho")
        yield Copy(folder.root / listed.path, data / path, listed.sha256)


def _bring_payloads(folder: BackupFolder, data: Path) -> None:
    source, target = SegmentFolder(folder.root / "events"), SegmentFolder(data / "events")
    for first in target.firsts():
        try:
            alien = strangers(target.read(first).segment, source.said(first))
        except SegmentDamaged as error:
            raise KeepingFailed(f"events from position {first} of the backup: {error}") from error
        if alien:
            raise KeepingFailed(f"payloads of events from position {first} of the backup are damaged: {alien[:_SHOWN]}")
        target.put_payloads(first, source.payloads_path(first).read_bytes())


async def _fill(
    folder: BackupFolder,
    record: BackupRecord,
    settings: ConnectionSettings,
    database: Database,
    environment: Mapping[str, str],
) -> None:
    """Fill the database from the dump. KeepingFailed: something is in it already."""
    row = await database.fetch_one(statements("keeping")["is_empty"])
    if row is None:
        raise CatalogUnavailable("PostgreSQL does not answer")
    if not row["is_empty"]:
        raise KeepingFailed("the database holds a Kho already: name an empty one with KHO_DATABASE_URL")
    programs = await asyncio.to_thread(
        find_dump_programs, max(row["major"], record.postgres_major), database_source(environment)
    )
    await restore(programs, settings, folder.place(record.backup_id) / DUMP, _JOBS)


def _finish(data: Path, identity: StoreIdentity) -> None:
    """Make the folder a store, durably; blocks."""
    (data / DUMP).unlink()
    # One call for all that PostgreSQL, the copies and their folders have written; nobody is served here yet.
    os.sync()
    write_identity(data, identity, DurableFiles())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
