"""How a document gets its result code and its public code."""

import asyncio
from collections.abc import Callable
from datetime import datetime
from uuid import UUID
from weakref import WeakValueDictionary

from kho_server.archive.declaring import Declared
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rules.owner_id import OwnerId
from kho_server.rules.public_code import PublicCode
from kho_server.rules.result_code_template import ResultCodeTemplate
from kho_server.rules.result_type import ResultType
from kho_storage.document_ports import UploadCatalog
from kho_storage.errors import Conflict
from kho_storage.records.document import Declaration, GivenCode, TakenCode
from kho_storage.records.registry import Actor

# A public code that somebody has is drawn again, and so is a made code that an issuer gave this very moment; both
# once in a blue moon.
_DRAWS = 8


class CodeTaker:
    """Gives codes by the repository's template, or takes the one that the issuer gave."""

    def __init__(
        self,
        uploads: UploadCatalog,
        template: ResultCodeTemplate,
        repository_id: str,
        random_bytes: Callable[[int], bytes],
        on_clash: Callable[[], None] = lambda: None,
    ) -> None:
        """Hand in where codes are kept, how they look, and where chance comes from."""
        self._uploads = uploads
        self._template = template
        self._repository_id = repository_id
        self._random_bytes = random_bytes
        self._on_clash = on_clash
        # One of a series at a time: who stands in line here holds no connection to the database meanwhile.
        self._lines: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()

    async def take(
        self,
        agency_uuid: UUID,
        document_id: UUID,
        declared: Declared,
        before: Declaration | None,
        actor: Actor,
        at: datetime,
    ) -> TakenCode | None:
        """Return the document's code, taken now unless it has one; None for processing records.

        `before` is what the open upload of this document declares, if there is one. Refusal: CODE_NOT_ACCEPTED for a
        given code that somebody has, or that is not the one reserved before; also when the code reserved before names
        another owner or type than is declared now. A clash is shown to operators; the caller is not told whose the
        code is.
        """
        result = declared.declaration.result
        result_type = declared.result_type
        if result is None or result_type is None:
            return None
        standing = await self._uploads.code_of(agency_uuid, document_id)
        if standing is not None:
            if result.given_code is not None and result.given_code.key != standing.key:
                raise Refusal(Reason.CODE_NOT_ACCEPTED, field="document.result.given_code")
            # The template may have changed since; a code that names the same is kept all the same.
            names_the_same = _names(before) == _names(declared.declaration)
            series = self._template.series(declared.owner, result_type)
            if standing.sequence is not None and standing.prefix_key != series and not names_the_same:
                raise Refusal(Reason.CODE_NOT_ACCEPTED, field="document.result.owner_ids")
            return standing
        if result.given_code is not None:
            return await self._take_given(agency_uuid, document_id, result.given_code, actor, at)
        return await self._take_next(agency_uuid, document_id, declared.owner, result_type, actor, at)

    async def _take_given(
        self, agency_uuid: UUID, document_id: UUID, given: GivenCode, actor: Actor, at: datetime
    ) -> TakenCode:
        for _ in range(_DRAWS):
            code = TakenCode(given.code, given.key, self._draw(), given.key, None)
            try:
                return await self._uploads.take_code(agency_uuid, document_id, code, actor, at)
            except Conflict as conflict:
                if conflict.constraint == "result_code_taken":
                    await self._uploads.report_clash(agency_uuid, code.key, actor, at)
                    self._on_clash()
                    break
                if conflict.constraint != "public_code_taken":
                    raise
        raise Refusal(Reason.CODE_NOT_ACCEPTED, field="document.result.given_code")

    async def _take_next(
        self,
        agency_uuid: UUID,
        document_id: UUID,
        owner: OwnerId | None,
        result_type: ResultType,
        actor: Actor,
        at: datetime,
    ) -> TakenCode:
        series = self._template.series(owner, result_type)

        def make(sequence: int) -> TakenCode:
            code = self._template.render(owner, result_type, sequence)
            return TakenCode(code.text, code.key, self._draw(), series, sequence)

        line = self._lines.setdefault(series, asyncio.Lock())
        for _ in range(_DRAWS):
            try:
                async with line:
                    return await self._uploads.take_next_code(agency_uuid, document_id, series, make, actor, at)
            except Conflict as conflict:
                if conflict.constraint not in ("result_code_taken", "public_code_taken"):
                    raise
        raise Refusal(Reason.CODE_NOT_ACCEPTED, field="document.result.type_code")

    def _draw(self) -> str:
        return PublicCode.draw(self._repository_id, self._random_bytes).key


def _names(declaration: Declaration | None) -> tuple[str, str] | None:
    """Return what a code may name of a declaration: its first owner and its type."""
    result = declaration.result if declaration is not None else None
    if result is None:
        return None
    return (result.owners[0].key if result.owners else "", result.type_code)
