"""RegistryService: wire in, domain out."""

from collections.abc import Awaitable, Callable
from typing import Any, TypeVar
from uuid import UUID

import grpc
from google.protobuf.message import Message

from kho.v1 import registry_service_pb2 as pb
from kho.v1 import registry_service_pb2_grpc
from kho_server.archive.caller import Caller
from kho_server.archive.once import Once, Request
from kho_server.archive.registration import Registration
from kho_server.archive.registry_lists import RegistryLists
from kho_server.archive.request_fields import parse_page_size
from kho_server.rpc.current import current_caller
from kho_server.rpc.page_token import PageTokens
from kho_server.rpc.paging import page_of
from kho_server.rpc.principal_codec import principal_message
from kho_server.rpc.registry_codec import (
    agency_message,
    fingerprint_of,
    line_message,
    officer_message,
    said_agency,
    said_officer,
    said_principal,
)

_Context = grpc.aio.ServicerContext[Any, Any]
_Answer = TypeVar("_Answer", bound=Message)


class RegistryServicer(registry_service_pb2_grpc.RegistryServiceServicer):
    """Serves administrators, and everyone's questions about who is who."""

    def __init__(self, registration: Registration, lists: RegistryLists, once: Once, tokens: PageTokens) -> None:
        """Hand in the use cases."""
        self._registration = registration
        self._lists = lists
        self._once = once
        self._tokens = tokens

    async def RegisterAgencies(  # noqa: N802
        self, request: pb.RegisterAgenciesRequest, context: _Context
    ) -> pb.RegisterAgenciesResponse:
        """Register agencies, line by line."""
        caller = current_caller()

        async def do(_: Request) -> pb.RegisterAgenciesResponse:
            said = [said_agency(message) for message in request.agencies]
            lines = await self._registration.register_agencies(caller, request.officer_id, said)
            return pb.RegisterAgenciesResponse(lines=[line_message(line) for line in lines])

        return await self._done_once(caller, "RegisterAgencies", request, pb.RegisterAgenciesResponse, do)

    async def RegisterOfficers(  # noqa: N802
        self, request: pb.RegisterOfficersRequest, context: _Context
    ) -> pb.RegisterOfficersResponse:
        """Register officers, line by line."""
        caller = current_caller()

        async def do(_: Request) -> pb.RegisterOfficersResponse:
            said = [said_officer(message) for message in request.officers]
            lines = await self._registration.register_officers(caller, request.officer_id, said)
            return pb.RegisterOfficersResponse(lines=[line_message(line) for line in lines])

        return await self._done_once(caller, "RegisterOfficers", request, pb.RegisterOfficersResponse, do)

    async def RegisterPrincipals(  # noqa: N802
        self, request: pb.RegisterPrincipalsRequest, context: _Context
    ) -> pb.RegisterPrincipalsResponse:
        """Register callers, line by line."""
        caller = current_caller()

        async def do(asked: Request) -> pb.RegisterPrincipalsResponse:
            said = [said_principal(message) for message in request.principals]
            lines = await self._registration.register_principals(caller, request.officer_id, said, asked.made_id)
            return pb.RegisterPrincipalsResponse(lines=[line_message(line) for line in lines])

        return await self._done_once(caller, "RegisterPrincipals", request, pb.RegisterPrincipalsResponse, do)

    async def RevokeAgency(self, request: pb.RevokeAgencyRequest, context: _Context) -> pb.RevokeAgencyResponse:  # noqa: N802
        """Revoke an agency."""
        caller = current_caller()

        async def do(_: Request) -> pb.RevokeAgencyResponse:
            await self._registration.revoke_agency(caller, request.officer_id, request.agency_id, request.reason)
            return pb.RevokeAgencyResponse()

        return await self._done_once(caller, "RevokeAgency", request, pb.RevokeAgencyResponse, do)

    async def RevokeOfficer(self, request: pb.RevokeOfficerRequest, context: _Context) -> pb.RevokeOfficerResponse:  # noqa: N802
        """Revoke an officer."""
        caller = current_caller()

        async def do(_: Request) -> pb.RevokeOfficerResponse:
            await self._registration.revoke_officer(
                caller, request.acting_officer_id, request.agency_id, request.officer_id, request.reason
            )
            return pb.RevokeOfficerResponse()

        return await self._done_once(caller, "RevokeOfficer", request, pb.RevokeOfficerResponse, do)

    async def RevokePrincipal(  # noqa: N802
        self, request: pb.RevokePrincipalRequest, context: _Context
    ) -> pb.RevokePrincipalResponse:
        """Revoke a caller."""
        caller = current_caller()

        async def do(_: Request) -> pb.RevokePrincipalResponse:
            await self._registration.revoke_principal(caller, request.officer_id, request.principal_id, request.reason)
            return pb.RevokePrincipalResponse()

        return await self._done_once(caller, "RevokePrincipal", request, pb.RevokePrincipalResponse, do)

    async def ListAgencies(self, request: pb.ListAgenciesRequest, context: _Context) -> pb.ListAgenciesResponse:  # noqa: N802
        """List agencies by id."""
        caller, size, question = current_caller(), parse_page_size(request.page_size), "agencies"
        after = self._tokens.read(caller, question, request.page_token, 1)
        found = await self._lists.agencies(after[0] if after else "", size + 1)
        page, token = page_of(found, size, self._tokens, caller, question, lambda agency: [agency.agency_id])
        return pb.ListAgenciesResponse(agencies=[agency_message(agency) for agency in page], next_page_token=token)

    async def ListOfficers(self, request: pb.ListOfficersRequest, context: _Context) -> pb.ListOfficersResponse:  # noqa: N802
        """List officers by agency and id."""
        caller, size = current_caller(), parse_page_size(request.page_size)
        question = f"officers {request.agency_id}"
        after = self._tokens.read(caller, question, request.page_token, 2)
        found = await self._lists.officers(
            caller, request.agency_id, (after[0], after[1]) if after else ("", ""), size + 1
        )
        page, token = page_of(
            found, size, self._tokens, caller, question, lambda officer: [officer.agency_id, officer.officer_id]
        )
        return pb.ListOfficersResponse(officers=[officer_message(officer) for officer in page], next_page_token=token)

    async def ListPrincipals(self, request: pb.ListPrincipalsRequest, context: _Context) -> pb.ListPrincipalsResponse:  # noqa: N802
        """List callers by id."""
        caller, size = current_caller(), parse_page_size(request.page_size)
        question = f"principals {request.agency_id}"
        after = self._tokens.read(caller, question, request.page_token, 1)
        found = await self._lists.principals(caller, request.agency_id, UUID(after[0]) if after else None, size + 1)
        page, token = page_of(
            found, size, self._tokens, caller, question, lambda principal: [str(principal.principal_id)]
        )
        return pb.ListPrincipalsResponse(
            principals=[principal_message(principal) for principal in page], next_page_token=token
        )

    async def _done_once(
        self,
        caller: Caller,
        method: str,
        request: Any,
        answer: type[_Answer],
        do: Callable[[Request], Awaitable[_Answer]],
    ) -> _Answer:
        asked = Request.parse(caller, request.request_id, method, fingerprint_of(request))

        async def serialized() -> bytes:
            return (await do(asked)).SerializeToString()

        return answer.FromString(await self._once.answer(asked, serialized))
