"""Who may read which part of the registry, and who had what."""

from datetime import datetime
from uuid import UUID

from kho_server.archive.caller import Caller
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.archive.registration_fields import parse_agency_id
from kho_server.archive.request_fields import parse_uuid
from kho_storage.catalog_ports import AccessLog, RegistryCatalog
from kho_storage.document_ports import DocumentCatalog
from kho_storage.records.access import ListedAccess
from kho_storage.records.registry import Agency, Officer, Principal, PrincipalKind


class RegistryLists:
    """Lists, each in the order of its key; `after` is the key of the last row before."""

    def __init__(self, registry: RegistryCatalog, documents: DocumentCatalog, access_log: AccessLog) -> None:
        """Hand in where to read."""
        self._registry = registry
        self._documents = documents
        self._access_log = access_log

    async def agencies(self, after: str, limit: int) -> tuple[Agency, ...]:
        """Return agencies: everyone may know them."""
        return await self._registry.agencies(after, limit)

    async def officers(self, caller: Caller, agency_id: str, after: tuple[str, str], limit: int) -> tuple[Officer, ...]:
        """Return officers: administrators see those of any agency, others their own agency's.

        Refusal: PRINCIPAL_KIND_NOT_ALLOWED.
        """
        wanted = parse_agency_id(agency_id) if agency_id else None
        if caller.principal.kind is not PrincipalKind.ADMINISTRATOR:
            if wanted not in (None, caller.agency_id):
                raise Refusal(Reason.PRINCIPAL_KIND_NOT_ALLOWED, kind=caller.principal.kind.value)
            wanted = caller.agency_id
        return await self._registry.officers(wanted, after, limit)

    async def principals(self, caller: Caller, agency_id: str, after: UUID | None, limit: int) -> tuple[Principal, ...]:
        """Return callers, to administrators. Refusal: PRINCIPAL_KIND_NOT_ALLOWED."""
        caller.must_be(PrincipalKind.ADMINISTRATOR)
        return await self._registry.principals(parse_agency_id(agency_id) if agency_id else None, after, limit)

    async def access_records(
        self, caller: Caller, document_id: str, after: tuple[datetime, UUID] | None, limit: int
    ) -> tuple[ListedAccess, ...]:
        """Return who had, or was refused, an own document, newest first.

        Refusals: PRINCIPAL_KIND_NOT_ALLOWED, DOCUMENT_NOT_FOUND, FIELD_REQUIRED, FIELD_MALFORMED.
        """
        agency_uuid = caller.agency_uuid
        document = await self._documents.document(agency_uuid, parse_uuid("document_id", document_id))
        if document is None:
            raise Absent(Reason.DOCUMENT_NOT_FOUND)
        return await self._access_log.of_document(document.document_uuid, after, limit)
