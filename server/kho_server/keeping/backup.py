"""`kho backup`: a consistent copy of database and store while the server serves.

Rows never come before bytes, and nothing that a row needs is ever deleted. So the database is looked at first: one
snapshot, exported to pg_dump, gives the dump and the list of all bytes and manifests that its rows need. They are all
there, and stay there, however many uploads go on meanwhile; what comes later is simply not in this backup. Blobs,
manifests and segments never change, so only new ones are copied. `backup.json` is written last.
"""

import asyncio
import hashlib
import os
import shutil
import time
from collections.abc import AsyncIterator, Callable, Iterator, Mapping
from contextlib import asynccontextmanager, closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import chain
from pathlib import Path
from typing import TextIO

from kho_server.keeping.backup_folder import DUMP, LIST, BackupFolder, BackupRecord, backup_id_of
from kho_server.keeping.copying import Copied, Copier, Copy
from kho_server.keeping.reach import ReachedStore, database_source, reach
from kho_server.keeping.store_layout import blob_path, manifest_path
from kho_storage.catalog.database import Connection, Database, Row
from kho_storage.catalog.statements import statements
from kho_storage.postgres.dump import dump, find_dump_programs
from kho_storage.segments.folder import SegmentFolder
from kho_storage.segments.segment import SegmentDamaged

_NAMED_MISSING = 1000


def _utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True, slots=True)
class BackupReport:
    """What a backup brought: `new_files` and `new_bytes` were copied now, the rest was there from earlier ones."""

    record: BackupRecord
    new_files: int
    new_bytes: int
    seconds: float


@dataclass(slots=True)
class _Progress:
    files: int = 0
    bytes: int = 0
    new_files: int = 0
    new_bytes: int = 0
    missing: list[str] = field(default_factory=list)
    segments_position: int = 0


async def back_up(
    target: Path,
    data: Path,
    *,
    environment: Mapping[str, str] = os.environ,
    link: bool = False,
    clock: Callable[[], datetime] = _utc_now,
) -> BackupReport:
    """Back the store of a data folder up into a folder of backups.

    `link` shares the bytes of blobs where both lie on one device: quick, and no second copy. KeepingFailed and the
    errors of storage: nothing was backed up. What is damaged in the store is left out and named in the record.
    """
    started = time.monotonic()
    folder = BackupFolder(target)
    async with reach(data, environment) as store:
        with closing(_Claim(folder, store)):
            async with _snapshot(store.database) as (connection, snapshot):
                standing = await connection.fetchrow(statements("keeping")["standing"])
                assert standing is not None
                backup_id = backup_id_of(standing["at"], standing["position"])
                place = folder.place(backup_id)
                place.mkdir(0o700)
                programs = await asyncio.to_thread(
                    find_dump_programs, standing["postgres_major"], database_source(environment)
                )
                await dump(programs, store.settings, snapshot, place / DUMP)
                needed = place / f"{LIST}.needed"
                await _list_needed(connection, needed)
            progress = _Progress()
            copier = Copier(folder.incoming, link=link, doubts=folder.had_leftovers, files=folder.files)
            await asyncio.to_thread(_fill, store.root, folder, place, needed, copier, progress, standing["position"])
        record = BackupRecord(
            backup_id=backup_id,
            store_id=store.identity.store_id,
            repository_id=store.identity.repository_id,
            taken_at=standing["at"],
            finished_at=clock(),
            position=standing["position"],
            events_waiting=standing["events_waiting"],
            segments_position=progress.segments_position,
            last_event_at=standing["last_event_at"],
            documents=standing["documents"],
            uploads_open=standing["uploads_open"],
            schema=standing["schema"],
            postgres_major=standing["postgres_major"],
            files=progress.files,
            bytes=progress.bytes,
            list_sha256=await asyncio.to_thread(_sha256, place / LIST),
            missing=tuple(progress.missing[:_NAMED_MISSING]),
        )
        await asyncio.to_thread(folder.finish, record)
    return BackupReport(record, progress.new_files, progress.new_bytes, time.monotonic() - started)


class _Claim:
    """The folder's lock, as something that closes."""

    def __init__(self, folder: BackupFolder, store: ReachedStore) -> None:
        self._lock = folder.claim(store.identity)

    def close(self) -> None:
        del self._lock


@asynccontextmanager
async def _snapshot(database: Database) -> AsyncIterator[tuple[Connection, str]]:
    """Hold one view of the database and give its name."""
    async with database.connection() as connection:
        async with connection.transaction(isolation="repeatable_read", readonly=True):
            yield connection, await connection.fetchval("SELECT pg_export_snapshot()")


async def _list_needed(connection: Connection, path: Path) -> None:
    """Write what the rows of the snapshot need: SHA-256, size and path, one line each."""
    named = statements("keeping")
    with path.open("w", encoding="utf-8") as lines:
        async for row in connection.cursor(named["referenced_blobs"], prefetch=5000):
            lines.write(f"{row['sha256']} {row['size_bytes']} {blob_path(row['sha256'])}\n")
        async for row in connection.cursor(named["sealed_manifests"], prefetch=5000):
            lines.write(f"{row['manifest_sha256']} {row['manifest_bytes']} {_manifest_of(row)}\n")


def _manifest_of(row: Row) -> str:
    return manifest_path(row["agency_uuid"], row["document_id"], row["version"], row["commit_id"])


def _fill(
    data: Path, folder: BackupFolder, place: Path, needed: Path, copier: Copier, progress: _Progress, position: int
) -> None:
    """Copy what is needed and list it; blocks."""
    segments = _segments_until(SegmentFolder(data / "events"), position, progress)
    copies = chain(_needed(data, folder.root, needed), _segment_copies(data, folder.root, segments, progress))
    with (place / LIST).open("w", encoding="utf-8") as lines:
        _list(lines, _sha256(place / DUMP), f"backups/{place.name}/{DUMP}", (place / DUMP).stat().st_size, progress)
        for copied in copier.copy_all(copies):
            _take(copied, folder.root, lines, progress)
        for each in _copy_trust(data / "trust", place / "trust"):
            path = str(each.relative_to(folder.root))
            _list(lines, _sha256(each), path, each.stat().st_size, progress)
        lines.flush()
        os.fsync(lines.fileno())
    needed.unlink()
    copier.settle()
    for each in (place / DUMP, *(place / "trust").glob("**/*")):
        if each.is_file():
            with each.open("rb") as file:
                os.fsync(file.fileno())
    for each in (place, place.parent, *(each for each in (place / "trust").glob("**") if each.is_dir())):
        folder.files.sync_folder(each)


def _take(copied: Copied, root: Path, lines: TextIO, progress: _Progress) -> None:
    path = str(copied.copy.target.relative_to(root))
    if copied.problem:
        progress.missing.append(f"{path} {copied.problem}")
        return
    _list(lines, copied.copy.sha256, path, copied.size_bytes, progress)
    if copied.is_new:
        progress.new_files += 1
        progress.new_bytes += copied.size_bytes


def _list(lines: TextIO, sha256: str, path: str, size_bytes: int, progress: _Progress) -> None:
    lines.write(f"{sha256}  {path}\n")
    progress.files += 1
    progress.bytes += size_bytes


def _needed(data: Path, root: Path, needed: Path) -> Iterator[Copy]:
    with needed.open(encoding="utf-8") as lines:
        for line in lines:
            sha256, size_bytes, path = line.rstrip("\n").split(" ", 2)
            yield Copy(data / path, root / path, sha256, int(size_bytes))


def _segments_until(folder: SegmentFolder, position: int, progress: _Progress) -> Iterator[tuple[int, str]]:
    """Yield first position and digest of the segments that the snapshot covers.

    No later ones: a restored database must never be behind its own store.
    """
    for first in folder.firsts():
        if first > position:
            break
        try:
            stored = folder.read(first)
        except SegmentDamaged as error:
            progress.missing.append(f"events from position {first}: {error}")
            break
        if stored.segment.last > position:
            break
        progress.segments_position = stored.segment.last
        yield first, stored.sha256


def _segment_copies(data: Path, root: Path, segments: Iterator[tuple[int, str]], progress: _Progress) -> Iterator[Copy]:
    """Bring payloads up to date first, for they may have been erased in part; then the facts, which never change."""
    source, target = SegmentFolder(data / "events"), SegmentFolder(root / "events")
    for first, sha256 in segments:
        try:
            said = source.payloads_path(first).read_bytes()
        except FileNotFoundError:
            progress.missing.append(f"payloads of events from position {first} are gone")
        else:
            target.put_payloads(first, said)
        facts = source.facts_path(first)
        yield Copy(facts, root / facts.relative_to(data), sha256)


def _copy_trust(source: Path, target: Path) -> Iterator[Path]:
    """Copy the trust folder: anchors, intermediates and revocation lists are public and small."""
    if not source.is_dir():
        return
    shutil.copytree(source, target, symlinks=False)
    yield from sorted(each for each in target.glob("**/*") if each.is_file())


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
