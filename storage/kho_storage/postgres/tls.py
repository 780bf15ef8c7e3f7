"""How a connection to an external PostgreSQL is protected."""

import ssl
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

TlsMode = Literal["require", "verify-ca", "verify-full"]
TLS_MODES: tuple[TlsMode, ...] = get_args(TlsMode)


@dataclass(frozen=True, slots=True)
class TlsSettings:
    """TLS as libpq's words mean it: `require` encrypts, `verify-ca` knows the issuer, `verify-full` the host.

    `root_certificate` is a PEM file; None means the system's trust store. With one, `require` checks the
    issuer as well (libpq does the same). Source: PostgreSQL documentation, "SSL Support" of libpq.
    """

    mode: TlsMode
    root_certificate: Path | None = None
    certificate: Path | None = None
    key: Path | None = None

    def context(self) -> ssl.SSLContext:
        """Read the files and return the context; OSError or ssl.SSLError when one cannot be used."""
        context = ssl.create_default_context(cafile=self.root_certificate)
        context.check_hostname = self.mode == "verify-full"
        if self.mode == "require" and self.root_certificate is None:
            context.verify_mode = ssl.CERT_NONE
        if self.certificate is not None:
            context.load_cert_chain(self.certificate, self.key)
        return context
