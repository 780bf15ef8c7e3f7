"""What every answer book does."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from kho_storage.catalog_ports import AnswerBook
from kho_storage.errors import Conflict
from kho_storage.records.access import KeptAnswer

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def kept_answer() -> KeptAnswer:
    """Return an answer of some request."""
    return KeptAnswer(uuid4(), uuid4(), "AddGrant", b"\x07" * 32, b"answer", NOW)


class AnswerBookContract:
    """A test file of an answer book inherits this and gives the fixture `book`."""

    async def test_what_was_kept_is_found(self, book: AnswerBook) -> None:
        answer = kept_answer()
        assert await book.find(answer.scope, answer.request_id) is None
        await book.keep(answer)
        assert await book.find(answer.scope, answer.request_id) == answer

    async def test_request_ids_of_two_agencies_do_not_meet(self, book: AnswerBook) -> None:
        answer = kept_answer()
        other = replace(answer, scope=uuid4(), answer=b"other")
        await book.keep(answer)
        await book.keep(other)
        assert await book.find(other.scope, other.request_id) == other
        assert await book.find(answer.scope, answer.request_id) == answer

    async def test_a_request_is_answered_once(self, book: AnswerBook) -> None:
        answer = kept_answer()
        await book.keep(answer)
        with pytest.raises(Conflict) as refused:
            await book.keep(replace(answer, answer=b"another"))
        assert refused.value.constraint == "request_answered"
        assert await book.find(answer.scope, answer.request_id) == answer

    async def test_old_answers_are_forgotten(self, book: AnswerBook) -> None:
        old, young = kept_answer(), replace(kept_answer(), answered_at=NOW + timedelta(days=1))
        await book.keep(old)
        await book.keep(young)
        assert await book.forget_before(young.answered_at) == 1
        assert await book.find(old.scope, old.request_id) is None
        assert await book.find(young.scope, young.request_id) == young
