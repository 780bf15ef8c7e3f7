"""Certificates for tests of TLS: one authority, a server, and callers of every kind that must be refused."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

from kho_client.connection import Connection
from kho_server.dev_certificates import (
    CLIENT_PURPOSE,
    SERVER_PURPOSE,
    Holder,
    distinguished_name,
    issue,
    tls_key,
)

_NOW = datetime.now(UTC)
VALID = (_NOW - timedelta(days=30), _NOW + timedelta(days=30))
EXPIRED = (_NOW - timedelta(days=30), _NOW - timedelta(days=1))
FUTURE = (_NOW + timedelta(days=1), _NOW + timedelta(days=30))


class TlsFolder:
    """Files of one test PKI: ca.crt, foreign-ca.crt, and NAME.crt, NAME.key for good, expired, future, foreign."""

    def __init__(self, folder: Path) -> None:
        """Make all of it."""
        self.folder = folder
        authority, foreign = _authority("Test root"), _authority("Foreign root")
        (folder / "ca.crt").write_bytes(authority.certificate_pem())
        (folder / "foreign-ca.crt").write_bytes(foreign.certificate_pem())
        hosts = ("localhost", "127.0.0.1")
        self.server = issue(
            distinguished_name("localhost", "Test"),
            tls_key(),
            authority,
            usages=("digital_signature",),
            valid=VALID,
            hosts=hosts,
            purposes=(SERVER_PURPOSE,),
        )
        for name, issuer, valid in (
            ("good", authority, VALID),
            ("expired", authority, EXPIRED),
            ("future", authority, FUTURE),
            ("foreign", foreign, VALID),
        ):
            subject = distinguished_name(name, "Test")
            usages = ("digital_signature",)
            caller = issue(subject, tls_key(), issuer, usages=usages, valid=valid, purposes=(CLIENT_PURPOSE,))
            (folder / f"{name}.crt").write_bytes(caller.certificate_pem())
            (folder / f"{name}.key").write_bytes(caller.key_pem())

    def connection(self, port: int, caller: str | None = "good", *, ca: str = "ca.crt") -> Connection:
        """Return a connection to a loopback port as one of the callers, or as nobody."""
        where, authority = f"127.0.0.1:{port}", self.folder / ca
        if caller is None:
            return Connection(where, authority)
        return Connection(where, authority, self.folder / f"{caller}.crt", self.folder / f"{caller}.key")


def _authority(name: str) -> Holder:
    subject = distinguished_name(name, "Test")
    return issue(subject, tls_key(), None, usages=("key_cert_sign",), valid=VALID, is_authority=True)
