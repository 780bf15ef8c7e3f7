"""Opening uploads: a new document, an added rendition, a correction."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.code_taking import CodeTaker
from kho_server.archive.declaring import Declared, SaidOfDocument, declare
from kho_server.archive.limits import UploadLimits
from kho_server.archive.once import Request
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.legal_days import legal_day
from kho_server.rules.text import clean_text, matching_key
from kho_storage.catalog_ports import AnswerBook, RegistryCatalog
from kho_storage.document_ports import DocumentCatalog, UploadCatalog
from kho_storage.errors import Conflict
from kho_storage.parts import SpooledPart, UploadId
from kho_storage.ports import UploadSpool
from kho_storage.records.document import (
    Declaration,
    DocumentState,
    StoredDocument,
    StoredVersion,
    TakenCode,
    Upload,
    VersionReason,
)

_MAX_REASON = 500


@dataclass(frozen=True, slots=True)
class Begun:
    """What the server holds of an upload; of a sealed document only version, code and state."""

    version: int
    parts: tuple[SpooledPart, ...]
    lease_until: datetime
    code: TakenCode | None
    sealed_state: DocumentState | None
    first_rendition: int = 1
    warnings: tuple[CodeWarning, ...] = ()


class Beginning:
    """The use cases that open a version; everything about its bytes is the spool's business."""

    def __init__(
        self,
        *,
        uploads: UploadCatalog,
        documents: DocumentCatalog,
        registry: RegistryCatalog,
        answers: AnswerBook,
        spool: UploadSpool,
        codes: CodeTaker,
        limits: UploadLimits,
        clock: Callable[[], datetime],
        admit: Callable[[], None],
    ) -> None:
        """`admit` raises STORAGE_FULL when the disk has no room for uploads."""
        self._uploads = uploads
        self._documents = documents
        self._registry = registry
        self._answers = answers
        self._spool = spool
        self._codes = codes
        self._limits = limits
        self._clock = clock
        self._admit = admit

    async def begin(
        self,
        caller: Caller,
        request_id: str,
        officer_id: str,
        document_id: str,
        said: SaidOfDocument,
        pages: int,
        renditions: int,
    ) -> Begun:
        """Open a new document, or find it again and tell what is persisted. Errors: those of UploadService.Begin."""
        now = self._clock()
        today = legal_day(now)
        document = parse_uuid("document_id", document_id)
        request = parse_uuid("request_id", request_id)
        self._check_counts(pages, renditions, said.sheets)
        officer = await acting_officer(caller, officer_id, self._registry, today)
        declared = await declare(said, caller, self._registry, today)
        sealed = await self._documents.document(caller.agency_uuid, document)
        if sealed is not None:
            return self._sealed_already(sealed, declared, now)
        self._admit()
        await self._references_must_fit(caller, declared.declaration)
        standing = await self._uploads.find(caller.agency_uuid, document)
        before = standing.declaration if standing is not None else None
        actor = caller.actor(officer.officer_id)
        code = await self._codes.take(caller.agency_uuid, document, declared, before, actor, now)
        upload = Upload(
            agency_uuid=caller.agency_uuid,
            document_id=document,
            version=1,
            reason=VersionReason.FIRST,
            reason_text=None,
            declaration=declared.declaration,
            pages=pages,
            renditions=renditions,
            first_rendition=1,
            sheets=said.sheets,
            officer_id=officer.officer_id,
            begun_at=now,
            lease_until=now + self._limits.lease,
            code=code,
        )
        asked = (document, declared.declaration, pages, renditions, said.sheets, officer.officer_id)
        try:
            opened = await self._open(Request(caller.scope, request, "Begin", _fingerprint(asked)), upload)
        except Conflict as conflict:
            _must_be_of_versions(conflict)
            sealed = await self._documents.document(caller.agency_uuid, document)
            if sealed is None:
                raise Refusal(Reason.VERSION_CONFLICT, current_version=0) from conflict
            return self._sealed_already(sealed, declared, now)
        return await self._begun(opened, declared.warnings)

    async def add_rendition(
        self, caller: Caller, request_id: str, officer_id: str, document_id: str, base_version: int, renditions: int
    ) -> Begun:
        """Open a version that keeps all parts and adds renditions. Errors: those of DocumentService.AddRendition."""
        if renditions == 0:
            raise Refusal(Reason.NOTHING_DECLARED)
        base, officer = await self._base(caller, officer_id, document_id)
        asked = (base.document_id, base_version, renditions, officer)
        request = Request.parse(caller, request_id, "AddRendition", _fingerprint(asked))
        if base.version != base_version:
            return await self._sealed_since(request, base, base_version, VersionReason.RENDITION_ADDED)
        newest = base.versions[-1]
        first = _first_rendition(newest)
        if first + renditions - 1 > self._limits.renditions:
            raise Refusal(Reason.FIELD_TOO_LONG, field="renditions", limit=self._limits.renditions)
        return await self._next_version(
            request,
            base,
            officer,
            reason=VersionReason.RENDITION_ADDED,
            reason_text=None,
            pages=newest.pages,
            renditions=renditions,
            first_rendition=first,
            sheets=newest.sheets,
            scanned_at=newest.scanned_at,
        )

    async def correct(
        self,
        caller: Caller,
        request_id: str,
        officer_id: str,
        document_id: str,
        base_version: int,
        reason: str,
        pages: int,
        renditions: int,
        sheets: int,
    ) -> Begun:
        """Open a version that replaces all parts. Errors: those of DocumentService.CorrectDocument."""
        if not reason:
            raise Refusal(Reason.FIELD_REQUIRED, field="reason")
        reason_text = clean_text("reason", reason, _MAX_REASON, required=True)
        self._check_counts(pages, renditions, sheets)
        base, officer = await self._base(caller, officer_id, document_id)
        asked = (base.document_id, base_version, reason_text, pages, renditions, sheets, officer)
        request = Request.parse(caller, request_id, "CorrectDocument", _fingerprint(asked))
        if base.version != base_version:
            return await self._sealed_since(request, base, base_version, VersionReason.CORRECTED)
        return await self._next_version(
            request,
            base,
            officer,
            reason=VersionReason.CORRECTED,
            reason_text=reason_text,
            pages=pages,
            renditions=renditions,
            first_rendition=1,
            sheets=sheets,
            scanned_at=None,
        )

    async def _references_must_fit(self, caller: Caller, declaration: Declaration) -> None:
        """Refuse now what sealing would refuse after two hundred pages: DOSSIER_CONFLICT, FIELD_MALFORMED."""
        registered = await self._documents.dossier_procedure(declaration.dossier_key)
        if registered is not None and registered != declaration.procedure_key:
            raise Refusal(Reason.DOSSIER_CONFLICT, field="document.dossier_code")
        original = declaration.copy_of
        if original is not None and await self._documents.document(caller.agency_uuid, original) is None:
            raise Refusal(Reason.FIELD_MALFORMED, field="document.copy_of")

    async def _base(self, caller: Caller, officer_id: str, document_id: str) -> tuple[StoredDocument, str]:
        document = parse_uuid("document_id", document_id)
        officer = await acting_officer(caller, officer_id, self._registry, legal_day(self._clock()))
        base = await self._documents.document(caller.agency_uuid, document)
        if base is None:
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        return base, officer.officer_id

    async def _sealed_since(
        self, request: Request, sealed: StoredDocument, base_version: int, reason: VersionReason
    ) -> Begun:
        """Answer a request again whose version has been sealed since. Refusal: VERSION_CONFLICT for a new one."""
        is_known = await self._is_known(request)
        made = next((each for each in sealed.versions if each.version == base_version + 1), None)
        if not is_known or made is None or made.reason is not reason:
            raise Refusal(Reason.VERSION_CONFLICT, current_version=sealed.version)
        first = _first_rendition(sealed.versions[base_version - 1]) if reason is VersionReason.RENDITION_ADDED else 1
        lease_until = self._clock() + self._limits.lease
        return Begun(made.version, (), lease_until, _code_of(sealed), sealed.state, first_rendition=first)

    async def _next_version(
        self,
        request: Request,
        base: StoredDocument,
        officer_id: str,
        *,
        reason: VersionReason,
        reason_text: str | None,
        pages: int,
        renditions: int,
        first_rendition: int,
        sheets: int,
        scanned_at: datetime | None,
    ) -> Begun:
        self._admit()
        now = self._clock()
        upload = Upload(
            agency_uuid=base.agency_uuid,
            document_id=base.document_id,
            version=base.version + 1,
            reason=reason,
            reason_text=reason_text,
            declaration=_declaration_of(base, scanned_at),
            pages=pages,
            renditions=renditions,
            first_rendition=first_rendition,
            sheets=sheets,
            officer_id=officer_id,
            begun_at=now,
            lease_until=now + self._limits.lease,
            code=None,
        )
        try:
            return await self._begun(await self._open(request, upload), ())
        except Conflict as conflict:
            _must_be_of_versions(conflict)
            newest = await self._documents.state(base.document_uuid)
            current = newest[0] if newest is not None else base.version
            raise Refusal(Reason.VERSION_CONFLICT, current_version=current) from conflict

    async def _open(self, request: Request, upload: Upload) -> Upload:
        """Open with the request id kept; the same id for another request is refused, for the same one is fine.

        Conflict("upload_version" | "document_version_taken"): as of the port.
        """
        upload_id = UploadId(upload.agency_uuid, upload.document_id, upload.version)

        async def forget_parts() -> None:
            await self._spool.discard(upload_id)

        keep = None if await self._is_known(request) else request.kept(b"", upload.begun_at)
        try:
            return await self._uploads.open(upload, keep, forget_parts)
        except Conflict as conflict:
            if conflict.constraint != "request_answered":
                raise
            # The same request came twice at once, or this id has just been used for another one.
            await self._is_known(request)
            return await self._uploads.open(upload, None, forget_parts)

    async def _is_known(self, request: Request) -> bool:
        """Tell whether this very request was answered before. Refusal: REQUEST_ID_REUSED for another one."""
        known = await self._answers.find(request.scope, request.request_id)
        if known is None:
            return False
        if (known.method, known.fingerprint) != (request.method, request.fingerprint):
            raise Refusal(Reason.REQUEST_ID_REUSED, field="request_id")
        return True

    async def _begun(self, upload: Upload, warnings: tuple[CodeWarning, ...]) -> Begun:
        parts = await self._spool.parts(UploadId(upload.agency_uuid, upload.document_id, upload.version))
        return Begun(upload.version, parts, upload.lease_until, upload.code, None, upload.first_rendition, warnings)

    def _sealed_already(self, sealed: StoredDocument, declared: Declared, now: datetime) -> Begun:
        if not _same_document(sealed, declared.declaration):
            raise Refusal(Reason.DOCUMENT_SEALED_DIFFERENTLY)
        lease_until = now + self._limits.lease
        return Begun(sealed.version, (), lease_until, _code_of(sealed), sealed.state, warnings=declared.warnings)

    def _check_counts(self, pages: int, renditions: int, sheets: int) -> None:
        if pages > self._limits.pages:
            raise Refusal(Reason.TOO_MANY_PAGES, field="pages", limit=self._limits.pages)
        if renditions > self._limits.renditions:
            raise Refusal(Reason.FIELD_TOO_LONG, field="renditions", limit=self._limits.renditions)
        if sheets > self._limits.pages:
            raise Refusal(Reason.TOO_MANY_PAGES, field="document.sheets", limit=self._limits.pages)
        if pages == 0 and renditions == 0:
            raise Refusal(Reason.NOTHING_DECLARED, field="pages")


def _must_be_of_versions(conflict: Conflict) -> None:
    if conflict.constraint not in ("upload_version", "document_version_taken"):
        raise conflict


def _fingerprint(asked: tuple[object, ...]) -> bytes:
    """Digest of what a request asked for; times and reserved codes are the server's and stay out."""
    return hashlib.sha256(repr(asked).encode()).digest()


def _same_document(sealed: StoredDocument, declaration: Declaration) -> bool:
    """Tell whether a declaration is the one that was sealed; what the repository gave itself is not compared."""
    said = declaration.result
    held = sealed.result.declaration if sealed.result else None
    return (
        sealed.kind is declaration.kind
        and sealed.lane is declaration.lane
        and sealed.dossier_key == declaration.dossier_key
        and sealed.procedure_key == declaration.procedure_key
        and (sealed.copy_form, sealed.copy_of) == (declaration.copy_form, declaration.copy_of)
        and (said is None) == (held is None)
        and (
            said is None
            or held is None
            or (
                said.type_code == held.type_code
                and said.issuer_uuid == held.issuer_uuid
                and [owner.key for owner in said.owners] == [owner.key for owner in held.owners]
                and said.number_key == held.number_key
                and said.outcome is held.outcome
                and (said.issued_on, said.valid_from, said.valid_to) == (held.issued_on, held.valid_from, held.valid_to)
                and (said.territory, said.subject) == (held.territory, held.subject)
                and (said.given_code is None or _is_code_of(said.given_code.key, sealed))
            )
        )
    )


def _is_code_of(key: str, sealed: StoredDocument) -> bool:
    return sealed.result is not None and matching_key(sealed.result.code) == key


def _code_of(sealed: StoredDocument) -> TakenCode | None:
    held = sealed.result
    return TakenCode(held.code, matching_key(held.code), held.public_code, "", None) if held is not None else None


def _first_rendition(base: StoredVersion) -> int:
    """Return the number of the first rendition that may be added to a version."""
    return max((part.part.number for part in base.parts if part.role is not None), default=0) + 1


def _declaration_of(base: StoredDocument, scanned_at: datetime | None) -> Declaration:
    """Return the sealed declaration, which later versions keep; `scanned_at` is of the new version's pages."""
    return Declaration(
        kind=base.kind,
        lane=base.lane,
        dossier_code=base.dossier_code,
        dossier_key=base.dossier_key,
        procedure_code=base.procedure_code,
        procedure_key=base.procedure_key,
        scanned_at=scanned_at,
        copy_form=base.copy_form,
        copy_of=base.copy_of,
        result=base.result.declaration if base.result else None,
    )
