"""Finding results by code, for those who may see them; for everyone else they are not there."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

from kho_server.archive.access_decision import DocumentFacts
from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.disclosure import Asked, Disclosure, Purpose
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.rules.errors import RuleViolation
from kho_server.rules.legal_days import legal_day, parse_day
from kho_server.rules.public_code import PublicCode
from kho_server.rules.text import clean_code, matching_key
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.document_ports import DocumentCatalog
from kho_storage.records.access import AccessAction, AccessOutcome, AccessRecord
from kho_storage.records.document import StoredResult
from kho_storage.records.registry import Officer

_MAX_CODE_CHARS = 120


@dataclass(frozen=True, slots=True)
class Found:
    """A result that the caller may see, with the record of it."""

    result: StoredResult
    record: AccessRecord
    is_own: bool


class Lookup:
    """Looks results up. No answer is kept anywhere: each one is as true as the database at that moment."""

    def __init__(
        self,
        documents: DocumentCatalog,
        registry: RegistryCatalog,
        disclosure: Disclosure,
        clock: Callable[[], datetime],
        batch_lines: int,
    ) -> None:
        """`batch_lines` is the most codes in one call."""
        self._documents = documents
        self._registry = registry
        self._disclosure = disclosure
        self._clock = clock
        self._batch_lines = batch_lines

    def day(self, text: str) -> date:
        """Return the legal day to judge validity on: the one named, else today in Asia/Ho_Chi_Minh."""
        return parse_day("on", text) if text else legal_day(self._clock())

    async def officer(self, caller: Caller, officer_id: str) -> Officer:
        """Return the acting officer. Refusals: OFFICER_REQUIRED, OFFICER_NOT_ACCEPTED."""
        return await acting_officer(caller, officer_id, self._registry, legal_day(self._clock()))

    async def one(
        self, caller: Caller, officer: Officer, code: str, action: AccessAction, purpose: Purpose | None = None
    ) -> Found:
        """Return one result. Refusals: FIELD_REQUIRED, FIELD_TOO_LONG, CONTROL_CHARACTER, RESULT_NOT_FOUND."""
        answer = (await self._many(caller, officer, [code], action, purpose))[0]
        if isinstance(answer, Found):
            return answer
        raise answer

    async def batch(
        self, caller: Caller, officer: Officer, codes: Sequence[str]
    ) -> list["Found | Refusal | RuleViolation"]:
        """Return one answer or refusal per code, order kept. Refusals: BATCH_TOO_LARGE, FIELD_REQUIRED."""
        if not codes:
            raise Refusal(Reason.FIELD_REQUIRED, field="codes")
        if len(codes) > self._batch_lines:
            raise Refusal(Reason.BATCH_TOO_LARGE, field="codes", limit=self._batch_lines)
        return await self._many(caller, officer, codes, AccessAction.LOOKUP, None)

    async def _many(
        self,
        caller: Caller,
        officer: Officer,
        codes: Sequence[str],
        action: AccessAction,
        purpose: Purpose | None,
    ) -> list["Found | Refusal | RuleViolation"]:
        """Ask the catalog once, decide once, record once, whatever the number of codes."""
        answers: list[Found | Refusal | RuleViolation | None] = []
        keys: list[tuple[str, ...]] = []
        for code in codes:
            try:
                keys.append(_keys_of(code))
                answers.append(None)
            except (Refusal, RuleViolation) as refusal:
                keys.append(())
                answers.append(refusal)
        stored = await self._documents.results([key for each in keys for key in each])
        now = self._clock()
        positions = [position for position, answer in enumerate(answers) if answer is None]
        found = {position: _first(stored, keys[position]) for position in positions}
        asked = [_asked(keys[position][0], found[position], now) for position in positions]
        records = await self._disclosure.decide(caller, officer, action, asked, purpose)
        for position, record in zip(positions, records, strict=True):
            result = found[position]
            if result is not None and record.outcome is AccessOutcome.DISCLOSED:
                answers[position] = Found(result, record, result.agency_uuid == caller.principal.agency_uuid)
            else:
                answers[position] = Absent(Reason.RESULT_NOT_FOUND)
        return [answer for answer in answers if answer is not None]


def _keys_of(code: str) -> tuple[str, ...]:
    """Return the keys that a code may stand under: result code, and public code if it can be one."""
    cleaned = clean_code("code", code, _MAX_CODE_CHARS)
    if not cleaned:
        raise Refusal(Reason.FIELD_REQUIRED, field="code")
    keys = [matching_key(cleaned)]
    try:
        keys.append(PublicCode.parse(cleaned).key)
    except RuleViolation:
        # Not a public code; then it is a result code or nothing.
        return tuple(keys)
    return tuple(keys)


def _first(stored: dict[str, StoredResult], keys: tuple[str, ...]) -> StoredResult | None:
    return next((stored[key] for key in keys if key in stored), None)


def _asked(what: str, result: StoredResult | None, now: datetime) -> Asked:
    if result is None:
        return Asked(what, None)
    return Asked(what, DocumentFacts.of_result(result, legal_day(now)), result.document_uuid, result.version)
