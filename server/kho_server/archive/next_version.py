"""Opening later versions: an added rendition, a correction."""

from datetime import datetime

from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.once import Request
from kho_server.archive.opening import Begun, Opening, fingerprint, must_be_of_versions
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.archive.sealed_declaration import code_of, declaration_of
from kho_server.rules.legal_days import legal_day
from kho_server.rules.text import clean_text
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.document_ports import DocumentCatalog
from kho_storage.errors import Conflict
from kho_storage.records.document import StoredDocument, StoredVersion, Upload, VersionReason

_MAX_REASON = 500


class NextVersion:
    """The use cases that follow a sealed version; nothing is overwritten."""

    def __init__(self, opening: Opening, documents: DocumentCatalog, registry: RegistryCatalog) -> None:
        """Hand in how a version is opened, and where documents and officers are known."""
        self._opening = opening
        self._documents = documents
        self._registry = registry

    async def add_rendition(
        self, caller: Caller, request_id: str, officer_id: str, document_id: str, base_version: int, renditions: int
    ) -> Begun:
        """Open a version that keeps all parts and adds renditions. Errors: those of DocumentService.AddRendition."""
        if renditions == 0:
            raise Refusal(Reason.NOTHING_DECLARED)
        base, officer = await self._base(caller, officer_id, document_id)
        asked = (base.document_id, base_version, renditions, officer)
        request = Request.parse(caller, request_id, "AddRendition", fingerprint(asked))
        if base.version != base_version:
            return await self._sealed_since(request, base, base_version, VersionReason.RENDITION_ADDED)
        newest = base.versions[-1]
        first = _first_rendition(newest)
        if first + renditions - 1 > self._opening.limits.renditions:
            raise Refusal(Reason.FIELD_TOO_LONG, field="renditions", limit=self._opening.limits.renditions)
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
        self._opening.check_counts(pages, renditions, sheets)
        base, officer = await self._base(caller, officer_id, document_id)
        asked = (base.document_id, base_version, reason_text, pages, renditions, sheets, officer)
        request = Request.parse(caller, request_id, "CorrectDocument", fingerprint(asked))
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

    async def _base(self, caller: Caller, officer_id: str, document_id: str) -> tuple[StoredDocument, str]:
        document = parse_uuid("document_id", document_id)
        officer = await acting_officer(caller, officer_id, self._registry, legal_day(self._opening.now))
        base = await self._documents.document(caller.agency_uuid, document)
        if base is None:
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        return base, officer.officer_id

    async def _sealed_since(
        self, request: Request, sealed: StoredDocument, base_version: int, reason: VersionReason
    ) -> Begun:
        """Answer a request again whose version has been sealed since. Refusal: VERSION_CONFLICT for a new one."""
        is_known = await self._opening.is_known(request)
        made = next((each for each in sealed.versions if each.version == base_version + 1), None)
        if not is_known or made is None or made.reason is not reason:
            raise Refusal(Reason.VERSION_CONFLICT, current_version=sealed.version)
        first = _first_rendition(sealed.versions[base_version - 1]) if reason is VersionReason.RENDITION_ADDED else 1
        lease_until = self._opening.lease_until
        return Begun(made.version, (), lease_until, code_of(sealed), sealed.state, first_rendition=first)

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
        self._opening.admit()
        now = self._opening.now
        upload = Upload(
            agency_uuid=base.agency_uuid,
            document_id=base.document_id,
            version=base.version + 1,
            reason=reason,
            reason_text=reason_text,
            declaration=declaration_of(base, scanned_at),
            pages=pages,
            renditions=renditions,
            first_rendition=first_rendition,
            sheets=sheets,
            officer_id=officer_id,
            begun_at=now,
            lease_until=self._opening.lease_until,
            code=None,
        )
        try:
            return await self._opening.begun(await self._opening.open(request, upload))
        except Conflict as conflict:
            must_be_of_versions(conflict)
            newest = await self._documents.state(base.document_uuid)
            current = newest[0] if newest is not None else base.version
            raise Refusal(Reason.VERSION_CONFLICT, current_version=current) from conflict


def _first_rendition(base: StoredVersion) -> int:
    """Return the number of the first rendition that may be added to a version."""
    return max((part.part.number for part in base.parts if part.role is not None), default=0) + 1
