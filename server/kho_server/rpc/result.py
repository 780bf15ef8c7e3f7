"""ResultService: wire in, domain out."""

from typing import Any

import grpc

from kho.v1 import error_reason_pb2, result_service_pb2_grpc
from kho.v1 import result_service_pb2 as pb
from kho_server.archive.lookup import Found, Lookup
from kho_server.rpc.current import current_caller
from kho_server.rpc.result_codec import result_message
from kho_server.rpc.status import told_of
from kho_storage.records.access import AccessAction

_Context = grpc.aio.ServicerContext[Any, Any]


class ResultServicer(result_service_pb2_grpc.ResultServiceServicer):
    """Serves look-ups."""

    def __init__(self, lookup: Lookup) -> None:
        """Hand in the use case."""
        self._lookup = lookup

    async def LookupResult(self, request: pb.LookupResultRequest, context: _Context) -> pb.LookupResultResponse:  # noqa: N802
        """Look one code up."""
        caller = current_caller()
        day = self._lookup.day(request.on)
        officer = await self._lookup.officer(caller, request.officer_id)
        found = await self._lookup.one(caller, officer, request.code, AccessAction.LOOKUP)
        return pb.LookupResultResponse(result=result_message(found.result, day, with_owners=found.is_own))

    async def BatchLookupResults(  # noqa: N802
        self, request: pb.BatchLookupResultsRequest, context: _Context
    ) -> pb.BatchLookupResultsResponse:
        """Look codes up, one line each."""
        caller = current_caller()
        day = self._lookup.day(request.on)
        officer = await self._lookup.officer(caller, request.officer_id)
        answers = await self._lookup.batch(caller, officer, request.codes)
        lines = []
        for answer in answers:
            if isinstance(answer, Found):
                lines.append(pb.LookupLine(result=result_message(answer.result, day, with_owners=answer.is_own)))
            else:
                lines.append(pb.LookupLine(refusal=line_refusal(answer)))
        return pb.BatchLookupResultsResponse(lines=lines)


def line_refusal(error: Exception) -> pb.LineRefusal:
    """Return why one line was refused, as a single call would have been told."""
    told = told_of(error)
    return pb.LineRefusal(
        reason=error_reason_pb2.ErrorReason.Value(f"ERROR_REASON_{told.reason.value}"),
        message_vi=told.text_vi,
        message_en=told.text_en,
    )
