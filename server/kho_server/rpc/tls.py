"""Mutual TLS of the server: always on, and renewed without a restart.

gRPC asks for the configuration at every new connection, on a thread of its own; the files are read again when one of
them has changed. Files that do not fit together keep the earlier ones in use: a renewal in two steps must not close
the door. TLS 1.2 and 1.3, as gRPC has it.
"""

import logging
import threading
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TypeAlias

import grpc
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

_log = logging.getLogger(__name__)

# Larger files are no certificates of ours; a bundle of every authority of the web has 220 KB.
_FILE_BYTES = 1024 * 1024
Stamps: TypeAlias = tuple[tuple[int, int, int], ...]


class TlsUnusable(Exception):
    """The TLS files cannot be served with; the message names the file and says what to do."""


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files: the server's chain (leaf first), its private key, and the authorities of clients."""

    certificate: Path
    key: Path
    client_ca: Path

    def stamps(self) -> Stamps:
        """Return what changes when a file is written or replaced; OSError when one is gone."""
        stats = (path.stat() for path in (self.certificate, self.key, self.client_ca))
        return tuple((stat.st_mtime_ns, stat.st_size, stat.st_ino) for stat in stats)


@dataclass(frozen=True, slots=True)
class TlsMaterial:
    """Files that fit together, read."""

    chain_pem: bytes
    key_pem: bytes
    authorities_pem: bytes
    chain: tuple[x509.Certificate, ...]
    authorities: tuple[x509.Certificate, ...]

    @classmethod
    def read(cls, files: TlsFiles) -> "TlsMaterial":
        """Read and compare. TlsUnusable: a file cannot be read, or the key is not the certificate's."""
        chain_pem, chain = _certificates(files.certificate, "the server's certificate (--tls-cert)")
        authorities_pem, authorities = _certificates(files.client_ca, "the authorities of clients (--client-ca)")
        key_pem = _content(files.key, "the server's private key (--tls-key)")
        try:
            key = load_pem_private_key(key_pem, None)
        except (ValueError, TypeError) as error:
            raise TlsUnusable(f"{files.key} holds no unencrypted PEM private key") from error
        spki = (Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        if key.public_key().public_bytes(*spki) != chain[0].public_key().public_bytes(*spki):
            raise TlsUnusable(f"the key in {files.key} is not that of the first certificate in {files.certificate}")
        return cls(chain_pem, key_pem, authorities_pem, chain, authorities)

    def configuration(self) -> grpc.ServerCertificateConfiguration:
        """Return this as gRPC takes it."""
        return grpc.ssl_server_certificate_configuration([(self.key_pem, self.chain_pem)], self.authorities_pem)

    def days_left(self, now: datetime) -> dict[str, float]:
        """Return the days until the server's certificate and the first client authority end, by use."""
        ends = {
            "server": min(each.not_valid_after_utc for each in self.chain),
            "client_ca": min(each.not_valid_after_utc for each in self.authorities),
        }
        return {use: (end - now).total_seconds() / 86_400 for use, end in ends.items()}


class ServerTls:
    """The TLS files in use; safe to ask from any thread."""

    def __init__(self, files: TlsFiles) -> None:
        """Read the files. TlsUnusable: they cannot be served with."""
        self._files = files
        self._lock = threading.Lock()
        self._stamps = _stamps(files)
        self._material = TlsMaterial.read(files)

    @property
    def material(self) -> TlsMaterial:
        """What is in use now."""
        return self._material

    def credentials(self) -> grpc.ServerCredentials:
        """Return credentials that demand a client certificate and follow the files."""
        return grpc.dynamic_ssl_server_credentials(
            self._material.configuration(),
            self.renewed,  # type: ignore[arg-type]  # the stub forgets that None means "no change"
            require_client_authentication=True,
        )

    def renewed(self) -> grpc.ServerCertificateConfiguration | None:
        """Return the configuration if the files have changed and fit together, else None: go on as before."""
        with self._lock:
            try:
                stamps = _stamps(self._files)
                if stamps == self._stamps:
                    return None
                material = TlsMaterial.read(self._files)
            except TlsUnusable as error:
                _log.warning("changed TLS files are not used, the earlier ones stay: %s", error)
                return None
            self._stamps, self._material = stamps, material
        _log.info("TLS files were read again")
        return material.configuration()


def _stamps(files: TlsFiles) -> Stamps:
    try:
        return files.stamps()
    except OSError as error:
        raise TlsUnusable(f"the TLS file {error.filename} cannot be read: {error.strerror}") from error


def _content(path: Path, what: str) -> bytes:
    try:
        with path.open("rb") as file:
            content = file.read(_FILE_BYTES + 1)
    except OSError as error:
        raise TlsUnusable(f"{what}, {path}, cannot be read: {error.strerror}") from error
    if len(content) > _FILE_BYTES:
        raise TlsUnusable(f"{what}, {path}, is larger than {_FILE_BYTES} bytes: is it the right file?")
    return content


def _certificates(path: Path, what: str) -> tuple[bytes, tuple[x509.Certificate, ...]]:
    content = _content(path, what)
    try:
        found = tuple(x509.load_pem_x509_certificates(content))
    except ValueError as error:
        raise TlsUnusable(f"{what}, {path}, holds no PEM certificate") from error
    if not found:
        raise TlsUnusable(f"{what}, {path}, holds no PEM certificate")
    return content, found
