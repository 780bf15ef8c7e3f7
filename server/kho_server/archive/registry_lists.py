"""Who may read which part of the registry."""

from uuid import UUID

from kho_server.archive.caller import Caller
from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.registration_fields import parse_agency_id
from kho_storage.catalog_ports import RegistryCatalog
from kho_storage.records.registry import Agency, Officer, Principal, PrincipalKind


class RegistryLists:
    """Lists, each in the order of its key; `after` is the key of the last row before."""

    def __init__(self, registry: RegistryCatalog) -> None:
        """Hand in where to read."""
        self._registry = registry

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
