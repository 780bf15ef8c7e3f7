"""An agency's own documents: shown, listed, waited for."""

from collections.abc import Callable, Sequence
from datetime import datetime
from uuid import UUID

from kho_server.archive.access_decision import DocumentFacts
from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.disclosure import Asked, Disclosure
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.archive.standing import Standing
from kho_server.rules.dossier_code import DossierCode
from kho_server.rules.legal_days import legal_day
from kho_storage.catalog_ports import AccessLog, RegistryCatalog
from kho_storage.document_ports import DocumentCatalog, VerdictCatalog
from kho_storage.records.access import AccessAction, AccessOutcome, ListedAccess
from kho_storage.records.document import DocumentState, RenditionRole, StoredDocument, StoredVerdict

_LONGEST_WAIT_S = 60.0
_USUAL_WAIT_S = 30.0
_UNDER_WAY = frozenset({DocumentState.RECEIVED, DocumentState.VERIFYING})
_NAME_PREFIX = "documents/"


class OwnDocuments:
    """What an agency may know of what it holds; another agency's documents are not there."""

    def __init__(
        self,
        *,
        documents: DocumentCatalog,
        verdicts: VerdictCatalog,
        registry: RegistryCatalog,
        access: AccessLog,
        disclosure: Disclosure,
        standing: Standing,
        clock: Callable[[], datetime],
    ) -> None:
        """Hand in the catalogs."""
        self._documents = documents
        self._verdicts = verdicts
        self._registry = registry
        self._access = access
        self._disclosure = disclosure
        self._standing = standing
        self._clock = clock

    async def agency_code(self, caller: Caller) -> str:
        """Return the code of the caller's agency today."""
        agency = await self._registry.agency(caller.agency_id)
        return (agency.code_on(legal_day(self._clock())) if agency else None) or caller.agency_id

    async def get(self, caller: Caller, officer_id: str, name: str) -> StoredDocument:
        """Return a document by its id or opaque name, recorded. Refusals: FIELD_MALFORMED, DOCUMENT_NOT_FOUND."""
        officer = await acting_officer(caller, officer_id, self._registry, legal_day(self._clock()))
        document = await self._find(caller, name)
        if document is None:
            await self._disclosure.decide(caller, officer, AccessAction.READ, [Asked(name, None)])
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        asked = Asked(
            name,
            DocumentFacts.of_document(document, legal_day(self._clock())),
            document.document_uuid,
            document.version,
        )
        record = (await self._disclosure.decide(caller, officer, AccessAction.READ, [asked]))[0]
        if record.outcome is not AccessOutcome.DISCLOSED:
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        return document

    async def list(
        self,
        caller: Caller,
        officer_id: str,
        dossier_code: str,
        state: DocumentState | None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> tuple[Sequence[StoredDocument], bool]:
        """Return a page of at most `limit` documents, newest first, each recorded, and whether more follow."""
        today = legal_day(self._clock())
        officer = await acting_officer(caller, officer_id, self._registry, today)
        key = DossierCode.parse(dossier_code, today, field="dossier_code").key if dossier_code else None
        if state is DocumentState.VERIFYING:
            raise Refusal(Reason.FIELD_MALFORMED, field="state")
        more = await self._documents.documents(caller.agency_uuid, key, state, after, limit + 1)
        found = more[:limit]
        asked = [
            Asked(
                str(each.document_id),
                DocumentFacts.of_document(each, legal_day(self._clock())),
                each.document_uuid,
                each.version,
            )
            for each in found
        ]
        records = await self._disclosure.decide(caller, officer, AccessAction.LIST, asked)
        shown = zip(found, records, strict=True)
        return [each for each, record in shown if record.outcome is AccessOutcome.DISCLOSED], len(more) > limit

    async def wait(self, caller: Caller, officer_id: str, name: str, timeout_s: float | None) -> StoredDocument:
        """Return a document when its newest version is judged, or when the time is over (at most 60 s).

        A version without a signed file is never judged: it is returned at once.
        """
        wait_s = _USUAL_WAIT_S if timeout_s is None else timeout_s
        if not 0 <= wait_s <= _LONGEST_WAIT_S:
            raise Refusal(Reason.FIELD_MALFORMED, field="timeout")
        await acting_officer(caller, officer_id, self._registry, legal_day(self._clock()))
        document = await self._find(caller, name)
        if document is None:
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        document_uuid = document.document_uuid
        if document.state in _UNDER_WAY and _has_signed_file(document):
            await self._standing.until(
                document_uuid,
                lambda: self._documents.state(document_uuid),
                lambda seen: seen is None or seen[1] not in _UNDER_WAY,
                wait_s,
            )
        return await self.get(caller, officer_id, name)

    async def verdicts(
        self, caller: Caller, officer_id: str, name: str, after: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[StoredVerdict]:
        """Return a page of the verdicts on a document, newest first."""
        document = await self.get(caller, officer_id, name)
        return await self._verdicts.verdicts(document.document_uuid, after, limit)

    async def accesses(
        self, caller: Caller, name: str, after: tuple[datetime, UUID] | None, limit: int
    ) -> Sequence[ListedAccess]:
        """Return who had, or was refused, a document, newest first."""
        document = await self._find(caller, name)
        if document is None:
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        return await self._access.of_document(document.document_uuid, after, limit)

    async def _find(self, caller: Caller, name: str) -> StoredDocument | None:
        """Return the caller's document of this id or name; anyone else's is None."""
        if name.startswith(_NAME_PREFIX):
            found = await self._documents.document_by_uuid(parse_uuid("document_id", name.removeprefix(_NAME_PREFIX)))
            return found if found is not None and found.agency_uuid == caller.agency_uuid else None
        return await self._documents.document(caller.agency_uuid, parse_uuid("document_id", name))


def _has_signed_file(document: StoredDocument) -> bool:
    return any(part.role is RenditionRole.SIGNED for part in document.versions[-1].parts)
