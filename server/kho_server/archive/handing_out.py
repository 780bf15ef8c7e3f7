"""Content on its way out: recorded before the first byte, closed with the bytes that really left."""

from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from kho_server.archive.access_decision import DocumentFacts
from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.content_choice import chosen_part
from kho_server.archive.disclosure import Asked, Disclosure, Purpose
from kho_server.archive.lookup import Lookup
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.rules.dossier_code import DossierCode
from kho_server.rules.legal_days import legal_day
from kho_server.rules.procedure_code import ProcedureCode
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.document_ports import DocumentCatalog
from kho_storage.parts import PartId
from kho_storage.ports import BlobStore
from kho_storage.records.access import AccessAction, AccessOutcome, AccessRecord
from kho_storage.records.document import StoredDocument, StoredPart, StoredResult


@dataclass(frozen=True, slots=True)
class Parcel:
    """Content that may leave: what it is, from where to where; `result` for look-ups by code."""

    record: AccessRecord
    part: StoredPart
    version: int
    offset: int
    length: int
    result: StoredResult | None
    is_own: bool


class HandingOut:
    """The door itself. Another agency's content leaves only through `reuse`."""

    def __init__(
        self,
        *,
        lookup: Lookup,
        documents: DocumentCatalog,
        registry: RegistryCatalog,
        disclosure: Disclosure,
        blobs: BlobStore,
        clock: Callable[[], datetime],
    ) -> None:
        """`blobs` verifies what it reads."""
        self._lookup = lookup
        self._documents = documents
        self._registry = registry
        self._disclosure = disclosure
        self._blobs = blobs
        self._clock = clock

    async def reuse(
        self,
        caller: Caller,
        request_id: str,
        code: str,
        dossier_code: str,
        procedure_code: str,
        officer_id: str,
        wanted: PartId | None,
        offset: int,
        limit: int,
    ) -> Parcel:
        """Let a result's content leave for a dossier. Errors: those of ReuseService.Reuse."""
        parse_uuid("request_id", request_id)
        _check_range(offset, limit)
        today = legal_day(self._clock())
        officer = await self._lookup.officer(caller, officer_id)
        if not dossier_code:
            raise Refusal(Reason.FIELD_REQUIRED, field="purpose.dossier_code")
        dossier = DossierCode.parse(dossier_code, today, field="purpose.dossier_code")
        procedure = None
        if procedure_code:
            procedure = ProcedureCode.parse(procedure_code, today, field="purpose.procedure_code").text
        purpose = Purpose(dossier.text, procedure)
        found = await self._lookup.one(caller, officer, code, AccessAction.REUSE, purpose)
        async with self._closed_if_refused(found.record):
            document = await self._documents.document_by_uuid(found.result.document_uuid)
            if document is None:
                raise Absent(Reason.RESULT_NOT_FOUND)
            # The version that was decided on and recorded, even if a newer one was sealed this very moment.
            version = found.result.version
            return _parcel(found.record, document, version, wanted, offset, limit, found.result, found.is_own)

    async def read(
        self,
        caller: Caller,
        officer_id: str,
        document_id: str,
        version: int,
        wanted: PartId | None,
        offset: int,
        limit: int,
    ) -> Parcel:
        """Let content of an own document leave. Errors: those of DocumentService.ReadContent."""
        name: UUID = parse_uuid("document_id", document_id)
        _check_range(offset, limit)
        officer = await acting_officer(caller, officer_id, self._registry, legal_day(self._clock()))
        document = await self._documents.document(caller.agency_uuid, name)
        asked = Asked(document_id, None)
        if document is not None:
            asked = Asked(
                document_id,
                DocumentFacts.of_document(document, legal_day(self._clock())),
                document.document_uuid,
                version or document.version,
            )
        record = (await self._disclosure.decide(caller, officer, AccessAction.READ, [asked]))[0]
        if document is None or record.outcome is not AccessOutcome.DISCLOSED:
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        async with self._closed_if_refused(record):
            return _parcel(record, document, version or document.version, wanted, offset, limit, None, True)

    @asynccontextmanager
    async def sending(self, parcel: Parcel) -> AsyncIterator[AsyncIterator[bytes]]:
        """Lend the bytes of a parcel in pieces of at most 256 KiB; the end of the block closes its record.

        A piece counts as sent when it is given out: whoever breaks off has been given the last one.
        """
        sent = 0

        async def pieces() -> AsyncGenerator[bytes, None]:
            nonlocal sent
            async for piece in self._blobs.read(parcel.part.digest, parcel.offset, parcel.length):
                sent += len(piece)
                yield piece

        lent = pieces()
        try:
            yield lent
        finally:
            # The record is closed although the reading below it may fail to end.
            try:
                await lent.aclose()
            finally:
                await self._disclosure.close(parcel.record, sent)

    @asynccontextmanager
    async def _closed_if_refused(self, record: AccessRecord) -> AsyncIterator[None]:
        try:
            yield
        except BaseException:
            await self._disclosure.close(record, 0)
            raise


def _check_range(offset: int, limit: int) -> None:
    if offset < 0 or limit < 0:
        raise Refusal(Reason.FIELD_MALFORMED, field="offset" if offset < 0 else "limit")


def _parcel(
    record: AccessRecord,
    document: StoredDocument,
    version: int,
    wanted: PartId | None,
    offset: int,
    limit: int,
    result: StoredResult | None,
    is_own: bool,
) -> Parcel:
    sealed = next((each for each in document.versions if each.version == version), None)
    if sealed is None:
        raise Refusal(Reason.CONTENT_NOT_AVAILABLE)
    part = chosen_part(sealed.parts, wanted)
    size = part.digest.size_bytes
    if offset > size:
        raise Refusal(Reason.OFFSET_BEYOND_END, size_bytes=size)
    length = size - offset if limit == 0 else min(limit, size - offset)
    return Parcel(record, part, version, offset, length, result, is_own)
