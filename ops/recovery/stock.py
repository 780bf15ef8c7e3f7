"""A store of many documents, made without a station: real files, real manifests, real events, COPY for the rows."""

import hashlib
import os
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

from kho_server.archive.manifest import manifest_bytes
from kho_server.keeping.reach import open_database, own_postgres
from kho_server.keeping.store_layout import blob_path, manifest_path
from kho_storage.blobs.data_folder import DataFolder
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.catalog.database import Connection, Database
from kho_storage.catalog.ledger import NewEvent, commitment
from kho_storage.catalog.migrations import migrate
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.replay import replay
from kho_storage.catalog.seal_json import seal_payload
from kho_storage.catalog.sequencer import Sequencer
from kho_storage.catalog.store import claim_store
from kho_storage.digest import Digest
from kho_storage.identifiers import time_ordered_uuid
from kho_storage.parts import PartId, PartKind
from kho_storage.records.document import (
    Declaration,
    DocumentKind,
    Lane,
    Outcome,
    Owner,
    RenditionRole,
    ResultDeclaration,
    StoredPart,
    StoredVersion,
    TakenCode,
    Upload,
    VersionReason,
)
from kho_storage.records.registry import Actor, Agency, DatedCode, DatedName
from kho_storage.segments.folder import SegmentFolder
from kho_storage.segments.keeper import SegmentKeeper

_NOBODY = Actor(None, None)
_TOGETHER = 2000
_BEGIN = datetime(2026, 1, 5, 1, 0, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Size:
    """How much: documents of so many pages and one signed file, each of so many bytes."""

    documents: int
    pages: int
    page_bytes: int


async def make_store(data: Path, size: Size, environment: Mapping[str, str] | None = None) -> None:
    """Make a store of documents that were judged valid. The files are written without syncs: nobody relies on them.

    `environment` may name an external database, which is empty, by KHO_DATABASE_URL.
    """
    folder = DataFolder.open(data, repository_id="H46", new_store_id=uuid4, files=DurableFiles())
    store_id = folder.identity.store_id
    async with AsyncExitStack() as stack:
        stack.callback(folder.close)
        database = await open_database(await own_postgres(data, environment or {}, stack), stack)
        async with database.connection() as connection:
            await migrate(connection)
        await claim_store(database, store_id, "H46", _BEGIN, folder_holds_documents=False)
        await add_documents(data, database, store_id, size)


async def add_documents(data: Path, database: Database, store_id: UUID, size: Size) -> None:
    """Add documents to a store that nobody serves."""
    registry = PostgresRegistry(database)
    agency = await registry.register_agency(
        "so-tu-phap", [DatedCode("H46.01", "H46.01", None, None)], [DatedName("Sở", None, None)], _NOBODY, _BEGIN
    )
    await Sequencer(database, lambda: _BEGIN).give()
    async with database.transaction() as connection:
        position = await connection.fetchval("SELECT coalesce(max(position), 0) FROM kho.event")
        waiting: list[NewEvent] = []
        for number in range(size.documents):
            waiting += _document(data, agency, number, size)
            if len(waiting) >= _TOGETHER or number == size.documents - 1:
                position = await _write(connection, waiting, position)
                waiting = []
        await replay(connection)
    await database.execute("ANALYZE")
    await SegmentKeeper(SegmentFolder(data / "events"), database, store_id).keep()


def _document(data: Path, agency: Agency, number: int, size: Size) -> Iterator[NewEvent]:
    """Write the files of one document and yield its events: code taken, sealed, judged."""
    document_id, document_uuid, commit = uuid4(), time_ordered_uuid(), time_ordered_uuid()
    at = _BEGIN + timedelta(seconds=number)
    name = secrets.token_hex(8).upper()
    code = TakenCode(name, name, name, name, None)
    parts = tuple(_part(data, kind, at_place, size.page_bytes) for kind, at_place in _places(size.pages))
    upload = Upload(
        agency_uuid=agency.agency_uuid,
        document_id=document_id,
        version=1,
        reason=VersionReason.FIRST,
        reason_text=None,
        declaration=_declaration(agency.agency_uuid),
        pages=size.pages,
        renditions=1,
        first_rendition=1,
        sheets=size.pages,
        officer_id="cb-001",
        begun_at=at,
        lease_until=at,
        code=code,
    )
    sealed = {
        "commit_id": str(commit),
        "at": at.isoformat(),
        "officer_id": "cb-001",
        "station": "station",
        "scanned_at": at.isoformat(),
        "sheets": size.pages,
        "pages": size.pages,
    }
    content = manifest_bytes(
        repository_id="H46",
        agency=agency,
        upload=upload,
        document_uuid=str(document_uuid),
        sealed=sealed,
        parts=parts,
    )
    _put(data / manifest_path(agency.agency_uuid, document_id, 1, commit), content)
    version = StoredVersion(
        1,
        commit,
        VersionReason.FIRST,
        None,
        "cb-001",
        "station",
        at,
        at,
        size.pages,
        size.pages,
        Digest.of(content),
        parts,
    )
    yield NewEvent("document", str(document_id), "code_taken", _NOBODY, at, _taken(code, upload))
    payload = seal_payload(upload, document_uuid, version, True)
    yield NewEvent("document", str(document_uuid), "document_sealed", _NOBODY, at, payload)
    verdict = _verdict(document_uuid, parts[-1].digest, at)
    yield NewEvent("document", str(document_uuid), "verdict_appended", _NOBODY, at, verdict)


def _places(pages: int) -> Iterator[tuple[PartKind, int]]:
    for page in range(1, pages + 1):
        yield PartKind.PAGE, page
    yield PartKind.RENDITION, 1


def _part(data: Path, kind: PartKind, number: int, size_bytes: int) -> StoredPart:
    content = os.urandom(size_bytes)
    digest = Digest.of(content)
    _put(data / blob_path(digest.sha256), content)
    if kind is PartKind.PAGE:
        return StoredPart(PartId(kind, number), digest, "image/jpeg", None, None)
    return StoredPart(PartId(kind, number), digest, "application/pdf", None, RenditionRole.SIGNED)


def _put(path: Path, content: bytes) -> None:
    path.parent.mkdir(0o700, parents=True, exist_ok=True)
    path.write_bytes(content)
    path.chmod(0o444)


def _declaration(issuer: UUID) -> Declaration:
    owner = f"0{secrets.randbelow(10**11):011d}"
    result = ResultDeclaration("KQ.G15.000031", issuer, "H46.01", (Owner(owner, owner),), Outcome.GRANTED, *(None,) * 8)
    return Declaration(
        DocumentKind.RESULT,
        Lane.BACKLOG,
        "H46.01-260105-0001",
        "H46.01-260105-0001",
        "1.000894",
        "1.000894",
        None,
        None,
        None,
        result,
    )


def _taken(code: TakenCode, upload: Upload) -> dict[str, Any]:
    return {
        "key": code.key,
        "code": code.code,
        "public_code": code.public_code,
        "prefix_key": code.prefix_key,
        "sequence": None,
        "agency_uuid": str(upload.agency_uuid),
        "document_id": str(upload.document_id),
    }


def _verdict(document_uuid: UUID, digest: Digest, at: datetime) -> dict[str, Any]:
    return {
        "verdict_id": str(time_ordered_uuid()),
        "document_uuid": str(document_uuid),
        "version": 1,
        "sha256": digest.sha256,
        "indication": "TOTAL_PASSED",
        "sub_indication": None,
        "judged_at": at.isoformat(),
        "engine_version": "none",
        "policy_version": "none",
        "report": {},
        "state": "VALID",
        "judge_again_at": None,
    }


async def _write(connection: Connection, events: list[NewEvent], position: int) -> int:
    """Copy events in, each with the next position; returns the last one."""
    rows, said = [], []
    for event in events:
        position += 1
        salt = hashlib.sha256(event.event_id.bytes).digest()[:16]
        digest = commitment(salt, event.payload)
        rows.append((event.event_id, event.subject_kind, event.subject_id, event.kind, event.at, digest, position))
        said.append((event.event_id, salt, event.payload))
    columns = ["event_id", "subject_kind", "subject_id", "kind", "at", "commitment", "position"]
    await connection.copy_records_to_table("event", schema_name="kho", columns=columns, records=rows)
    await connection.executemany(
        "INSERT INTO kho.event_payload (event_id, salt, payload) VALUES ($1, $2, $3)", said, timeout=None
    )
    return position
