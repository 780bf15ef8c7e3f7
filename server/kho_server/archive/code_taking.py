"""How a document gets its result code and its public code."""

from collections.abc import Callable
from datetime import datetime
from uuid import UUID

from kho_server.archive.declaring import Declared
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rules.public_code import PublicCode
from kho_server.rules.result_code_template import ResultCodeTemplate
from kho_storage.document_ports import UploadCatalog
from kho_storage.errors import Conflict
from kho_storage.records.document import Declaration, TakenCode
from kho_storage.records.registry import Actor

# Two desks that ask for the same owner and type at once step on each other at most a few times.
_ATTEMPTS = 32


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
        first = None
        for attempt in range(_ATTEMPTS):
            public = PublicCode.draw(self._repository_id, self._random_bytes).key
            if result.given_code is not None:
                code = TakenCode(result.given_code.code, result.given_code.key, public, result.given_code.key, None)
            else:
                series = self._template.series(declared.owner, result_type)
                if first is None:
                    first = await self._uploads.last_sequence(series) + 1
                sequence = first + attempt
                text = self._template.render(declared.owner, result_type, sequence)
                code = TakenCode(text.text, text.key, public, series, sequence)
            try:
                return await self._uploads.take_code(agency_uuid, document_id, code, actor, at)
            except Conflict as conflict:
                if conflict.constraint == "result_code_taken" and result.given_code is not None:
                    await self._uploads.report_clash(agency_uuid, code.key, actor, at)
                    self._on_clash()
                    raise Refusal(Reason.CODE_NOT_ACCEPTED, field="document.result.given_code") from conflict
                if conflict.constraint not in ("result_code_taken", "public_code_taken"):
                    raise
        raise Refusal(Reason.CODE_NOT_ACCEPTED, field="document.result.type_code")


def _names(declaration: Declaration | None) -> tuple[str, str] | None:
    """Return what a code may name of a declaration: its first owner and its type."""
    result = declaration.result if declaration is not None else None
    if result is None:
        return None
    return (result.owners[0].key if result.owners else "", result.type_code)
