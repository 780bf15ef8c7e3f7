"""ServerService: what this server is."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from importlib.metadata import version
from typing import Any

import grpc
from google.protobuf.timestamp_pb2 import Timestamp

from kho.v1 import server_service_pb2 as pb
from kho.v1.server_service_pb2_grpc import ServerServiceServicer
from kho_server.archive.limits import UploadLimits
from kho_server.rpc.current import current_caller
from kho_server.rpc.document_codec import limits_message
from kho_server.rpc.principal_codec import principal_message


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What is fixed while a server runs."""

    repository_id: str
    limits: UploadLimits
    batch_lines: int
    verify_bytes: int
    is_development: bool


class ServerInfoServicer(ServerServiceServicer):
    """Tells version, limits, clock, repository and who the caller is."""

    def __init__(self, facts: ServerFacts, clock: Callable[[], datetime]) -> None:
        """Tell these facts."""
        self._facts = facts
        self._clock = clock
        self._version = version("kho")

    async def GetServerInfo(  # noqa: N802
        self, request: pb.GetServerInfoRequest, context: "grpc.aio.ServicerContext[Any, Any]"
    ) -> pb.GetServerInfoResponse:
        """Return what this server is."""
        now = Timestamp()
        now.FromDatetime(self._clock())
        return pb.GetServerInfoResponse(
            version=self._version,
            repository_id=self._facts.repository_id,
            now=now,
            limits=limits_message(self._facts.limits),
            batch_lines=self._facts.batch_lines,
            verify_bytes=self._facts.verify_bytes,
            caller=principal_message(current_caller().principal),
            is_development=self._facts.is_development,
        )
