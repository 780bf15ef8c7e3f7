"""A changing call is done once: the same request id answers the same again (AIP-155).

Three things together keep that promise. 1. In this server, two calls with one request id stand in line, so the second
finds the answer of the first. 2. Between servers, one answer is kept: who loses returns the winner's. 3. What is done
may be done again without a second effect, for a server can die between doing and keeping; a change that keeps its
answer in its own transaction has no such moment.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID, uuid5
from weakref import WeakValueDictionary

from kho_server.archive.caller import Caller
from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_storage.catalog_ports import AnswerBook
from kho_storage.errors import Conflict
from kho_storage.records.access import KeptAnswer


@dataclass(frozen=True, slots=True)
class Request:
    """A changing request; `fingerprint` is SHA-256 over everything that it asks for."""

    scope: UUID
    request_id: UUID
    method: str
    fingerprint: bytes

    @classmethod
    def parse(cls, caller: Caller, request_id: str, method: str, fingerprint: bytes) -> "Request":
        """Read the request id. Refusals: FIELD_REQUIRED, FIELD_MALFORMED."""
        return cls(caller.scope, parse_uuid("request_id", request_id), method, fingerprint)

    def kept(self, answer: bytes, at: datetime) -> KeptAnswer:
        """Return the answer as a change keeps it in its own transaction."""
        return KeptAnswer(self.scope, self.request_id, self.method, self.fingerprint, answer, at)

    def made_id(self, ordinal: int = 0) -> UUID:
        """Return the id of what this request makes: doing it again makes the same thing."""
        return uuid5(self.scope, f"{self.method} {self.request_id} {ordinal}")


class Once:
    """Does changing requests once."""

    def __init__(self, book: AnswerBook, clock: Callable[[], datetime]) -> None:
        """Hand in where answers are kept, and the time."""
        self._book = book
        self._clock = clock
        self._lines: WeakValueDictionary[tuple[UUID, UUID], asyncio.Lock] = WeakValueDictionary()

    async def answer(
        self, request: Request, do: Callable[[], Awaitable[bytes]], *, is_kept_by_do: bool = False
    ) -> bytes:
        """Return the kept answer of a request, or do it and keep its answer.

        `is_kept_by_do`: the change keeps `request.kept(...)` in its own transaction, and raises
        Conflict("request_answered") when it comes second. Refusal: REQUEST_ID_REUSED, for another request under this
        id. Whatever `do` raises passes through and keeps nothing: the request may be sent again.
        """
        # Whoever is in line holds the lock object, so it lives as long as there is a line.
        line = self._lines.setdefault((request.scope, request.request_id), asyncio.Lock())
        async with line:
            known = await self._known(request)
            if known is not None:
                return known
            try:
                answer = await do()
                if not is_kept_by_do:
                    await self._book.keep(request.kept(answer, self._clock()))
            except Conflict as conflict:
                if conflict.constraint != "request_answered":
                    raise
                known = await self._known(request)
                if known is None:
                    raise
                return known
            return answer

    async def _known(self, request: Request) -> bytes | None:
        known = await self._book.find(request.scope, request.request_id)
        if known is None:
            return None
        if (known.method, known.fingerprint) != (request.method, request.fingerprint):
            raise Refusal(Reason.REQUEST_ID_REUSED, field="request_id")
        return known.answer
