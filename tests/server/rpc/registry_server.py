"""A real gRPC server with mutual TLS, the gate and the registry's servicers over a real PostgreSQL."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc

from kho.v1.access_service_pb2_grpc import AccessServiceStub, add_AccessServiceServicer_to_server
from kho.v1.registry_service_pb2_grpc import RegistryServiceStub, add_RegistryServiceServicer_to_server
from kho_server.archive.disclosure import Disclosure
from kho_server.archive.granting import Granting
from kho_server.archive.observer import Observer
from kho_server.archive.once import Once
from kho_server.archive.own_documents import OwnDocuments
from kho_server.archive.registration import Registration
from kho_server.archive.registry_lists import RegistryLists
from kho_server.archive.standing import Standing
from kho_server.bootstrap import register_development
from kho_server.dev_pki import DevPki
from kho_server.metrics import Metrics
from kho_server.rpc.access import AccessServicer
from kho_server.rpc.gate import Gate
from kho_server.rpc.identity import Identity
from kho_server.rpc.live_calls import LiveCalls
from kho_server.rpc.page_token import PageTokens
from kho_server.rpc.registry import RegistryServicer
from kho_server.rpc.revocations import Revocations
from kho_server.rpc.tls import ServerTls, TlsFiles
from kho_storage.catalog.answers import PostgresAnswerBook
from kho_storage.catalog.database import Database
from kho_storage.catalog.documents import PostgresDocuments
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.standing import PostgresStanding
from kho_storage.catalog.verdicts import PostgresVerdicts
from tests.doubles.memory_access import MemoryAccessLog


def utc_now() -> datetime:
    """Return the instant it is: certificates are judged by it."""
    return datetime.now(UTC)


@dataclass
class RegistryServer:
    """The server, and stubs to it by caller; generated types describe the blocking ones."""

    pki: DevPki
    port: int
    catalog: Database
    channels: dict[str, grpc.aio.Channel] = field(default_factory=dict)

    def registry(self, name: str = "admin") -> Any:
        """Return a stub of RegistryService."""
        return RegistryServiceStub(self._channel(name))

    def access(self, name: str = "admin") -> Any:
        """Return a stub of AccessService."""
        return AccessServiceStub(self._channel(name))

    async def events(self) -> int:
        """Count what happened so far."""
        row = await self.catalog.fetch_one("SELECT count(*) FROM kho.event")
        assert row is not None
        return int(row[0])

    def _channel(self, name: str) -> Any:
        if name not in self.channels:
            credentials = grpc.ssl_channel_credentials(
                self.pki.ca.read_bytes(), self.pki.key(name).read_bytes(), self.pki.certificate(name).read_bytes()
            )
            options = [("grpc.use_local_subchannel_pool", 1)]
            self.channels[name] = grpc.aio.secure_channel(f"127.0.0.1:{self.port}", credentials, options=options)
        return self.channels[name]


@asynccontextmanager
async def registry_server(catalog: Database, pki: DevPki) -> AsyncIterator[RegistryServer]:
    """Run a server with the callers of a development server."""
    registry, metrics = PostgresRegistry(catalog), Metrics()
    await register_development(registry, pki.folder, utc_now())
    tls = ServerTls(TlsFiles(pki.server_certificate, pki.server_key, pki.ca))
    live = LiveCalls(metrics, concurrent_rpcs=64, streams_per_principal=8)
    identity = Identity(registry, lambda: tls.material.authorities, utc_now, stale_after=timedelta(seconds=60))
    revocations = Revocations(PostgresStanding(catalog), identity, live, utc_now, metrics)
    server = grpc.aio.server(interceptors=[Gate(identity, live, metrics, message_bytes=1 << 20)])
    once, tokens, log = Once(PostgresAnswerBook(catalog), utc_now), PageTokens(b"k" * 32), MemoryAccessLog()
    own = OwnDocuments(
        documents=PostgresDocuments(catalog),
        verdicts=PostgresVerdicts(catalog),
        registry=registry,
        access=log,
        disclosure=Disclosure(registry, log, b"a" * 32, utc_now, Observer()),
        standing=Standing(),
        clock=utc_now,
    )
    registration = Registration(registry, utc_now, revocations.registry_changed)
    granting = Granting(registry, utc_now, revocations.registry_changed)
    add_RegistryServiceServicer_to_server(RegistryServicer(registration, RegistryLists(registry), once, tokens), server)
    add_AccessServiceServicer_to_server(AccessServicer(granting, own, once, tokens), server)
    port = server.add_secure_port("127.0.0.1:0", tls.credentials())
    await server.start()
    running = RegistryServer(pki, port, catalog)
    try:
        yield running
    finally:
        for channel in running.channels.values():
            await channel.close()
        await server.stop(None)
