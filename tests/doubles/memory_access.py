"""Access log and answer book without a database; they pass the contracts of the real ones."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kho_storage.catalog_ports import AccessLog, AnswerBook
from kho_storage.errors import Conflict
from kho_storage.records.access import AccessRecord, KeptAnswer, ListedAccess


class MemoryAccessLog(AccessLog):
    """Records in the order in which they came; agencies have no ids here."""

    def __init__(self) -> None:
        """Begin without records."""
        self.records: list[AccessRecord] = []
        self.bytes_sent: dict[UUID, int] = {}

    async def record(self, records: Sequence[AccessRecord]) -> None:
        """Take records."""
        self.records.extend(records)

    async def close(self, access_id: UUID, at: datetime, closed_at: datetime, bytes_sent: int) -> None:
        """Take what left."""
        self.bytes_sent.setdefault(access_id, bytes_sent)

    async def of_document(
        self, document_uuid: UUID, after: tuple[datetime, UUID] | None, limit: int
    ) -> tuple[ListedAccess, ...]:
        """Return a document's records, newest first."""
        found = [record for record in self.records if record.document_uuid == document_uuid]
        found = [record for record in found if after is None or (record.at, record.access_id) < after]
        found.sort(key=lambda record: (record.at, record.access_id), reverse=True)
        return tuple(ListedAccess(record, None, self.bytes_sent.get(record.access_id)) for record in found[:limit])


class MemoryAnswerBook(AnswerBook):
    """Answers in a dictionary."""

    def __init__(self) -> None:
        """Begin without answers."""
        self.answers: dict[tuple[UUID, UUID], KeptAnswer] = {}

    async def find(self, scope: UUID, request_id: UUID) -> KeptAnswer | None:
        """Return the kept answer of a request."""
        return self.answers.get((scope, request_id))

    async def keep(self, answer: KeptAnswer) -> None:
        """Keep an answer unless there is one."""
        if self.answers.setdefault((answer.scope, answer.request_id), answer) is not answer:
            raise Conflict("request_answered")

    async def forget_before(self, instant: datetime) -> int:
        """Forget old answers."""
        old = [key for key, answer in self.answers.items() if answer.answered_at < instant]
        for key in old:
            del self.answers[key]
        return len(old)
