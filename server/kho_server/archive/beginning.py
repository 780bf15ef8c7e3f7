"""Opening uploads: a new document, an added rendition, a correction."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.code_taking import CodeTaker
from kho_server.archive.declaring import Declared, SaidOfDocument, declare
from kho_server.archive.limits import UploadLimits
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.legal_days import legal_day
from kho_server.rules.text import clean_text
from kho_storage.catalog_ports import AnswerBook, RegistryCatalog
from kho_storage.document_ports import DocumentCatalog, UploadCatalog
from kho_storage.errors import Conflict
from kho_storage.parts import SpooledPart, UploadId
from kho_storage.ports import UploadSpool
from kho_storage.records.access import KeptAnswer
from kho_storage.records.document import (
    Declaration,
    DocumentState,
    StoredDocument,
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
        on_resumed: Callable[[], None] = lambda: None,
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
        self._on_resumed = on_resumed

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
        standing = await self._uploads.find(caller.agency_uuid, document)
        code = await self._codes.take(caller.agency_uuid, document, declared, caller.actor(officer.officer_id), now)
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
        opened = await self._open(caller, request, "Begin", upload)
        begun = await self._begun(opened, declared.warnings)
        if standing is not None and begun.parts:
            self._on_resumed()
        return begun

    async def add_rendition(
        self, caller: Caller, request_id: str, officer_id: str, document_id: str, base_version: int, renditions: int
    ) -> Begun:
        """Open a version that keeps all parts and adds renditions. Errors: those of DocumentService.AddRendition."""
        request = parse_uuid("request_id", request_id)
        if renditions == 0:
            raise Refusal(Reason.NOTHING_DECLARED)
        base, officer = await self._base(caller, officer_id, document_id, base_version)
        newest = base.versions[-1]
        held = [part.part.number for part in newest.parts if part.role is not None]
        first = max(held, default=0) + 1
        if first + renditions - 1 > self._limits.renditions:
            raise Refusal(Reason.FIELD_TOO_LONG, field="renditions", limit=self._limits.renditions)
        return await self._next_version(
            caller,
            request,
            "AddRendition",
            base,
            officer,
            reason=VersionReason.RENDITION_ADDED,
            reason_text=None,
            pages=newest.pages,
            renditions=renditions,
            first_rendition=first,
            sheets=newest.sheets,
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
        request = parse_uuid("request_id", request_id)
        if not reason:
            raise Refusal(Reason.FIELD_REQUIRED, field="reason")
        reason_text = clean_text("reason", reason, _MAX_REASON, required=True)
        self._check_counts(pages, renditions, sheets)
        base, officer = await self._base(caller, officer_id, document_id, base_version)
        return await self._next_version(
            caller,
            request,
            "CorrectDocument",
            base,
            officer,
            reason=VersionReason.CORRECTED,
            reason_text=reason_text,
            pages=pages,
            renditions=renditions,
            first_rendition=1,
            sheets=sheets,
        )

    async def _base(
        self, caller: Caller, officer_id: str, document_id: str, base_version: int
    ) -> tuple[StoredDocument, str]:
        document = parse_uuid("document_id", document_id)
        officer = await acting_officer(caller, officer_id, self._registry, legal_day(self._clock()))
        base = await self._documents.document(caller.agency_uuid, document)
        if base is None:
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        if base.version != base_version:
            raise Refusal(Reason.VERSION_CONFLICT, current_version=base.version)
        self._admit()
        return base, officer.officer_id

    async def _next_version(
        self,
        caller: Caller,
        request: UUID,
        method: str,
        base: StoredDocument,
        officer_id: str,
        *,
        reason: VersionReason,
        reason_text: str | None,
        pages: int,
        renditions: int,
        first_rendition: int,
        sheets: int,
    ) -> Begun:
        now = self._clock()
        upload = Upload(
            agency_uuid=base.agency_uuid,
            document_id=base.document_id,
            version=base.version + 1,
            reason=reason,
            reason_text=reason_text,
            declaration=_declaration_of(base),
            pages=pages,
            renditions=renditions,
            first_rendition=first_rendition,
            sheets=sheets,
            officer_id=officer_id,
            begun_at=now,
            lease_until=now + self._limits.lease,
            code=None,
        )
        return await self._begun(await self._open(caller, request, method, upload), ())

    async def _open(self, caller: Caller, request: UUID, method: str, upload: Upload) -> Upload:
        """Open with the request id kept; the same id for another request is refused, for the same one is fine."""
        keep = KeptAnswer(caller.scope, request, method, _fingerprint(upload), b"", upload.begun_at)
        for known in (await self._answers.find(caller.scope, request), None):
            if known is not None and (known.method, known.fingerprint) != (keep.method, keep.fingerprint):
                raise Refusal(Reason.REQUEST_ID_REUSED, field="request_id")
            try:
                return await self._uploads.open(upload, None if known is not None else keep)
            except Conflict as conflict:
                if conflict.constraint == "upload_version":
                    raise Refusal(Reason.VERSION_CONFLICT, current_version=upload.version - 1) from conflict
                if conflict.constraint != "request_answered":
                    raise
        raise Refusal(Reason.REQUEST_ID_REUSED, field="request_id")

    async def _begun(self, upload: Upload, warnings: tuple[CodeWarning, ...]) -> Begun:
        parts = await self._spool.parts(UploadId(upload.agency_uuid, upload.document_id, upload.version))
        return Begun(upload.version, parts, upload.lease_until, upload.code, None, upload.first_rendition, warnings)

    def _sealed_already(self, sealed: StoredDocument, declared: Declared, now: datetime) -> Begun:
        if not _same_document(sealed, declared.declaration):
            raise Refusal(Reason.DOCUMENT_SEALED_DIFFERENTLY)
        code = None
        if sealed.result is not None:
            code = TakenCode(sealed.result.code, sealed.result.code, sealed.result.public_code, "", None)
        return Begun(sealed.version, (), now + self._limits.lease, code, sealed.state, warnings=declared.warnings)

    def _check_counts(self, pages: int, renditions: int, sheets: int) -> None:
        if pages > self._limits.pages:
            raise Refusal(Reason.TOO_MANY_PAGES, field="pages", limit=self._limits.pages)
        if renditions > self._limits.renditions:
            raise Refusal(Reason.FIELD_TOO_LONG, field="renditions", limit=self._limits.renditions)
        if sheets > self._limits.pages:
            raise Refusal(Reason.TOO_MANY_PAGES, field="document.sheets", limit=self._limits.pages)
        if pages == 0 and renditions == 0:
            raise Refusal(Reason.NOTHING_DECLARED, field="pages")


def _fingerprint(upload: Upload) -> bytes:
    """Digest of what the request asked for; times and reserved codes are the server's and stay out."""
    asked = (
        upload.agency_uuid,
        upload.document_id,
        upload.version,
        upload.reason,
        upload.reason_text,
        upload.declaration,
        upload.pages,
        upload.renditions,
        upload.sheets,
        upload.officer_id,
    )
    return hashlib.sha256(repr(asked).encode()).digest()


def _same_document(sealed: StoredDocument, declaration: Declaration) -> bool:
    """Tell whether a declaration is the one that was sealed; what the repository gave itself is not compared."""
    said = declaration.result
    held = sealed.result.declaration if sealed.result else None
    return (
        sealed.kind is declaration.kind
        and sealed.dossier_code == declaration.dossier_code
        and sealed.procedure_code == declaration.procedure_code
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
            )
        )
    )


def _declaration_of(base: StoredDocument) -> Declaration:
    """Return the sealed declaration; later versions keep it."""
    return Declaration(
        kind=base.kind,
        lane=base.lane,
        dossier_code=base.dossier_code,
        dossier_key=base.dossier_code,
        procedure_code=base.procedure_code,
        procedure_key=base.procedure_code,
        scanned_at=None,
        copy_form=base.copy_form,
        copy_of=None,
        result=base.result.declaration if base.result else None,
    )
