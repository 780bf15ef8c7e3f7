"""AccessService: wire in, domain out."""

from typing import Any
from uuid import UUID

import grpc

from kho.v1 import access_service_pb2 as pb
from kho.v1 import access_service_pb2_grpc
from kho_server.archive.granting import Granting
from kho_server.archive.once import Once, Request
from kho_server.archive.own_documents import OwnDocuments
from kho_server.archive.request_fields import parse_page_size
from kho_server.rpc.access_codec import access_message, grant_message, said_grant
from kho_server.rpc.current import current_caller
from kho_server.rpc.page_token import PageTokens
from kho_server.rpc.paging import page_of
from kho_server.rpc.registry_codec import fingerprint_of

_Context = grpc.aio.ServicerContext[Any, Any]


class AccessServicer(access_service_pb2_grpc.AccessServiceServicer):
    """Serves grants, and to agencies who had their documents."""

    def __init__(self, granting: Granting, own: OwnDocuments, once: Once, tokens: PageTokens) -> None:
        """Hand in the use cases."""
        self._granting = granting
        self._own = own
        self._once = once
        self._tokens = tokens

    async def AddGrant(self, request: pb.AddGrantRequest, context: _Context) -> pb.AddGrantResponse:  # noqa: N802
        """Add a grant."""
        caller = current_caller()
        asked = Request.parse(caller, request.request_id, "AddGrant", fingerprint_of(request))

        async def do() -> bytes:
            grant = await self._granting.add(caller, request.officer_id, said_grant(request.grant), asked.made_id())
            return pb.AddGrantResponse(grant=grant_message(grant)).SerializeToString()

        return pb.AddGrantResponse.FromString(await self._once.answer(asked, do))

    async def RevokeGrant(self, request: pb.RevokeGrantRequest, context: _Context) -> pb.RevokeGrantResponse:  # noqa: N802
        """Revoke a grant."""
        caller = current_caller()
        asked = Request.parse(caller, request.request_id, "RevokeGrant", fingerprint_of(request))

        async def do() -> bytes:
            await self._granting.revoke(caller, request.officer_id, request.grant_id, request.reason)
            return pb.RevokeGrantResponse().SerializeToString()

        return pb.RevokeGrantResponse.FromString(await self._once.answer(asked, do))

    async def ListGrants(self, request: pb.ListGrantsRequest, context: _Context) -> pb.ListGrantsResponse:  # noqa: N802
        """List grants by id."""
        caller, size, question = current_caller(), parse_page_size(request.page_size), "grants"
        after = self._tokens.read(caller, question, request.page_token, 1)
        found = await self._granting.grants(caller, UUID(after[0]) if after else None, size + 1)
        page, token = page_of(found, size, self._tokens, caller, question, lambda grant: [str(grant.grant_id)])
        return pb.ListGrantsResponse(grants=[grant_message(grant) for grant in page], next_page_token=token)

    async def ListAccessRecords(  # noqa: N802
        self, request: pb.ListAccessRecordsRequest, context: _Context
    ) -> pb.ListAccessRecordsResponse:
        """List who had an own document, newest first."""
        caller, size = current_caller(), parse_page_size(request.page_size)
        question = f"access records {request.document_id}"
        after = self._tokens.read_instant(caller, question, request.page_token)
        found = await self._own.accesses(caller, request.document_id, after, size + 1)
        page, token = page_of(
            found,
            size,
            self._tokens,
            caller,
            question,
            lambda listed: [listed.record.at.isoformat(), str(listed.record.access_id)],
        )
        return pb.ListAccessRecordsResponse(records=[access_message(listed) for listed in page], next_page_token=token)
