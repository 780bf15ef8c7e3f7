"""How to reach a PostgreSQL: the embedded one or an external one named by a URL."""

import ipaddress
import re
import ssl
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from kho_storage.postgres.tls import TLS_MODES, TlsSettings

DEFAULT_PORT = 5432
_HOST_PORT = re.compile(r"(?P<host>\[[0-9A-Fa-f:.]+\]|[^:\[\]]*)(?::(?P<port>\d{1,5}))?\Z")
_KNOWN = {"sslmode", "sslrootcert", "sslcert", "sslkey", "application_name", "host", "port"}


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """Everything asyncpg needs to connect; the password never shows in `repr` or `str`.

    A `host` that starts with `/` is a socket folder. Without a password asyncpg looks in the pgpass file.
    """

    host: str
    user: str
    database: str
    port: int = DEFAULT_PORT
    password: str | None = field(default=None, repr=False)
    tls: TlsSettings | None = None
    application_name: str = "kho"

    @classmethod
    def from_url(cls, url: str) -> "ConnectionSettings":
        """Parse `postgresql://user:password@host:port/database?sslmode=verify-full&sslrootcert=FILE`.

        Without `sslmode`, a socket or loopback address is reached in the clear and every other host with
        verify-full. `allow` and `prefer` are refused: whoever stands between turns them into plain text.
        ValueError: the URL cannot be used; the message never repeats it, for it holds a password.
        """
        try:
            parts = urlsplit(url)
        except ValueError:
            # Its own words may repeat the password.
            raise ValueError("the database URL cannot be read: check brackets and special letters") from None
        if parts.scheme not in ("postgresql", "postgres"):
            raise ValueError("a database URL starts with postgresql://")
        options = _options(parts)
        credentials, _, address = parts.netloc.rpartition("@")
        user, _, password = credentials.partition(":")
        host, port = _host_and_port(address, options)
        database = unquote(parts.path.lstrip("/"))
        if not user or not database:
            raise ValueError("a database URL names a user and a database: postgresql://user@host/database")
        return cls(
            host=host,
            port=port,
            user=unquote(user),
            database=database,
            password=unquote(password) or None,
            tls=_tls(host, options),
            application_name=options.get("application_name", "kho"),
        )

    def with_database(self, database: str) -> "ConnectionSettings":
        """Return the same settings for another database of the same server."""
        return replace(self, database=database)

    def connect_args(self) -> dict[str, Any]:
        """Return keyword arguments for `asyncpg.connect` and `asyncpg.create_pool`.

        Reads the TLS files anew, so that renewed certificates are taken; OSError when one is gone.
        """
        return {
            "host": self.host,
            "port": self.port,
            "user": self.user,
            "database": self.database,
            "password": self.password,
            # An explicit False keeps asyncpg from reading PGSSLMODE and trying TLS on its own.
            "ssl": self.tls.context() if self.tls else False,
            "server_settings": {"application_name": self.application_name},
        }

    def __str__(self) -> str:
        """Name the server as a log may show it, without the password."""
        return f"{self.user}@{self.host}:{self.port}/{self.database}"


def _options(parts: SplitResult) -> dict[str, str]:
    """Return the options behind `?`; an unknown one is refused, for silence could mean less protection."""
    options = dict(parse_qsl(parts.query, keep_blank_values=True))
    unknown = sorted(set(options) - _KNOWN)
    if unknown:
        raise ValueError(f"unknown option in the database URL; known are {', '.join(sorted(_KNOWN))}")
    return options


def _host_and_port(address: str, options: dict[str, str]) -> tuple[str, int]:
    """Return host or socket folder, and port; `?host=` names a socket folder as libpq has it."""
    match = _HOST_PORT.match(address)
    if match is None or "," in address:
        raise ValueError("the database URL needs one host, and a port in digits")
    host = unquote(match["host"]).strip("[]") or options.get("host", "")
    port = match["port"] or options.get("port") or str(DEFAULT_PORT)
    if not host:
        raise ValueError("the database URL names no host (a socket folder is written ?host=/run/postgresql)")
    if not port.isdecimal() or not 0 < int(port) < 65536:
        raise ValueError("the port of the database URL is not between 1 and 65535")
    return host, int(port)


def _tls(host: str, options: dict[str, str]) -> TlsSettings | None:
    """Return what `sslmode` and its files ask for, checked by building the context once."""
    mode = options.get("sslmode", "disable" if _is_local(host) else "verify-full")
    if host.startswith("/") or mode == "disable":
        return None
    for known in TLS_MODES:
        if mode == known:
            break
    else:
        raise ValueError(f"sslmode must be disable, {', '.join(TLS_MODES)}")
    files = {name: options.get(name) for name in ("sslrootcert", "sslcert", "sslkey")}
    root = None if files["sslrootcert"] == "system" else files["sslrootcert"]
    settings = TlsSettings(
        mode=known,
        root_certificate=Path(root) if root else None,
        certificate=Path(files["sslcert"]) if files["sslcert"] else None,
        key=Path(files["sslkey"]) if files["sslkey"] else None,
    )
    try:
        settings.context()
    except (OSError, ssl.SSLError) as error:
        raise ValueError(
            f"a TLS file of the database URL cannot be used ({error}); check sslrootcert, sslcert and sslkey"
        ) from error
    return settings


def _is_local(host: str) -> bool:
    """Tell whether bytes to this host never leave the machine."""
    if host.startswith("/") or host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
