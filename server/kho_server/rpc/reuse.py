"""ReuseService: wire in, domain out."""

from collections.abc import AsyncIterator, Callable
from datetime import datetime
from typing import Any

import grpc

from kho.v1 import reuse_service_pb2 as pb
from kho.v1 import reuse_service_pb2_grpc
from kho_server.archive.handing_out import HandingOut
from kho_server.rpc.content_stream import content_data, content_header
from kho_server.rpc.current import current_caller
from kho_server.rpc.document_codec import part_id
from kho_server.rpc.result_codec import result_message

_Context = grpc.aio.ServicerContext[Any, Any]


class ReuseServicer(reuse_service_pb2_grpc.ReuseServiceServicer):
    """Serves the one door out."""

    def __init__(self, handing_out: HandingOut, clock: Callable[[], datetime]) -> None:
        """Hand in the use case."""
        self._handing_out = handing_out
        self._clock = clock

    async def Reuse(self, request: pb.ReuseRequest, context: _Context) -> AsyncIterator[pb.ReuseResponse]:  # noqa: N802
        """Stream a result's content for a dossier."""
        wanted = part_id(request.part, "part") if request.HasField("part") else None
        parcel = await self._handing_out.reuse(
            current_caller(),
            request.request_id,
            request.code,
            request.purpose.dossier_code,
            request.purpose.procedure_code,
            request.purpose.officer_id,
            wanted,
            request.offset,
            request.limit,
        )
        assert parcel.result is not None
        async with self._handing_out.sending(parcel) as pieces:
            yield pb.ReuseResponse(
                header=pb.ReuseHeader(
                    content=content_header(parcel),
                    result=result_message(parcel.result, self._clock(), with_owners=parcel.is_own),
                )
            )
            async for data in content_data(parcel, pieces):
                yield pb.ReuseResponse(data=data)
