"""Says why TLS failed, because gRPC cannot.

A client certificate that is expired, of a foreign authority, or missing looks to gRPC like "Socket closed".
So, when a call fails that way:
1. look at our own certificate and key: missing, unreadable, not yet valid, expired, not a pair;
2. open TCP: nobody there is SERVER_UNREACHABLE;
3. do the TLS handshake: a server certificate that our CA file does not vouch for is SERVER_CERTIFICATE_NOT_TRUSTED;
4. read once. In TLS 1.3 the server judges the client's certificate after the client's handshake is over, so
   its no arrives with the first read: as an alert, or, from gRPC's server, as a plain end of the connection.
   A server that accepts us sends its HTTP/2 settings unasked.
An end without alert may also be a server that stops just now: it is asked a second time before we blame anyone.
"""

import asyncio
import socket
import ssl
from dataclasses import dataclass
from datetime import datetime
from enum import Enum

from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from kho_client.connection import Connection, read_local
from kho_client.errors import KhoError, ServerUnreachable, Text, TlsRefused, local_problem

PROBE_TIMEOUT_S = 5.0
_ASK_AGAIN_AFTER_S = 0.3
_REFUSING_ALERTS = ("CERTIFICATE", "UNKNOWN_CA", "ACCESS_DENIED", "HANDSHAKE_FAILURE")


class Handshake(Enum):
    """What the server's side of a handshake said."""

    ACCEPTED = "accepted"
    CLIENT_EXPIRED = "client expired"
    CLIENT_REFUSED = "client refused"
    SERVER_NOT_TRUSTED = "server not trusted"
    UNREACHABLE = "unreachable"


@dataclass(frozen=True, slots=True)
class ProbeResult:
    """Outcome of one probe, a detail in English for operators, and the server's certificate (DER) if it came."""

    handshake: Handshake
    detail: str
    server_certificate: bytes | None = None


def check_own_certificate(connection: Connection, now: datetime) -> x509.Certificate | None:
    """Read our certificate and key; None when none is set.

    Raises TlsRefused CLIENT_CERTIFICATE_EXPIRED or CLIENT_CERTIFICATE_NOT_YET_VALID, and LocalProblem
    FILE_UNREADABLE, CLIENT_CERTIFICATE_UNREADABLE or CLIENT_KEY_MISMATCH.
    """
    if connection.certificate is None or connection.key is None:
        return None
    certificate_pem, key_pem = read_local(connection.certificate), read_local(connection.key)
    try:
        certificate = x509.load_pem_x509_certificate(certificate_pem)
        key = load_pem_private_key(key_pem, None)
    except (ValueError, TypeError) as error:
        raise local_problem("CLIENT_CERTIFICATE_UNREADABLE", _UNREADABLE, detail=str(error)) from error
    form = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    if key.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        raise local_problem("CLIENT_KEY_MISMATCH", _MISMATCH)
    if now > certificate.not_valid_after_utc:
        raise _expired(f"{certificate.not_valid_after_utc:%Y-%m-%d}")
    if now < certificate.not_valid_before_utc:
        raise TlsRefused("UNAUTHENTICATED", "CLIENT_CERTIFICATE_NOT_YET_VALID", _NOT_YET)
    return certificate


async def explain_unreachable(connection: Connection, error: KhoError, now: datetime) -> KhoError:
    """Return the reason behind a failed connection: TlsRefused if certificates do not fit, else `error`."""
    try:
        check_own_certificate(connection, now)
    except KhoError as own:
        # An expired certificate is only to blame if there is a server that could have refused it.
        result = await asyncio.to_thread(probe, connection, with_certificate=False)
        return error if result.handshake is Handshake.UNREACHABLE else own
    result = await asyncio.to_thread(probe, connection)
    if result.handshake is Handshake.CLIENT_REFUSED:
        await asyncio.sleep(_ASK_AGAIN_AFTER_S)
        result = await asyncio.to_thread(probe, connection)
    return refusal_of(result, connection) or error


def refusal_of(result: ProbeResult, connection: Connection) -> KhoError | None:
    """Return what a probe found as an error; None when TLS is not the trouble."""
    match result.handshake:
        case Handshake.CLIENT_EXPIRED:
            return _expired(None)
        case Handshake.CLIENT_REFUSED if connection.certificate is None:
            return TlsRefused("UNAUTHENTICATED", "CLIENT_CERTIFICATE_MISSING", _MISSING)
        case Handshake.CLIENT_REFUSED:
            return TlsRefused("UNAUTHENTICATED", "CLIENT_CERTIFICATE_NOT_ACCEPTED", _NOT_ACCEPTED)
        case Handshake.SERVER_NOT_TRUSTED:
            metadata = {"detail": result.detail}
            return TlsRefused("UNAVAILABLE", "SERVER_CERTIFICATE_NOT_TRUSTED", _SERVER, metadata=metadata)
        case Handshake.UNREACHABLE:
            return unreachable(connection, result.detail)
        case Handshake.ACCEPTED:
            return None


def unreachable(connection: Connection, detail: str) -> ServerUnreachable:
    """Return the error for a server that does not answer at all."""
    where = connection.server
    text = Text(
        f"Không liên lạc được với máy chủ {where}. Hãy kiểm tra địa chỉ, đường truyền và máy chủ có đang chạy không.",
        f"No server answers at {where}. Check the address, the link and whether the server is running.",
    )
    metadata = {"server": where, "detail": detail}
    return ServerUnreachable("UNAVAILABLE", "SERVER_UNREACHABLE", text, retryable=True, metadata=metadata)


def probe(connection: Connection, *, with_certificate: bool = True) -> ProbeResult:
    """Do steps 2 to 4 once, blocking for at most a few seconds."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.set_alpn_protocols(["h2"])
    try:
        context.load_verify_locations(connection.ca)
        if with_certificate and connection.certificate and connection.key:
            context.load_cert_chain(connection.certificate, connection.key)
    except (OSError, ssl.SSLError) as error:
        return ProbeResult(Handshake.SERVER_NOT_TRUSTED, f"the certificate files cannot be used: {error}")
    try:
        with socket.create_connection((connection.host, connection.port), PROBE_TIMEOUT_S) as link:
            return _shake(context, link, connection.host)
    except OSError as error:
        return ProbeResult(Handshake.UNREACHABLE, error.strerror or str(error))


def _shake(context: ssl.SSLContext, link: socket.socket, host: str) -> ProbeResult:
    certificate: bytes | None = None
    try:
        with context.wrap_socket(link, server_hostname=host) as tls:
            certificate = tls.getpeercert(binary_form=True)
            if tls.recv(9):  # a frame header of HTTP/2 (RFC 9113 section 4.1): it talks to us
                return ProbeResult(Handshake.ACCEPTED, "", certificate)
            return ProbeResult(Handshake.CLIENT_REFUSED, "the server ended the connection", certificate)
    except OSError as error:
        handshake, detail = _judge(error, is_after_handshake=certificate is not None)
        return ProbeResult(handshake, detail, certificate)


def _judge(error: OSError, *, is_after_handshake: bool) -> tuple[Handshake, str]:
    """Tell from how TLS failed whose certificate was refused, if one was."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return Handshake.SERVER_NOT_TRUSTED, error.verify_message
    if isinstance(error, ssl.SSLError):
        why = error.reason or str(error)
        if "ALERT_CERTIFICATE_EXPIRED" in why:
            return Handshake.CLIENT_EXPIRED, why
        if "ALERT" in why and any(word in why for word in _REFUSING_ALERTS):
            return Handshake.CLIENT_REFUSED, why
        return Handshake.UNREACHABLE, f"TLS failed: {why}"
    if isinstance(error, ConnectionError) and is_after_handshake:
        return Handshake.CLIENT_REFUSED, "the server reset the connection"
    return Handshake.UNREACHABLE, error.strerror or str(error)


def _expired(day: str | None) -> TlsRefused:
    when_vi, when_en = (f" ngày {day}", f" on {day}") if day else ("", "")
    text = Text(
        f"Chứng thư của máy này đã hết hạn{when_vi}. Hãy xin quản trị Kho cấp chứng thư mới.",
        f"The certificate of this machine expired{when_en}. Ask the administrator of the Kho for a new one.",
    )
    metadata = {"expired_on": day} if day else {}
    return TlsRefused("UNAUTHENTICATED", "CLIENT_CERTIFICATE_EXPIRED", text, metadata=metadata)


_MISSING = Text(
    "Máy chủ đòi chứng thư của máy trạm mà chưa có. Hãy chỉ ra bằng --cert và --key, hoặc KHO_CERT và KHO_KEY.",
    "The server asks for a client certificate and none is set. Name it with --cert and --key, or KHO_CERT and KHO_KEY.",
)
_NOT_ACCEPTED = Text(
    "Máy chủ không nhận chứng thư của máy này: nó do nơi khác cấp. Hãy xin quản trị Kho chứng thư của kho này.",
    "The server does not accept this machine's certificate: another authority issued it. Ask the administrator.",
)
_NOT_YET = Text(
    "Chứng thư của máy này chưa đến ngày có hiệu lực. Hãy kiểm tra đồng hồ của máy.",
    "The certificate of this machine is not valid yet. Check this machine's clock.",
)
_UNREADABLE = Text(
    "Không đọc được chứng thư hoặc khóa của máy này; cần tệp PEM không có mật khẩu.",
    "This machine's certificate or key cannot be read; PEM files without a passphrase are needed.",
)
_MISMATCH = Text(
    "Chứng thư và khóa của máy này không phải một cặp. Hãy kiểm tra --cert và --key.",
    "This machine's certificate and key do not belong together. Check --cert and --key.",
)
_SERVER = Text(
    "Không tin được chứng thư của máy chủ: tệp --ca hoặc tên máy chủ không khớp. Hãy hỏi quản trị Kho.",
    "The server's certificate is not trusted: the --ca file or the host name does not fit. Ask the administrator.",
)
