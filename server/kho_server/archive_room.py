"""The use cases of a running server, and the servicers that speak for them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta

import grpc

from kho.v1.server_service_pb2_grpc import add_ServerServiceServicer_to_server
from kho_server.archive.limits import UploadLimits
from kho_server.archive.observer import Observer
from kho_server.background import Background
from kho_server.byte_room import ByteRoom
from kho_server.config import Config
from kho_server.disk_room import DiskRoom
from kho_server.index_room import IndexRoom
from kho_server.metrics import Metrics
from kho_server.rpc.server_info import ServerFacts, ServerInfoServicer
from kho_server.verification.port import SignatureVerifier

AddServicer = Callable[[grpc.aio.Server], None]


@dataclass(frozen=True, slots=True)
class House:
    """What the use cases stand on."""

    config: Config
    clock: Callable[[], datetime]
    room: ByteRoom
    index: IndexRoom
    disk: DiskRoom
    verifier: SignatureVerifier
    observer: Observer
    metrics: Metrics
    registry_changed: Callable[[], None]


@dataclass(slots=True)
class ArchiveRoom:
    """What a server serves: servicers, what must be settled before, and what goes on beside."""

    servicers: dict[str, AddServicer] = field(default_factory=dict)
    before_serving: list[Callable[[], Awaitable[object]]] = field(default_factory=list)
    beside: list[Callable[[Background], None]] = field(default_factory=list)

    async def settle(self) -> None:
        """Do what must be done before anyone is served."""
        for step in self.before_serving:
            await step()

    def start(self, background: Background) -> None:
        """Begin what goes on beside the calls."""
        for begin in self.beside:
            begin(background)


def upload_limits(config: Config) -> UploadLimits:
    """Return the limits of uploading as configured."""
    return UploadLimits(
        chunk_bytes=config.chunk_bytes,
        page_bytes=config.page_bytes,
        rendition_bytes=config.rendition_bytes,
        pages=config.pages,
        unacknowledged_bytes=config.unacknowledged_bytes,
        acknowledge_every_s=config.acknowledge_every_s,
        stall_timeout_s=config.stall_timeout_s,
        lease=timedelta(seconds=config.lease_s),
    )


def archive_room(house: House) -> ArchiveRoom:
    """Build the use cases and their servicers."""
    config = house.config
    room = ArchiveRoom()
    facts = ServerFacts(
        repository_id=config.repository_id,
        limits=upload_limits(config),
        batch_lines=config.batch_lines,
        verify_bytes=config.verify_bytes,
        is_development=config.dev,
    )
    info = ServerInfoServicer(facts, house.clock)
    room.servicers["kho.v1.ServerService"] = lambda server: add_ServerServiceServicer_to_server(info, server)
    return room
