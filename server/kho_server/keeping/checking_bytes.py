"""Bytes against their names, and bytes and manifests against the rows, both ways."""

import asyncio
import hashlib
import json
import re
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from uuid import UUID

from kho_server.archive.manifest import digests_of
from kho_server.keeping.finding import Finding
from kho_server.keeping.reach import ReachedStore
from kho_server.keeping.store_layout import blob_path, manifest_path
from kho_storage.blobs.durable_files import names_in
from kho_storage.catalog.database import Connection, Row
from kho_storage.catalog.statements import statements
from kho_storage.digest import Digest

_THREADS = 2
_TOGETHER = 500
_HEX = re.compile(r"[0-9a-f]{64}\Z")
_MANIFEST = re.compile(r"v([1-9][0-9]{0,8})\.([0-9a-f-]{36})\.json\Z")


@dataclass(frozen=True, slots=True)
class _Seen:
    """A file among the blobs: its name, what it really holds (None: unreadable), and where it lies."""

    sha256: str
    actual: Digest | None
    path: Path


async def check_blobs(store: ReachedStore, connection: Connection, grace_s: float) -> AsyncIterator[Finding]:
    """Hash every blob and walk along the references of the snapshot that `connection` holds.

    Blobs that no row needs and that are younger than `grace_s` belong to commits under way.
    """
    references = connection.cursor(statements("keeping")["referenced_blobs"], prefetch=5000).__aiter__()
    wanted = await anext(references, None)
    spare: list[_Seen] = []
    async for seen in _blobs(store.root / "blobs" / "sha256"):
        name = blob_path(seen.sha256)
        while wanted is not None and wanted["sha256"] < seen.sha256:
            yield _gone(wanted)
            wanted = await anext(references, None)
        if seen.actual is None:
            yield Finding("blob_unreadable", name, "the file cannot be read")
        elif seen.actual.sha256 != seen.sha256:
            yield Finding("blob_damaged", name, "its bytes do not hash to its name")
        if seen.path.parent.name != seen.sha256[:3]:
            yield Finding("blob_misplaced", str(seen.path.relative_to(store.root)), f"it belongs to {name}")
        if wanted is not None and wanted["sha256"] == seen.sha256:
            if seen.actual is not None and seen.actual.size_bytes != wanted["size_bytes"]:
                yield Finding("blob_size", name, "it has another size than the rows say")
            wanted = await anext(references, None)
        else:
            spare.append(seen)
            if len(spare) == _TOGETHER:
                for finding in await _unreferenced(store, spare, grace_s):
                    yield finding
                spare = []
    while wanted is not None:
        yield _gone(wanted)
        wanted = await anext(references, None)
    for finding in await _unreferenced(store, spare, grace_s):
        yield finding


async def check_manifests(store: ReachedStore, connection: Connection, grace_s: float) -> AsyncIterator[Finding]:
    """Compare every manifest with the rows of its commit, and every sealed version with its manifest."""
    for batch in _batches(_manifests(store.root / "manifests")):
        rows = {
            row["commit_id"]: row
            for row in await store.database.fetch(
                statements("keeping")["versions_of_commits"], [commit for _, commit in batch]
            )
        }
        for path, commit in batch:
            name = str(path.relative_to(store.root))
            row = rows.get(commit)
            if row is not None:
                for finding in await asyncio.to_thread(_manifest_findings, path, name, row):
                    yield finding
            elif not _is_young(path, grace_s):
                open_upload = (store.root / "spool" / path.parent.parent.name / path.parent.name).is_dir()
                yield Finding(
                    "manifest_without_rows",
                    name,
                    "an attempt that was never acknowledged: the next start removes it"
                    if open_upload
                    else "the database knows no such version: was an older one put back?",
                    is_note=open_upload,
                )
    async for row in connection.cursor(statements("keeping")["sealed_manifests"], prefetch=5000):
        path = manifest_path(row["agency_uuid"], row["document_id"], row["version"], row["commit_id"])
        if not (store.root / path).exists():
            yield Finding("manifest_missing", path, f"version {row['version']} of document {row['document_uuid']}")


def _manifest_findings(path: Path, name: str, row: Row) -> Iterator[Finding]:
    return iter(list(_look_at_manifest(path, name, row)))


def _look_at_manifest(path: Path, name: str, row: Row) -> Iterator[Finding]:
    try:
        data = path.read_bytes()
    except OSError:
        yield Finding("manifest_unreadable", name, "the file cannot be read")
        return
    if Digest.of(data) != Digest(row["manifest_sha256"], row["manifest_bytes"]):
        yield Finding("manifest_damaged", name, "it does not hash to the digest in the rows")
        return
    held = sorted((digest.sha256, digest.size_bytes) for digest in digests_of(data))
    if held != sorted((sha256, size) for sha256, size in row["parts"]):
        yield Finding("manifest_differs", name, "it names other parts than the rows")
    facts = json.loads(data)
    if (facts["document_uuid"], facts["version"]) != (str(row["document_uuid"]), row["version"]):
        yield Finding("manifest_differs", name, "it names another document or version than the rows")


def _gone(row: Row) -> Finding:
    return Finding("blob_missing", blob_path(row["sha256"]), "a stored version needs it")


async def _unreferenced(store: ReachedStore, spare: Sequence[_Seen], grace_s: float) -> list[Finding]:
    """Ask again: rows may have come since the snapshot."""
    rows = await store.database.fetch(statements("documents")["referenced_digests"], [seen.sha256 for seen in spare])
    known = {row[0] for row in rows}
    return [
        Finding("blob_unreferenced", blob_path(seen.sha256), "no stored version needs it", is_note=True)
        for seen in spare
        if seen.sha256 not in known and not _is_young(seen.path, grace_s)
    ]


def _is_young(path: Path, grace_s: float) -> bool:
    """Tell whether a file got its name a moment ago; what is gone is young enough, too."""
    try:
        return time.time() - path.stat().st_ctime < grace_s
    except FileNotFoundError:
        return True


async def _blobs(root: Path) -> AsyncIterator[_Seen]:
    """Hash all files below, in the order of their names; memory holds the names of one folder."""
    with ThreadPoolExecutor(_THREADS, "kho-check") as threads:
        for folder in await asyncio.to_thread(_folders, root):
            names = [name for name in await asyncio.to_thread(names_in, root / folder) if _HEX.match(name)]
            for batch in _batches(iter(sorted(names))):
                paths = [root / folder / name for name in batch]
                for seen in await asyncio.to_thread(_hash_all, threads, paths):
                    if seen is not None:
                        yield seen


def _folders(root: Path) -> list[str]:
    return sorted(names_in(root)) if root.is_dir() else []


def _hash_all(threads: ThreadPoolExecutor, paths: Sequence[Path]) -> list[_Seen | None]:
    return list(threads.map(_hash, paths))


def _hash(path: Path) -> _Seen | None:
    try:
        with path.open("rb") as file:
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
            return _Seen(path.name, Digest(sha256, file.tell()), path)
    except FileNotFoundError:
        return None
    except OSError:
        return _Seen(path.name, None, path)


def _manifests(root: Path) -> Iterator[tuple[Path, UUID]]:
    for agency in sorted(root.iterdir()):
        if len(agency.name) != 36:
            continue
        for document in sorted(agency.iterdir()):
            for name in sorted(names_in(document)):
                match = _MANIFEST.match(name)
                if match:
                    yield document / name, UUID(match[2])


def _batches(items: Iterator[tuple[Path, UUID]] | Iterator[str]) -> Iterator[list]:  # type: ignore[type-arg]  # of either
    while batch := list(islice(items, _TOGETHER)):
        yield batch
