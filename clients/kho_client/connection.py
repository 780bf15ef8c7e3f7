"""How a client reaches a server: address, certificates, and the one way to open a channel."""

from dataclasses import dataclass
from pathlib import Path

import grpc

from kho_client.errors import LocalProblem, Text, local_problem

# The server allows pings every 30 s; asking more often earns GOAWAY too_many_pings (grpc #18656).
KEEPALIVE_MS = 40_000
KEEPALIVE_TIMEOUT_MS = 20_000
# A document of 10,000 pages is described in about 2 MiB; content never comes in messages over 256 KiB.
RECEIVE_BYTES = 32 * 1024 * 1024
SEND_BYTES = 4 * 1024 * 1024
_PORT_LIMIT = 65_536

_OPTIONS: tuple[tuple[str, int | str], ...] = (
    ("grpc.keepalive_time_ms", KEEPALIVE_MS),
    ("grpc.keepalive_timeout_ms", KEEPALIVE_TIMEOUT_MS),
    ("grpc.keepalive_permit_without_calls", 0),
    ("grpc.http2.max_pings_without_data", 0),
    ("grpc.max_receive_message_length", RECEIVE_BYTES),
    ("grpc.max_send_message_length", SEND_BYTES),
    # gRPC's own repetition knows nothing of acknowledged bytes; retry.py does it. Its wait before connecting again
    # grows to two minutes by default: a desk would stand still long after the link is back.
    ("grpc.enable_retries", 0),
    ("grpc.min_reconnect_backoff_ms", 1_000),
    ("grpc.initial_reconnect_backoff_ms", 500),
    ("grpc.max_reconnect_backoff_ms", 5_000),
    # Two callers in one process must never share a connection that speaks for the other's certificate.
    ("grpc.use_local_subchannel_pool", 1),
    ("grpc.enable_http_proxy", 0),
    ("grpc.primary_user_agent", "kho-client"),
)


@dataclass(frozen=True, slots=True)
class Connection:
    """Where the server is and who we are to it; `server` is HOST:PORT, files are PEM.

    Without `certificate` and `key` the server will refuse; LocalProblem ADDRESS_MALFORMED for a bad address.
    """

    server: str
    ca: Path
    certificate: Path | None = None
    key: Path | None = None

    def __post_init__(self) -> None:
        """Refuse an address that cannot be one."""
        host, _, port = self.server.rpartition(":")
        if not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < _PORT_LIMIT:
            text = Text(
                f"Địa chỉ máy chủ {self.server!r} không đúng; hãy viết HOST:PORT, ví dụ 127.0.0.1:7443.",
                f"The server address {self.server!r} is not HOST:PORT; write for example 127.0.0.1:7443.",
            )
            raise local_problem("ADDRESS_MALFORMED", text, server=self.server)

    @property
    def host(self) -> str:
        """Host name or address, without the brackets of IPv6."""
        return self.server.rpartition(":")[0].strip("[]")

    @property
    def port(self) -> int:
        """TCP port."""
        return int(self.server.rpartition(":")[2])


def open_channel(connection: Connection) -> grpc.aio.Channel:
    """Open a channel with mutual TLS, keepalive and no compression (pages are compressed already).

    The certificate files are read now; LocalProblem FILE_UNREADABLE names the one that cannot be.
    """
    certificate, key = connection.certificate, connection.key
    credentials = grpc.ssl_channel_credentials(
        root_certificates=read_local(connection.ca),
        private_key=read_local(key) if key else None,
        certificate_chain=read_local(certificate) if certificate else None,
    )
    return grpc.aio.secure_channel(
        connection.server, credentials, options=_OPTIONS, compression=grpc.Compression.NoCompression
    )


def read_local(path: Path) -> bytes:
    """Read a small file of this machine; LocalProblem FILE_UNREADABLE says which and why."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise file_unreadable(path, error) from error


def file_unreadable(path: Path, error: OSError) -> LocalProblem:
    """Return the error for a local file that cannot be read."""
    why = error.strerror or type(error).__name__
    return local_problem(
        "FILE_UNREADABLE",
        Text(
            f"Không đọc được tệp {path} ({why}). Hãy kiểm tra đường dẫn và quyền đọc.",
            f"The file {path} cannot be read ({why}). Check the path and your rights.",
        ),
        file=str(path),
    )
