"""A real gRPC server with mutual TLS and the gate, around servicers that a test can steer."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from kho.v1 import reuse_service_pb2 as reuse
from kho.v1 import upload_service_pb2 as upload
from kho.v1.reuse_service_pb2_grpc import ReuseServiceServicer, ReuseServiceStub, add_ReuseServiceServicer_to_server
from kho.v1.upload_service_pb2_grpc import UploadServiceServicer, UploadServiceStub, add_UploadServiceServicer_to_server
from kho_server.dev_pki import DevPki
from kho_server.metrics import Metrics
from kho_server.rpc.gate import Gate
from kho_server.rpc.identity import Identity
from kho_server.rpc.live_calls import LiveCalls
from kho_server.rpc.revocations import Revocations
from kho_server.rpc.tls import ServerTls, TlsFiles
from kho_storage.catalog.database import Database
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.standing import PostgresStanding
from kho_storage.records.registry import Actor, Principal, PrincipalKind

SERVER = Actor(None, None)
MESSAGE_BYTES = 64 * 1024


async def answer_nothing(request: Any) -> None:
    """Do nothing, successfully."""


@dataclass
class Steered:
    """What the servicers do; a test replaces what it needs."""

    begin: Callable[[Any], Awaitable[None]] = answer_nothing
    small: Callable[[AsyncIterator[Any]], Awaitable[None]] = answer_nothing
    parts: Callable[[AsyncIterator[Any]], AsyncIterator[Any]] | None = None
    reuse: Callable[[Any], AsyncIterator[Any]] | None = None


class SteeredUploads(UploadServiceServicer):
    """Unary, client-streaming and bidirectional calls."""

    def __init__(self, steered: Steered) -> None:
        self._steered = steered

    async def Begin(self, request: Any, context: Any) -> upload.BeginResponse:  # noqa: N802
        await self._steered.begin(request)
        return upload.BeginResponse(version=1)

    async def Commit(self, request: Any, context: Any) -> upload.CommitResponse:  # noqa: N802
        return upload.CommitResponse()

    async def UploadSmall(self, request_iterator: Any, context: Any) -> upload.UploadSmallResponse:  # noqa: N802
        await self._steered.small(request_iterator)
        return upload.UploadSmallResponse()

    async def UploadParts(self, request_iterator: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        assert self._steered.parts is not None
        async for answer in self._steered.parts(request_iterator):
            yield answer


class SteeredReuse(ReuseServiceServicer):
    """A server-streaming call in the reader-writer style."""

    def __init__(self, steered: Steered) -> None:
        self._steered = steered

    async def Reuse(self, request: Any, context: Any) -> None:  # type: ignore[override]  # noqa: N802 - both styles are served
        assert self._steered.reuse is not None
        async for answer in self._steered.reuse(request):
            await context.write(answer)


class ManualClock:
    """A clock that stands at the real time of its making until it is moved."""

    def __init__(self) -> None:
        self.now = datetime.now(UTC)

    def __call__(self) -> datetime:
        return self.now


@dataclass
class GuardedServer:
    """The server with its parts, and channels to it."""

    pki: DevPki
    port: int
    steered: Steered
    registry: PostgresRegistry
    identity: Identity
    live: LiveCalls
    revocations: Revocations
    metrics: Metrics
    clock: ManualClock
    tls: ServerTls
    server: grpc.aio.Server
    channels: list[grpc.aio.Channel] = field(default_factory=list)

    def channel(self, name: str | None, pki: DevPki | None = None) -> Any:
        """Open a connection of its own with a caller's certificate (None: without one)."""
        pki = pki or self.pki
        credentials = grpc.ssl_channel_credentials(
            pki.ca.read_bytes(),
            pki.key(name).read_bytes() if name else None,
            pki.certificate(name).read_bytes() if name else None,
        )
        options = [("grpc.use_local_subchannel_pool", 1), ("grpc.max_receive_message_length", -1)]
        opened = grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options=options)
        self.channels.append(opened)
        return opened

    def uploads(self, name: str = "station") -> Any:
        """Return a stub of the steered upload service; generated types describe the blocking one."""
        return UploadServiceStub(self.channel(name))

    def reuses(self, name: str = "station") -> Any:
        """Return a stub of the steered reuse service."""
        return ReuseServiceStub(self.channel(name))

    async def register(self, name: str, pki: DevPki | None = None, **changes: Any) -> UUID:
        """Register a caller's certificate by fingerprint, as an operator, and return the principal's id."""
        certificate = x509.load_pem_x509_certificate((pki or self.pki).certificate(name).read_bytes())
        facts: dict[str, Any] = {
            "principal_id": uuid4(),
            "kind": PrincipalKind.OPERATOR,
            "agency_uuid": None,
            "agency_id": None,
            "display_name": name,
            "certificate_sha256": certificate.fingerprint(SHA256()).hex(),
            "issuer_key_sha256": None,
            "subject": None,
            "default_officer_id": None,
            "valid_from": self.clock.now - timedelta(days=1),
            "valid_to": None,
            "revoked_at": None,
        }
        principal = Principal(**(facts | changes))
        await self.registry.register_principal(principal, SERVER, self.clock.now)
        return principal.principal_id

    async def revoke(self, principal_id: UUID) -> None:
        """Revoke a caller in the database alone, as another server would."""
        await self.registry.revoke_principal(principal_id, "test", SERVER, self.clock.now)

    def calls_of(self, method: str, code: str) -> float:
        """Return how many calls the metrics count."""
        labels = {"method": method, "code": code}
        return self.metrics.registry.get_sample_value("kho_rpcs_total", labels) or 0.0


@asynccontextmanager
async def guarded_server(
    catalog: Database, pki: DevPki, files: TlsFiles, *, streams_per_principal: int = 4, concurrent_rpcs: int = 16
) -> AsyncIterator[GuardedServer]:
    """Run a server over a database; everything is stopped at the end."""
    steered, clock, metrics = Steered(), ManualClock(), Metrics()
    registry, tls = PostgresRegistry(catalog), ServerTls(files)
    live = LiveCalls(metrics, concurrent_rpcs=concurrent_rpcs, streams_per_principal=streams_per_principal)
    identity = Identity(registry, lambda: tls.material.authorities, clock, stale_after=timedelta(seconds=4))
    revocations = Revocations(PostgresStanding(catalog), identity, live, clock, metrics)
    gate = Gate(identity, live, metrics, message_bytes=MESSAGE_BYTES)
    server = grpc.aio.server(interceptors=[gate], options=[("grpc.max_receive_message_length", 4 * MESSAGE_BYTES)])
    add_UploadServiceServicer_to_server(SteeredUploads(steered), server)
    add_ReuseServiceServicer_to_server(SteeredReuse(steered), server)
    port = server.add_secure_port("127.0.0.1:0", tls.credentials())
    await server.start()
    guarded = GuardedServer(pki, port, steered, registry, identity, live, revocations, metrics, clock, tls, server)
    try:
        yield guarded
    finally:
        for channel in guarded.channels:
            await channel.close()
        await server.stop(None)


def reuse_request() -> reuse.ReuseRequest:
    """Return a request that the steered service ignores."""
    return reuse.ReuseRequest()
