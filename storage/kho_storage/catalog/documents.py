"""Sealed documents and their results, in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from kho_storage.catalog.answers import keep_answer
from kho_storage.catalog.database import Connection, Database, Row
from kho_storage.catalog.document_rows import document_of, part_of, result_of, state_of, verdict_of, version_of
from kho_storage.catalog.gathered import Gathered
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.catalog.seal_json import seal_payload
from kho_storage.catalog.statements import statements
from kho_storage.document_ports import DocumentCatalog
from kho_storage.errors import Conflict
from kho_storage.records.access import KeptAnswer
from kho_storage.records.declaration_json import to_json
from kho_storage.records.document import (
    DocumentState,
    StoredDocument,
    StoredPart,
    StoredResult,
    StoredVersion,
    Upload,
)
from kho_storage.records.registry import Actor


class PostgresDocuments(DocumentCatalog):
    """DocumentCatalog on PostgreSQL; sealing is one transaction, whatever the number of pages."""

    def __init__(self, database: Database) -> None:
        """Work on an opened database."""
        self._database = database
        self._sql = statements("documents")
        self._results_asked: Gathered[str, StoredResult] = Gathered(self._results_of)

    async def seal(
        self,
        upload: Upload,
        document_uuid: UUID,
        version: StoredVersion,
        needs_verification: bool,
        actor: Actor,
        keep: KeptAnswer | None,
    ) -> None:
        """Write a sealed version; constraints decide between two who seal the same."""
        async with self._database.transaction() as connection:
            if keep is not None:
                await keep_answer(connection, keep)
            # First, so that whoever begins this upload anew, or abandons it, waits for the end of the transaction.
            await self._close(connection, upload)
            payload = seal_payload(upload, document_uuid, version, needs_verification)
            at, kind = version.sealed_at, "document_sealed"
            if version.version > 1:
                await self._must_follow(connection, document_uuid, version.version)
                kind = "version_sealed"
            elif upload.declaration.copy_of is not None:
                original_uuid, original_at = await self._original(connection, upload)
                payload["copy_of"] = str(original_uuid)
                # A rebuild meets events in order of time: the original first, whatever the clocks said.
                at = max(at, original_at + timedelta(microseconds=1))
            await record(
                connection, NewEvent("document", str(document_uuid), kind, actor, at, payload, version.reason_text)
            )
            if version.version == 1:
                # Asked last: the dossier's row has waited for others that name the same one.
                await self._dossier_must_fit(connection, upload)

    async def _close(self, connection: Connection, upload: Upload) -> None:
        closed = await connection.fetchval(
            statements("uploads")["close_upload"],
            upload.agency_uuid,
            upload.document_id,
            upload.version,
            upload.reason.value,
            upload.reason_text,
            to_json(upload.declaration),
            upload.pages,
            upload.renditions,
            upload.sheets,
        )
        if not closed:
            raise Conflict("upload_changed")

    async def _must_follow(self, connection: Connection, document_uuid: UUID, version: int) -> None:
        current = await connection.fetchval(self._sql["lock_document"], document_uuid)
        if current != version - 1:
            raise Conflict("document_version_taken")

    async def _dossier_must_fit(self, connection: Connection, upload: Upload) -> None:
        declaration = upload.declaration
        registered = await connection.fetchval(
            self._sql["dossier_procedure"], upload.agency_uuid, declaration.dossier_key
        )
        if registered != declaration.procedure_key:
            raise Conflict("dossier_procedure")

    async def _original(self, connection: Connection, upload: Upload) -> tuple[UUID, datetime]:
        row = await connection.fetchrow(self._sql["document_facts"], upload.agency_uuid, upload.declaration.copy_of)
        if row is None:
            raise Conflict("copy_of_unknown")
        return row["document_uuid"], row["created_at"]

    async def document(self, agency_uuid: UUID, document_id: UUID) -> StoredDocument | None:
        """Return an agency's document."""
        return await self._whole(await self._database.fetch_one(self._sql["document_by_id"], agency_uuid, document_id))

    async def document_by_uuid(self, document_uuid: UUID) -> StoredDocument | None:
        """Return a document by its opaque name."""
        return await self._whole(await self._database.fetch_one(self._sql["document_by_uuid"], document_uuid))

    async def _whole(self, row: Row | None) -> StoredDocument | None:
        if row is None:
            return None
        document_uuid = row["document_uuid"]
        async with self._database.connection() as connection:
            versions = await connection.fetch(self._sql["versions_of_document"], document_uuid)
            parts = await connection.fetch(self._sql["parts_of_document"], document_uuid)
            result = await connection.fetchrow(self._sql["result_of_document"], [document_uuid])
            verdict = await connection.fetchrow(self._sql["latest_verdict"], document_uuid, row["version"])
        of_version: dict[int, list[StoredPart]] = {}
        for part in parts:
            of_version.setdefault(part["version"], []).append(part_of(part))
        return document_of(
            row,
            versions=tuple(version_of(each, of_version.get(each["version"], [])) for each in versions),
            result=result_of(result) if result else None,
            verdict=verdict_of(verdict) if verdict else None,
        )

    async def state(self, document_uuid: UUID) -> tuple[int, DocumentState] | None:
        """Return newest version and state."""
        row = await self._database.fetch_one(self._sql["document_state"], document_uuid)
        return (row["version"], state_of(row)) if row else None

    async def documents(
        self,
        agency_uuid: UUID,
        dossier_key: str | None,
        state: DocumentState | None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> tuple[StoredDocument, ...]:
        """Return an agency's documents, newest first, with their results but without versions."""
        before_at, before_uuid = after or (None, None)
        arguments: list[Any] = [agency_uuid, state.value if state else None, before_at, before_uuid, limit]
        name = "documents_of_agency"
        if dossier_key is not None:
            name = "documents_of_dossier"
            arguments.append(dossier_key)
        async with self._database.connection() as connection:
            rows = await connection.fetch(self._sql[name], *arguments)
            results = await connection.fetch(self._sql["result_of_document"], [row["document_uuid"] for row in rows])
        by_uuid = {row["document_uuid"]: result_of(row) for row in results}
        return tuple(
            document_of(row, versions=(), result=by_uuid.get(row["document_uuid"]), verdict=None) for row in rows
        )

    async def dossier_procedure(self, agency_uuid: UUID, dossier_key: str) -> str | None:
        """Return the procedure of a dossier."""
        row = await self._database.fetch_one(self._sql["dossier_procedure"], agency_uuid, dossier_key)
        return row[0] if row else None

    async def results(self, keys: Sequence[str]) -> dict[str, StoredResult]:
        """Return results by either code."""
        found = await self._results_asked.find(keys)
        return {key: found[key] for key in keys if key in found}

    async def _results_of(self, keys: Sequence[str]) -> dict[str, StoredResult]:
        found: dict[str, StoredResult] = {}
        for row in await self._database.fetch(self._sql["results_by_code"], keys):
            found[row["code_key"]] = found[row["public_code"]] = result_of(row)
        return found

    async def is_referenced(self, sha256s: Sequence[str]) -> frozenset[str]:
        """Return the digests that some version needs."""
        rows = await self._database.fetch(self._sql["referenced_digests"], list(sha256s))
        return frozenset(row[0] for row in rows)

    async def commits(self, commit_ids: Sequence[UUID]) -> frozenset[UUID]:
        """Return the commit ids that happened."""
        rows = await self._database.fetch(self._sql["known_commits"], list(commit_ids))
        return frozenset(row[0] for row in rows)
