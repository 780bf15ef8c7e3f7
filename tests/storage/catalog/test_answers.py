"""Kept answers in PostgreSQL."""

import asyncio
from dataclasses import replace

import pytest

from kho_storage.catalog.answers import PostgresAnswerBook, keep_answer
from kho_storage.catalog.database import Database
from kho_storage.errors import Conflict
from tests.contracts.answer_book import AnswerBookContract, kept_answer


class TestPostgresAnswerBook(AnswerBookContract):
    """The contract, and what only a database has."""

    @pytest.fixture
    def book(self, catalog: Database) -> PostgresAnswerBook:
        """Give an empty book."""
        return PostgresAnswerBook(catalog)

    async def test_of_two_at_once_one_is_kept(self, book: PostgresAnswerBook) -> None:
        answer = kept_answer()
        rivals = [replace(answer, answer=bytes([number])) for number in range(6)]
        done = await asyncio.gather(*(book.keep(rival) for rival in rivals), return_exceptions=True)
        won = [rival for rival, outcome in zip(rivals, done, strict=True) if outcome is None]
        assert len(won) == 1
        assert await book.find(answer.scope, answer.request_id) == won[0]

    async def test_an_answer_goes_with_its_transaction(self, catalog: Database, book: PostgresAnswerBook) -> None:
        answer = kept_answer()

        async def change_that_fails() -> None:
            async with catalog.transaction() as connection:
                await keep_answer(connection, answer)
                raise Conflict("something else")

        with pytest.raises(Conflict):
            await change_that_fails()
        assert await book.find(answer.scope, answer.request_id) is None
