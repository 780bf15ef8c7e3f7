"""The wire side of a running server: TLS, the gate, the gRPC server, health and reflection."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import grpc
from grpc_health.v1.health_pb2_grpc import add_HealthServicer_to_server
from grpc_reflection.v1alpha._async import ReflectionServicer
from grpc_reflection.v1alpha.reflection_pb2_grpc import add_ServerReflectionServicer_to_server

from kho_server.archive.refusals import Reason, Refusal
from kho_server.config import Config
from kho_server.metrics import Metrics
from kho_server.rpc.gate import Gate
from kho_server.rpc.health import Health
from kho_server.rpc.identity import Identity, PrincipalDirectory
from kho_server.rpc.live_calls import LiveCalls
from kho_server.rpc.revocations import Revocations, Standing
from kho_server.rpc.tls import ServerTls
from kho_server.rpc.wire import HARD_LIMIT_FACTOR
from kho_server.setting import Address, CannotListen

if TYPE_CHECKING:
    from kho_server.archive_room import AddServicer

_HEALTH = "grpc.health.v1.Health"
_REFLECTION = "grpc.reflection.v1alpha.ServerReflection"
# What ends between the end of draining and the end of the process.
_LAST_WORDS_S = 1.0
_TELL_WATCHERS_S = 0.1


@dataclass(slots=True)
class WireRoom:
    """The door of the server; `serve` opens it, `drain` closes it."""

    config: Config
    tls: ServerTls
    live: LiveCalls
    identity: Identity
    revocations: Revocations
    health: Health
    _metrics: Metrics
    _server: grpc.aio.Server | None = None

    @classmethod
    def build(
        cls,
        config: Config,
        tls: ServerTls,
        directory: PrincipalDirectory,
        standing: Standing,
        clock: Callable[[], datetime],
        metrics: Metrics,
    ) -> "WireRoom":
        """Put the parts together; nothing listens yet."""
        live = LiveCalls(
            metrics, concurrent_rpcs=config.concurrent_rpcs, streams_per_principal=config.streams_per_principal
        )
        stale_after = timedelta(seconds=2 * config.revocation_poll_s)
        identity = Identity(directory, lambda: tls.material.authorities, clock, stale_after=stale_after)
        revocations = Revocations(standing, identity, live, clock, metrics)
        return cls(config, tls, live, identity, revocations, Health(), metrics)

    async def serve(self, servicers: "Mapping[str, AddServicer]") -> Address:
        """Listen and serve; return the address. CannotListen: somebody else does."""
        gate = Gate(self.identity, self.live, self._metrics, message_bytes=self.config.message_bytes)
        server = grpc.aio.server(interceptors=[gate], options=server_options(self.config))
        for add in servicers.values():
            add(server)
        self.health.know(servicers)
        add_HealthServicer_to_server(self.health.servicer, server)
        names = (*servicers, _HEALTH, _REFLECTION)
        add_reflection: Callable[..., None] = add_ServerReflectionServicer_to_server  # published without types
        add_reflection(ReflectionServicer(names), server)
        listen = self.config.listen
        try:
            port = server.add_secure_port(str(listen), self.tls.credentials())
        except RuntimeError as error:
            raise CannotListen(f"--listen {listen} cannot be listened on: is another server there?") from error
        await server.start()
        self._server = server
        return Address(listen.host, port)

    async def drain(self, drain_s: float) -> None:
        """Refuse new calls, let open ones finish for so many seconds, end the others, close. Idempotent."""
        server, self._server = self._server, None
        if server is None:
            return
        self.live.drain()
        await self.health.drain()
        await self.live.drained(drain_s)
        # Watchers of health are not waited for, yet they should hear why: writing to them takes a moment.
        await asyncio.sleep(_TELL_WATCHERS_S)
        self.live.end_all(Refusal(Reason.SERVER_DRAINING))
        await server.stop(_LAST_WORDS_S)


def server_options(config: Config) -> list[tuple[str, int | str]]:
    """Return what gRPC is told; everything that a stranger could stretch is bounded."""
    return [
        ("grpc.max_receive_message_length", HARD_LIMIT_FACTOR * config.message_bytes),
        ("grpc.max_send_message_length", -1),
        ("grpc.max_concurrent_streams", config.concurrent_rpcs),
        ("grpc.max_allowed_incoming_connections", config.connections),
        ("grpc.max_metadata_size", 8 * 1024),
        ("grpc.absolute_max_metadata_size", 16 * 1024),
        # A peer that opens a connection and says nothing holds it this long, not the two minutes of the default.
        ("grpc.server_handshake_timeout_ms", 20_000),
        # Two servers on one port would share its connections at random instead of being refused.
        ("grpc.so_reuseport", 0),
        # Stations ping every 30 to 40 s through closed networks; without this they earn GOAWAY too_many_pings (#18656).
        ("grpc.http2.min_ping_interval_without_data_ms", 20_000),
        ("grpc.keepalive_permit_without_calls", 1),
        # A desk whose power was cut is noticed after at most a minute and a half.
        ("grpc.keepalive_time_ms", 60_000),
        ("grpc.keepalive_timeout_ms", 20_000),
        # With probing, windows grow with bandwidth: 16 streams that nobody read held 16 MiB each. With a fixed window
        # of 1 MiB they hold 1 MiB each, and one stream is as fast: 350 MB/s through TLS on two cores (2026-11).
        ("grpc.http2.bdp_probe", 0),
        ("grpc.http2.lookahead_bytes", 4 * config.chunk_bytes),
    ]
