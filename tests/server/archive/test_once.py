"""A request is done once and answers the same, also when it is sent twice at once, to one server or to two."""

import asyncio
from datetime import UTC, datetime
from uuid import UUID, uuid4

import pytest

from kho_server.archive.once import Once, Request
from kho_server.archive.refusals import Reason, Refusal
from kho_storage.catalog.answers import PostgresAnswerBook, keep_answer
from kho_storage.catalog.database import Database
from kho_storage.catalog_ports import AnswerBook
from kho_storage.errors import CatalogUnavailable, Conflict
from kho_storage.records.access import KeptAnswer
from kho_storage.records.registry import PrincipalKind
from tests.doubles.memory_access import MemoryAnswerBook
from tests.server.archive.people import caller

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def once(book: AnswerBook) -> Once:
    """Return one server's."""
    return Once(book, lambda: NOW)


def request(fingerprint: bytes = b"\x01" * 32, request_id: UUID | None = None) -> Request:
    """Return a request."""
    return Request(UUID(int=7), request_id or uuid4(), "AddGrant", fingerprint)


class Work:
    """Counts how often it is done and answers differently each time."""

    def __init__(self) -> None:
        self.times = 0
        self.may_end = asyncio.Event()
        self.may_end.set()

    async def __call__(self) -> bytes:
        self.times += 1
        answer = b"answer %d" % self.times
        await self.may_end.wait()
        return answer


async def test_the_same_request_answers_the_same() -> None:
    server, work, asked = once(MemoryAnswerBook()), Work(), request()
    assert [await server.answer(asked, work) for _ in range(3)] == [b"answer 1"] * 3
    assert work.times == 1


async def test_two_at_once_are_done_once() -> None:
    server, work, asked = once(MemoryAnswerBook()), Work(), request()
    work.may_end.clear()
    both = [asyncio.create_task(server.answer(asked, work)) for _ in range(5)]
    await asyncio.sleep(0)
    work.may_end.set()
    assert await asyncio.gather(*both) == [b"answer 1"] * 5
    assert work.times == 1


async def test_different_requests_do_not_wait_for_each_other() -> None:
    server, slow, quick = once(MemoryAnswerBook()), Work(), Work()
    slow.may_end.clear()
    waiting = asyncio.create_task(server.answer(request(), slow))
    assert await server.answer(request(), quick) == b"answer 1"
    slow.may_end.set()
    await waiting


@pytest.mark.parametrize(
    "other",
    [
        Request(UUID(int=7), UUID(int=1), "AddGrant", b"\x02" * 32),
        Request(UUID(int=7), UUID(int=1), "RevokeGrant", b"\x01" * 32),
    ],
)
async def test_another_request_under_the_same_id_is_refused(other: Request) -> None:
    server, work = once(MemoryAnswerBook()), Work()
    await server.answer(request(request_id=UUID(int=1)), work)
    with pytest.raises(Refusal) as refused:
        await server.answer(other, work)
    assert refused.value.reason is Reason.REQUEST_ID_REUSED
    assert work.times == 1


async def test_request_ids_of_two_agencies_do_not_meet() -> None:
    server, work, asked = once(MemoryAnswerBook()), Work(), request()
    await server.answer(asked, work)
    other = Request(UUID(int=8), asked.request_id, asked.method, asked.fingerprint)
    assert await server.answer(other, work) == b"answer 2"


async def test_what_was_refused_is_not_kept() -> None:
    server, asked = once(MemoryAnswerBook()), request()

    async def refuse() -> bytes:
        raise Refusal(Reason.REGISTRATION_NOT_FOUND, kind="grant")

    with pytest.raises(Refusal):
        await server.answer(asked, refuse)
    assert await server.answer(asked, Work()) == b"answer 1"


async def test_two_servers_answer_the_same(catalog: Database) -> None:
    asked, work = request(), Work()
    servers = [once(PostgresAnswerBook(catalog)) for _ in range(4)]
    answers = await asyncio.gather(*(server.answer(asked, work) for server in servers))
    assert len(set(answers)) == 1


async def test_a_change_that_keeps_its_own_answer(catalog: Database) -> None:
    asked, done = request(), 0

    async def change() -> bytes:
        nonlocal done
        async with catalog.transaction() as connection:
            answer = uuid4().bytes
            await keep_answer(connection, asked.kept(answer, NOW))
        done += 1
        return answer

    servers = [once(PostgresAnswerBook(catalog)) for _ in range(4)]
    answers = await asyncio.gather(*(server.answer(asked, change, is_kept_by_do=True) for server in servers))
    assert len(set(answers)) == 1
    assert done == 1


async def test_a_server_that_dies_before_keeping_does_it_again() -> None:
    class GoneAfterwards(MemoryAnswerBook):
        async def keep(self, answer: KeptAnswer) -> None:
            raise CatalogUnavailable("PostgreSQL does not answer")

    work, asked, book = Work(), request(), MemoryAnswerBook()
    with pytest.raises(CatalogUnavailable):
        await once(GoneAfterwards()).answer(asked, work)
    assert await once(book).answer(asked, work) == b"answer 2"
    assert asked.made_id() == asked.made_id()
    assert asked.made_id(1) != asked.made_id(2)


async def test_another_conflict_passes_through() -> None:
    async def clash() -> bytes:
        raise Conflict("result_code_taken")

    with pytest.raises(Conflict):
        await once(MemoryAnswerBook()).answer(request(), clash)


@pytest.mark.parametrize(
    ("text", "reason"), [("", Reason.FIELD_REQUIRED), ("x", Reason.FIELD_MALFORMED), ("x" * 36, Reason.FIELD_MALFORMED)]
)
def test_a_request_id_is_a_uuid(text: str, reason: Reason) -> None:
    with pytest.raises(Refusal) as refused:
        Request.parse(caller(PrincipalKind.ADMINISTRATOR), text, "AddGrant", b"")
    assert refused.value.reason is reason
