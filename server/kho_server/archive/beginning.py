"""Opening the first version of a document, or finding it again."""

from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.code_taking import CodeTaker
from kho_server.archive.declaring import Declared, SaidOfDocument, declare
from kho_server.archive.once import Request
from kho_server.archive.opening import Begun, Opening, fingerprint, must_be_of_versions
from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.archive.sealed_declaration import code_of, same_document
from kho_server.rules.legal_days import legal_day
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.document_ports import DocumentCatalog, UploadCatalog
from kho_storage.errors import Conflict
from kho_storage.records.document import Declaration, StoredDocument, Upload, VersionReason


class Beginning:
    """The use case that opens a new document."""

    def __init__(
        self,
        opening: Opening,
        *,
        uploads: UploadCatalog,
        documents: DocumentCatalog,
        registry: RegistryCatalog,
        codes: CodeTaker,
    ) -> None:
        """Hand in how a version is opened, and where documents, officers and codes are known."""
        self._opening = opening
        self._uploads = uploads
        self._documents = documents
        self._registry = registry
        self._codes = codes

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
        now = self._opening.now
        today = legal_day(now)
        document = parse_uuid("document_id", document_id)
        request = parse_uuid("request_id", request_id)
        self._opening.check_counts(pages, renditions, said.sheets)
        officer = await acting_officer(caller, officer_id, self._registry, today)
        declared = await declare(said, caller, self._registry, today)
        sealed = await self._documents.document(caller.agency_uuid, document)
        if sealed is not None:
            return self._sealed_already(sealed, declared)
        self._opening.admit()
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
            lease_until=self._opening.lease_until,
            code=code,
        )
        asked = (document, declared.declaration, pages, renditions, said.sheets, officer.officer_id)
        try:
            opened = await self._opening.open(Request(caller.scope, request, "Begin", fingerprint(asked)), upload)
        except Conflict as conflict:
            must_be_of_versions(conflict)
            sealed = await self._documents.document(caller.agency_uuid, document)
            if sealed is None:
                raise Refusal(Reason.VERSION_CONFLICT, current_version=0) from conflict
            return self._sealed_already(sealed, declared)
        return await self._opening.begun(opened, declared.warnings)

    async def _references_must_fit(self, caller: Caller, declaration: Declaration) -> None:
        """Refuse now what sealing would refuse after two hundred pages: DOSSIER_CONFLICT, FIELD_MALFORMED."""
        registered = await self._documents.dossier_procedure(caller.agency_uuid, declaration.dossier_key)
        if registered is not None and registered != declaration.procedure_key:
            raise Refusal(Reason.DOSSIER_CONFLICT, field="document.dossier_code")
        original = declaration.copy_of
        if original is not None and await self._documents.document(caller.agency_uuid, original) is None:
            raise Refusal(Reason.FIELD_MALFORMED, field="document.copy_of")

    def _sealed_already(self, sealed: StoredDocument, declared: Declared) -> Begun:
        if not same_document(sealed, declared.declaration):
            raise Refusal(Reason.DOCUMENT_SEALED_DIFFERENTLY)
        lease_until = self._opening.lease_until
        return Begun(sealed.version, (), lease_until, code_of(sealed), sealed.state, warnings=declared.warnings)
