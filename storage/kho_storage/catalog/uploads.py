"""Uploads under way and the codes they take, in PostgreSQL."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from kho_storage.catalog.answers import keep_answer
from kho_storage.catalog.database import Database, Row
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.catalog.statements import statements
from kho_storage.document_ports import Forget, UploadCatalog
from kho_storage.errors import Conflict
from kho_storage.records.access import KeptAnswer
from kho_storage.records.declaration_json import from_json, to_json
from kho_storage.records.document import TakenCode, Upload, VersionReason
from kho_storage.records.registry import Actor


class PostgresUploads(UploadCatalog):
    """UploadCatalog on PostgreSQL; Begin costs one transaction, pages cost none."""

    def __init__(self, database: Database) -> None:
        """Work on an opened database."""
        self._database = database
        self._sql = statements("uploads")

    async def open(self, upload: Upload, keep: KeptAnswer | None, forget_parts: Forget) -> Upload:
        """Open or renew an upload; the row is held meanwhile, so that sealing and abandoning wait."""
        name = (upload.agency_uuid, upload.document_id)
        async with self._database.transaction() as connection:
            if keep is not None:
                await keep_answer(connection, keep)
            standing = await connection.fetchval(self._sql["lock_upload"], *name)
            begun_at = await connection.fetchval(
                self._sql["open_upload"],
                upload.agency_uuid,
                upload.document_id,
                upload.version,
                upload.reason.value,
                upload.reason_text,
                to_json(upload.declaration),
                upload.pages,
                upload.renditions,
                upload.first_rendition,
                upload.sheets,
                upload.officer_id,
                upload.begun_at,
                upload.lease_until,
            )
            if begun_at is None:
                raise Conflict("upload_version")
            if (await connection.fetchval(self._sql["sealed_version"], *name) or 0) != upload.version - 1:
                raise Conflict("document_version_taken")
            if standing is not None and standing != upload.reason.value:
                await forget_parts()
            row = await connection.fetchrow(self._sql["find_upload"], *name)
        assert row is not None
        return _upload(row)

    async def find(self, agency_uuid: UUID, document_id: UUID) -> Upload | None:
        """Return an upload with its code."""
        row = await self._database.fetch_one(self._sql["find_upload"], agency_uuid, document_id)
        return _upload(row) if row else None

    async def renew(self, agency_uuid: UUID, document_id: UUID, version: int, lease_until: datetime) -> bool:
        """Extend a lease."""
        statement = self._sql["renew_lease"]
        row = await self._database.fetch_one(statement, agency_uuid, document_id, version, lease_until)
        return row is not None

    async def take_code(
        self, agency_uuid: UUID, document_id: UUID, code: TakenCode, actor: Actor, at: datetime
    ) -> TakenCode:
        """Take a code; the primary key decides between two who want it."""
        standing = await self.code_of(agency_uuid, document_id)
        if standing is not None:
            return standing
        try:
            async with self._database.transaction() as connection:
                await record(connection, _code_taken(agency_uuid, document_id, code, actor, at))
        except Conflict as conflict:
            return await self._code_standing(conflict, agency_uuid, document_id)
        return code

    async def take_next_code(
        self,
        agency_uuid: UUID,
        document_id: UUID,
        series: str,
        make: Callable[[int], TakenCode],
        actor: Actor,
        at: datetime,
    ) -> TakenCode:
        """Take the next code of a series; a lock of the transaction keeps the line."""
        try:
            async with self._database.transaction() as connection:
                await connection.execute(self._sql["lock_series"], series)
                code = make(await connection.fetchval(self._sql["last_sequence"], series) + 1)
                while await connection.fetchval(self._sql["is_code_taken"], code.key):
                    assert code.sequence is not None
                    code = make(code.sequence + 1)
                await record(connection, _code_taken(agency_uuid, document_id, code, actor, at))
        except Conflict as conflict:
            return await self._code_standing(conflict, agency_uuid, document_id)
        return code

    async def _code_standing(self, conflict: Conflict, agency_uuid: UUID, document_id: UUID) -> TakenCode:
        """Return the code that a document took meanwhile; any other conflict is raised again."""
        standing = await self.code_of(agency_uuid, document_id)
        if conflict.constraint != "result_code_of_document" or standing is None:
            raise conflict
        return standing

    async def code_of(self, agency_uuid: UUID, document_id: UUID) -> TakenCode | None:
        """Return a document's code."""
        row = await self._database.fetch_one(self._sql["code_of_document"], agency_uuid, document_id)
        return _code(row) if row else None

    async def report_clash(self, agency_uuid: UUID, code_key: str, actor: Actor, at: datetime) -> None:
        """Record a clash as an event of its own; nothing is projected from it."""
        event = NewEvent(
            "agency",
            str(agency_uuid),
            "code_clash",
            actor,
            at,
            {"agency_uuid": str(agency_uuid), "key": code_key},
        )
        async with self._database.transaction() as connection:
            await record(connection, event)

    async def expired(self, now: datetime, limit: int) -> tuple[Upload, ...]:
        """Return uploads whose lease has ended."""
        return tuple(_upload(row) for row in await self._database.fetch(self._sql["expired_uploads"], now, limit))

    async def abandon(self, agency_uuid: UUID, document_id: UUID, now: datetime, forget_parts: Forget) -> bool:
        """Forget an upload if its lease has still ended; its row is held until its parts are gone."""
        async with self._database.transaction() as connection:
            row = await connection.fetchrow(self._sql["abandon_upload"], agency_uuid, document_id, now)
            if row is not None:
                await forget_parts()
        return row is not None

    async def await_seals(self, uploads: Sequence[tuple[UUID, UUID]]) -> None:
        """Wait for whoever holds the rows of these uploads."""
        agencies, documents = [each[0] for each in uploads], [each[1] for each in uploads]
        await self._database.fetch(self._sql["await_seals"], agencies, documents)

    async def count(self) -> int:
        """Return how many uploads are open."""
        row = await self._database.fetch_one(self._sql["count_uploads"])
        return int(row[0]) if row else 0


def _code_taken(agency_uuid: UUID, document_id: UUID, code: TakenCode, actor: Actor, at: datetime) -> NewEvent:
    payload = {
        "key": code.key,
        "code": code.code,
        "public_code": code.public_code,
        "prefix_key": code.prefix_key,
        "sequence": code.sequence,
        "agency_uuid": str(agency_uuid),
        "document_id": str(document_id),
    }
    return NewEvent("document", str(document_id), "code_taken", actor, at, payload)


def _upload(row: Row) -> Upload:
    return Upload(
        agency_uuid=row["agency_uuid"],
        document_id=row["document_id"],
        version=row["version"],
        reason=VersionReason(row["reason"]),
        reason_text=row["reason_text"],
        declaration=from_json(row["declaration"]),
        pages=row["pages"],
        renditions=row["renditions"],
        first_rendition=row["first_rendition"],
        sheets=row["sheets"],
        officer_id=row["officer_id"],
        begun_at=row["begun_at"],
        lease_until=row["lease_until"],
        code=_code(row) if row["code_key"] is not None else None,
    )


def _code(row: Row) -> TakenCode:
    return TakenCode(row["code"], row["code_key"], row["public_code"], row["prefix_key"], row["sequence"])
