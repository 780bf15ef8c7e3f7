"""Answers of changing calls, kept in PostgreSQL."""

from datetime import datetime
from uuid import UUID

from kho_storage.catalog.database import Connection, Database
from kho_storage.catalog.statements import statements
from kho_storage.catalog_ports import AnswerBook
from kho_storage.records.access import KeptAnswer


async def keep_answer(connection: Connection, answer: KeptAnswer) -> None:
    """Keep an answer in the transaction of its change; Conflict("request_answered") leaves nothing of it."""
    await connection.execute(
        statements("answers")["keep_answer"],
        answer.scope,
        answer.request_id,
        answer.method,
        answer.fingerprint,
        answer.answer,
        answer.answered_at,
    )


class PostgresAnswerBook(AnswerBook):
    """Kept answers."""

    def __init__(self, database: Database) -> None:
        """Take an opened database."""
        self._database = database

    async def find(self, scope: UUID, request_id: UUID) -> KeptAnswer | None:
        """Return the kept answer of a request."""
        row = await self._database.fetch_one(statements("answers")["find_answer"], scope, request_id)
        return KeptAnswer(*row.values()) if row else None

    async def keep(self, answer: KeptAnswer) -> None:
        """Keep an answer; Conflict("request_answered") if the request has one already."""
        async with self._database.transaction() as connection:
            await keep_answer(connection, answer)

    async def forget_before(self, instant: datetime) -> int:
        """Forget answers older than an instant; returns how many."""
        row = await self._database.fetch_one(statements("answers")["forget_answers"], instant)
        assert row is not None
        return int(row["number"])
