"""The laws that a data folder obeys whenever its server has just started: rows, files and events belong together."""

import hashlib
import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import asyncpg

from kho_storage.catalog.database import Connection, Database
from kho_storage.catalog.ledger import PROJECTIONS
from tests.end_to_end.waiting import until
from tests.storage.catalog.projection_dump import assert_rebuild_changes_nothing
from tests.torture.promises import Promises

_VERSIONS = """
SELECT a.agency_id, d.document_id::text, d.agency_uuid::text, v.version, v.commit_id::text, v.manifest_sha256,
       (SELECT jsonb_agg(jsonb_build_array(b.part_kind, b.number, b.sha256, b.size_bytes)) FROM kho.blob_reference AS b
        WHERE b.document_uuid = v.document_uuid AND b.version = v.version) AS parts
FROM kho.document_version AS v JOIN kho.document AS d USING (document_uuid) JOIN kho.agency AS a USING (agency_uuid)
"""
_AGENCIES = {"station": "agency-a", "agency-b": "agency-b"}


@dataclass
class Laws:
    """Holds one data folder against the laws; hashes each file once."""

    data: Path
    promises: Promises
    orphans: int = 0
    _hashed: dict[Path, tuple[int, int]] = field(default_factory=dict)

    async def hold(self, link: "asyncpg.Connection[asyncpg.Record]", *, is_fresh: bool) -> None:
        """Check everything that costs little; `is_fresh`: the server has just started and served nobody yet."""
        rows = await link.fetch(_VERSIONS)
        versions = {(row["agency_id"], row["document_id"], row["version"]): row for row in rows}
        self._promised_versions(versions)
        self._bytes(rows)
        self._manifests(rows, is_fresh=is_fresh)
        if is_fresh:
            await self._spool(link)
        await self._accesses(link)
        await self._events(link)

    def _promised_versions(self, versions: dict[tuple[str, str, int], asyncpg.Record]) -> None:
        for record in self.promises.records:
            for version in record.versions:
                if version.answer is None:
                    continue
                name = f"version {version.number} of {record.paper.document_id}"
                row = versions.get((_AGENCIES[record.station], record.paper.document_id, version.number))
                if row is None:
                    self._finding(f"{name} was acknowledged and is gone")
                    continue
                if version.answer.manifest_digest != f"sha256:{row['manifest_sha256']}":
                    self._finding(f"{name} has another manifest than was answered")
                held = {(kind == "page", number): (sha256, size) for kind, number, sha256, size in _parts(row)}
                for sheet in version.sheets:
                    if held.get((sheet.is_page, sheet.number)) != (sheet.digest[7:], len(sheet.content)):
                        self._finding(f"{name} does not hold the part that was acknowledged")

    def _bytes(self, rows: list[asyncpg.Record]) -> None:
        referenced = set()
        for row in rows:
            for _, _, sha256, size in _parts(row):
                path = self.data / "blobs" / "sha256" / sha256[:3] / sha256
                if path not in referenced:
                    referenced.add(path)
                    self._hash(path, sha256, size)
        stored = [path for path in (self.data / "blobs" / "sha256").glob("*/*") if path not in referenced]
        for path in stored:
            self._hash(path, path.name, path.stat().st_size)
        # Linked and not sealed when the server died; the spool has them too as long as their upload is open.
        self.orphans = sum(path.stat().st_nlink == 1 for path in stored)

    def _manifests(self, rows: list[asyncpg.Record], *, is_fresh: bool) -> None:
        root = self.data / "manifests"
        named = {}
        for row in rows:
            file = f"v{row['version']}.{row['commit_id']}.json"
            named[root / row["agency_uuid"] / row["document_id"] / file] = row["manifest_sha256"]
        for path, sha256 in named.items():
            self._hash(path, sha256, None)
        if is_fresh:
            for path in root.glob("*/*/*.json"):
                if path not in named:
                    self._finding(f"the manifest {path.name} is of a transaction that never happened")

    async def _spool(self, link: "asyncpg.Connection[asyncpg.Record]") -> None:
        rows = await link.fetch("SELECT agency_uuid::text, document_id::text, version FROM kho.upload")
        opened = {(row[0], row[1], f"v{row[2]}") for row in rows}
        for folder in (self.data / "spool").glob("*/*/*"):
            if folder.parts[-3] != "discarded" and folder.parts[-3:] not in opened:
                self._finding(f"the spool keeps {folder.name} of an upload that is not open")
        for place in ("spool/discarded", "blobs/incoming", "manifests/incoming", "scratch"):
            if any((self.data / place).iterdir()):
                self._finding(f"{place} was not emptied at the start")

    async def _accesses(self, link: "asyncpg.Connection[asyncpg.Record]") -> None:
        rows = await link.fetch("SELECT request_id, outcome, access_id::text FROM kho.access_record")
        found = {row["request_id"]: row for row in rows}
        for access in self.promises.accesses:
            row = found.get(access.request_id)
            if row is None:
                self._finding("an answer left without a record of it")
            elif row["outcome"] not in access.outcomes:
                self._finding(f"what was {' or '.join(access.outcomes)} is recorded as {row['outcome']}")
            elif access.access_id and row["access_id"] != access.access_id:
                self._finding("the record of a reuse has another id than the reuse was told")

    async def _events(self, link: "asyncpg.Connection[asyncpg.Record]") -> None:
        async def have_positions() -> bool:
            return not await link.fetchval("SELECT count(*) FROM kho.event WHERE position IS NULL")

        await until(have_positions, "a position for every event")
        events, last = await link.fetchrow("SELECT count(*), coalesce(max(position), 0) FROM kho.event") or (0, 0)
        if events != last:
            self._finding(f"{events} events have positions up to {last}")
        sealed, versions = await link.fetchrow(
            "SELECT (SELECT count(*) FROM kho.event WHERE kind IN ('document_sealed', 'version_sealed')),"
            " (SELECT count(*) FROM kho.document_version)"
        ) or (0, 0)
        if sealed != versions:
            self._finding(f"{versions} versions come from {sealed} events")

    def _hash(self, path: Path, sha256: str, size: int | None) -> None:
        try:
            status = path.stat()
        except FileNotFoundError:
            self._finding(f"a row promises {path.relative_to(self.data)}, which is not there")
            return
        seen = (status.st_ino, status.st_mtime_ns)
        if self._hashed.get(path) != seen:
            content = path.read_bytes()
            if hashlib.sha256(content).hexdigest() != sha256 or size not in (None, len(content)):
                self._finding(f"{path.relative_to(self.data)} holds other bytes than its name says")
            self._hashed[path] = seen

    def _finding(self, text: str) -> None:
        self.promises.finding(text)


class _Rehearsal(Database):
    """A database that does everything in the one transaction of its connection, which is never committed."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    @asynccontextmanager
    async def connection(self) -> AsyncIterator[Connection]:
        yield self._connection

    @asynccontextmanager
    async def transaction(self) -> AsyncIterator[Connection]:
        async with self._connection.transaction():
            yield self._connection


async def projections_equal_their_events(link: "asyncpg.Connection[asyncpg.Record]") -> None:
    """Rebuild all projections from the events, find them equal, and take the rebuild back."""
    await link.set_type_codec("jsonb", encoder=json.dumps, decoder=json.loads, schema="pg_catalog", format="text")
    rehearsal = link.transaction()
    await rehearsal.start()
    try:
        tables = ", ".join(("kho.event", "kho.verification_task", *PROJECTIONS))
        await link.execute(f"LOCK TABLE {tables} IN ACCESS EXCLUSIVE MODE")
        await assert_rebuild_changes_nothing(_Rehearsal(link))
    finally:
        await rehearsal.rollback()


def _parts(row: asyncpg.Record) -> list[Any]:
    parts = row["parts"]
    return list(json.loads(parts) if isinstance(parts, str) else parts or ())
