"""Judgements, and what still has to be judged, in PostgreSQL."""

from datetime import datetime
from uuid import UUID

from kho_storage.catalog.database import Database
from kho_storage.catalog.document_rows import verdict_of
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.catalog.statements import statements
from kho_storage.digest import Digest
from kho_storage.document_ports import VerdictCatalog
from kho_storage.records.document import DocumentState, StoredVerdict, VerificationTask
from kho_storage.records.registry import Actor


class PostgresVerdicts(VerdictCatalog):
    """VerdictCatalog on PostgreSQL."""

    def __init__(self, database: Database) -> None:
        """Work on an opened database."""
        self._database = database
        self._sql = statements("documents")

    async def take_task(self, now: datetime) -> VerificationTask | None:
        """Take the task that is due longest."""
        row = await self._database.fetch_one(self._sql["take_task"], now)
        if row is None:
            return None
        return VerificationTask(
            row["document_uuid"], row["version"], Digest(row["sha256"], row["size_bytes"]), row["attempts"]
        )

    async def append(
        self,
        document_uuid: UUID,
        verdict: StoredVerdict,
        state: DocumentState,
        judge_again_at: datetime | None,
        actor: Actor,
    ) -> None:
        """Append a verdict with the state and the task that follow from it."""
        payload = {
            "verdict_id": str(verdict.verdict_id),
            "document_uuid": str(document_uuid),
            "version": verdict.version,
            "sha256": verdict.sha256,
            "indication": verdict.indication,
            "sub_indication": verdict.sub_indication,
            "judged_at": verdict.judged_at.isoformat(),
            "engine_version": verdict.engine_version,
            "policy_version": verdict.policy_version,
            "report": verdict.report,
            "state": state.value,
            "judge_again_at": judge_again_at.isoformat() if judge_again_at else None,
        }
        event = NewEvent("document", str(document_uuid), "verdict_appended", actor, verdict.judged_at, payload)
        async with self._database.transaction() as connection:
            await record(connection, event)

    async def postpone(self, document_uuid: UUID, version: int, due_at: datetime) -> None:
        """Give a task back, due again later."""
        await self._database.execute(self._sql["postpone_task"], document_uuid, version, due_at)

    async def release_started(self) -> int:
        """Give back what a dead server held."""
        async with self._database.connection() as connection:
            status = await connection.execute(self._sql["release_tasks"])
        return int(status.rpartition(" ")[2])

    async def verdicts(
        self, document_uuid: UUID, after: tuple[datetime, UUID] | None, limit: int
    ) -> tuple[StoredVerdict, ...]:
        """Return the verdicts on a document, newest first."""
        before_at, before_id = after or (None, None)
        rows = await self._database.fetch(self._sql["verdicts_of_document"], document_uuid, before_at, before_id, limit)
        return tuple(verdict_of(row) for row in rows)
