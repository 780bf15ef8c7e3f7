"""Who is who and who may have what: the calls of administrators and agencies."""

from collections.abc import AsyncIterator

from kho.v1 import (
    access_service_pb2,
    access_service_pb2_grpc,
    registry_pb2,
    registry_service_pb2,
    registry_service_pb2_grpc,
)
from kho_client.calls import Calls

_PAGE_SIZE = 500


class Registry:
    """Agencies, officers and principals; changes are effective at once."""

    def __init__(self, calls: Calls) -> None:
        """Ask over these calls."""
        self._calls = calls
        self._stub = registry_service_pb2_grpc.RegistryServiceStub(calls.channel)

    async def register_agencies(
        self, request: registry_service_pb2.RegisterAgenciesRequest
    ) -> list[registry_service_pb2.RegistrationLine]:
        """Register agencies; one answer per line, order kept."""
        return list((await self._calls.unary(self._stub.RegisterAgencies, request)).lines)

    async def register_officers(
        self, request: registry_service_pb2.RegisterOfficersRequest
    ) -> list[registry_service_pb2.RegistrationLine]:
        """Register officers; one answer per line, order kept."""
        return list((await self._calls.unary(self._stub.RegisterOfficers, request)).lines)

    async def register_principals(
        self, request: registry_service_pb2.RegisterPrincipalsRequest
    ) -> list[registry_service_pb2.RegistrationLine]:
        """Register principals; one answer per line, order kept."""
        return list((await self._calls.unary(self._stub.RegisterPrincipals, request)).lines)

    async def agencies(self) -> AsyncIterator[registry_pb2.Agency]:
        """Yield all agencies by id."""
        request = registry_service_pb2.ListAgenciesRequest(page_size=_PAGE_SIZE)
        while True:
            answer = await self._calls.unary(self._stub.ListAgencies, request)
            for agency in answer.agencies:
                yield agency
            request.page_token = answer.next_page_token
            if not request.page_token:
                return

    async def officers(self, agency_id: str = "") -> AsyncIterator[registry_pb2.Officer]:
        """Yield officers by agency and id; an empty agency means the caller's, for administrators all."""
        request = registry_service_pb2.ListOfficersRequest(agency_id=agency_id, page_size=_PAGE_SIZE)
        while True:
            answer = await self._calls.unary(self._stub.ListOfficers, request)
            for officer in answer.officers:
                yield officer
            request.page_token = answer.next_page_token
            if not request.page_token:
                return

    async def principals(self, agency_id: str = "") -> AsyncIterator[registry_pb2.Principal]:
        """Yield principals by id."""
        request = registry_service_pb2.ListPrincipalsRequest(agency_id=agency_id, page_size=_PAGE_SIZE)
        while True:
            answer = await self._calls.unary(self._stub.ListPrincipals, request)
            for principal in answer.principals:
                yield principal
            request.page_token = answer.next_page_token
            if not request.page_token:
                return

    async def revoke_agency(self, request: registry_service_pb2.RevokeAgencyRequest) -> None:
        """Refuse an agency's principals and officers from now on."""
        await self._calls.unary(self._stub.RevokeAgency, request)

    async def revoke_officer(self, request: registry_service_pb2.RevokeOfficerRequest) -> None:
        """Take no call in an officer's name from now on."""
        await self._calls.unary(self._stub.RevokeOfficer, request)

    async def revoke_principal(self, request: registry_service_pb2.RevokePrincipalRequest) -> None:
        """Refuse a certificate at once; its open streams end within 5 seconds."""
        await self._calls.unary(self._stub.RevokePrincipal, request)


class Access:
    """Grants, and the record of who had what."""

    def __init__(self, calls: Calls) -> None:
        """Ask over these calls."""
        self._calls = calls
        self._stub = access_service_pb2_grpc.AccessServiceStub(calls.channel)

    async def add_grant(self, request: access_service_pb2.AddGrantRequest) -> access_service_pb2.Grant:
        """Add a grant; returns it with its id."""
        return (await self._calls.unary(self._stub.AddGrant, request)).grant

    async def grants(self) -> AsyncIterator[access_service_pb2.Grant]:
        """Yield grants by id: administrators see all, agencies those they gave or got."""
        request = access_service_pb2.ListGrantsRequest(page_size=_PAGE_SIZE)
        while True:
            answer = await self._calls.unary(self._stub.ListGrants, request)
            for grant in answer.grants:
                yield grant
            request.page_token = answer.next_page_token
            if not request.page_token:
                return

    async def revoke_grant(self, request: access_service_pb2.RevokeGrantRequest) -> None:
        """Answer the next question without this grant."""
        await self._calls.unary(self._stub.RevokeGrant, request)

    async def access_records(self, document_id: str) -> AsyncIterator[access_service_pb2.AccessRecord]:
        """Yield who had an own document, newest first."""
        request = access_service_pb2.ListAccessRecordsRequest(document_id=document_id, page_size=_PAGE_SIZE)
        while True:
            answer = await self._calls.unary(self._stub.ListAccessRecords, request)
            for record in answer.records:
                yield record
            request.page_token = answer.next_page_token
            if not request.page_token:
                return
