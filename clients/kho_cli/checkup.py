"""The checks of `kho doctor`: from this machine's files to the health of the server, each with a remedy."""

import asyncio
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from cryptography import x509
from grpc import aio
from grpc_health.v1 import health_pb2

from kho.v1 import registry_pb2, server_service_pb2
from kho_client.certificate_check import Handshake, ProbeResult, check_own_certificate, probe, refusal_of
from kho_client.connection import Connection
from kho_client.errors import KhoError, ServerUnreachable, Text
from kho_client.kho import KhoClient

Status = Literal["ok", "warn", "fail", "skipped"]

# A month is what issuing a certificate takes where the token must be fetched in person.
EXPIRES_SOON_DAYS = 30
SKEW_WARN_S = 5.0
SKEW_FAIL_S = 60.0


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `error` is set when it failed with one."""

    name: str
    status: Status
    detail: Text
    remedy: Text | None = None
    error: KhoError | None = None


async def check_up(client: KhoClient, now: Callable[[], datetime]) -> AsyncIterator[Finding]:
    """Yield findings from the nearest to the farthest; what needs a failed one is skipped."""
    connection = client.calls.connection
    own = _own_certificate(connection, now())
    yield own
    result = await asyncio.to_thread(probe, connection)
    async for finding in _tls(result, connection, now()):
        yield finding
    if result.handshake is not Handshake.ACCEPTED or own.status == "fail":
        for name in ("registration", "clock", "health"):
            yield Finding(name, "skipped", Text("chưa kiểm tra được", "could not be checked"))
        return
    asked_at = now()
    try:
        info = await client.server_info()
    except KhoError as error:
        yield _failed("registration", error)
        yield Finding("clock", "skipped", Text("chưa kiểm tra được", "could not be checked"))
    else:
        yield _registration(info)
        yield _clock(info, asked_at, now())
    yield await _health(client)


def _own_certificate(connection: Connection, now: datetime) -> Finding:
    try:
        certificate = check_own_certificate(connection, now)
    except KhoError as error:
        return _failed("certificate", error)
    if certificate is None:
        return Finding(
            "certificate",
            "fail",
            Text("chưa có chứng thư", "no certificate is set"),
            Text("Nêu --cert và --key.", "Name --cert and --key."),
        )
    return _dates("certificate", certificate, now)


def _dates(name: str, certificate: x509.Certificate, now: datetime) -> Finding:
    days = (certificate.not_valid_after_utc - now).days
    until = f"{certificate.not_valid_after_utc:%Y-%m-%d}"
    detail = Text(f"còn {days} ngày (đến {until})", f"{days} days left (until {until})")
    if days >= EXPIRES_SOON_DAYS:
        return Finding(name, "ok", detail)
    return Finding(name, "warn", detail, Text("Xin cấp chứng thư mới ngay.", "Ask for a new certificate now."))


async def _tls(result: ProbeResult, connection: Connection, now: datetime) -> AsyncIterator[Finding]:
    where = connection.server
    if result.handshake is Handshake.UNREACHABLE:
        error = refusal_of(result, connection)
        assert error is not None
        yield _failed("connection", error)
        return
    yield Finding("connection", "ok", Text(f"{where} có trả lời", f"{where} answers"))
    if result.server_certificate is not None:
        yield _dates("server certificate", x509.load_der_x509_certificate(result.server_certificate), now)
    refusal = refusal_of(result, connection)
    if refusal is None:
        yield Finding("tls", "ok", Text("hai bên chấp nhận nhau", "both sides accept each other"))
    else:
        yield _failed("tls", refusal)


def _registration(info: server_service_pb2.GetServerInfoResponse) -> Finding:
    caller = info.caller
    kind = registry_pb2.PrincipalKind.Name(caller.kind).removeprefix("PRINCIPAL_KIND_").lower()
    words = ", ".join(word for word in (caller.display_name, kind, caller.agency_id) if word)
    return Finding(
        "registration",
        "ok",
        Text(
            f"là {words}; kho {info.repository_id}, phiên bản {info.version}",
            f"you are {words}; repository {info.repository_id}, version {info.version}",
        ),
    )


def _clock(info: server_service_pb2.GetServerInfoResponse, asked_at: datetime, answered_at: datetime) -> Finding:
    # The server looked at its clock somewhere between; the middle is wrong by half of the way there and back at most.
    middle = asked_at + (answered_at - asked_at) / 2
    skew_s = (info.now.ToDatetime(UTC) - middle).total_seconds()
    detail = Text(f"lệch {skew_s:+.1f} giây so với máy chủ", f"{skew_s:+.1f} s against the server")
    remedy = Text("Bật đồng bộ giờ (NTP) trên máy này.", "Switch time synchronisation (NTP) on.")
    if abs(skew_s) > SKEW_FAIL_S:
        return Finding("clock", "fail", detail, remedy)
    return Finding("clock", "warn", detail, remedy) if abs(skew_s) > SKEW_WARN_S else Finding("clock", "ok", detail)


async def _health(client: KhoClient) -> Finding:
    check = client.calls.channel.unary_unary(
        "/grpc.health.v1.Health/Check",
        request_serializer=health_pb2.HealthCheckRequest.SerializeToString,
        response_deserializer=health_pb2.HealthCheckResponse.FromString,
    )
    try:
        answer = await check(health_pb2.HealthCheckRequest(), timeout=10)
    except aio.AioRpcError as error:
        return _failed("health", await client.calls.understood(error))
    if answer.status == health_pb2.HealthCheckResponse.SERVING:
        return Finding("health", "ok", Text("máy chủ sẵn sàng", "the server is ready"))
    return Finding(
        "health",
        "fail",
        Text("máy chủ chưa sẵn sàng (cơ sở dữ liệu hoặc đĩa)", "the server is not ready (database or disk)"),
        Text("Báo người vận hành Kho.", "Tell the operator of the Kho."),
    )


def _failed(name: str, error: KhoError) -> Finding:
    text = Text(error.message_vi, error.message_en)
    remedy = None
    if isinstance(error, ServerUnreachable):
        remedy = Text("Xem --server và tường lửa.", "Look at --server and the firewall.")
    elif error.reason == "CLIENT_CERTIFICATE_UNKNOWN":
        remedy = Text("Nhờ quản trị chạy: kho principal add", "Have an administrator run: kho principal add")
    return Finding(name, "fail", text, remedy, error)
