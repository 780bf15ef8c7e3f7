"""An external PostgreSQL is reached by URL, and TLS means what its mode says."""

import datetime
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import asyncpg
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from kho_storage.postgres.binaries import find_binaries
from kho_storage.postgres.bounded_log import BoundedLog
from kho_storage.postgres.connection import ConnectionSettings
from kho_storage.postgres.embedded import EmbeddedPostgres
from kho_storage.postgres.passwords import Passwords
from kho_storage.postgres.postmaster import Postmaster
from kho_storage.postgres.rights import choose_rights
from kho_storage.postgres.tethered import TetheredProcess

_NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
_NOT_AFTER = datetime.datetime(2090, 1, 1, tzinfo=datetime.UTC)


class Authority:
    """A certification authority of one test."""

    def __init__(self, folder: Path, name: str) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        certificate = (
            self._builder(self._name, self._key.public_key())
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.file = folder / f"{name}.pem"
        self.file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))

    def issue(self, folder: Path, host: str) -> tuple[Path, Path]:
        """Write a server certificate for one DNS name, and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        certificate = (
            self._builder(subject, key.public_key())
            .add_extension(x509.SubjectAlternativeName([x509.DNSName(host)]), critical=False)
            .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
            .sign(self._key, hashes.SHA256())
        )
        certificate_file, key_file = folder / "server.pem", folder / "server.key"
        certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
        key_file.touch(0o600)
        key_file.write_bytes(
            key.private_bytes(
                serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
            )
        )
        return certificate_file, key_file

    def _builder(self, subject: x509.Name, key: ec.EllipticCurvePublicKey) -> x509.CertificateBuilder:
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key)
            .serial_number(x509.random_serial_number())
            .not_valid_before(_NOT_BEFORE)
            .not_valid_after(_NOT_AFTER)
        )


@dataclass(frozen=True)
class ExternalServer:
    """A PostgreSQL on TCP that speaks TLS only."""

    port: int
    password: str
    root: Path
    other_root: Path

    def settings(self, host: str, options: str) -> ConnectionSettings:
        return ConnectionSettings.from_url(f"postgresql://kho:{quote(self.password)}@{host}:{self.port}/kho?{options}")


@pytest.fixture
async def external(tmp_path: Path) -> AsyncIterator[ExternalServer]:
    data = tmp_path / "postgres"
    async with EmbeddedPostgres(data):
        pass
    cluster = data / "cluster"
    authority, other = Authority(tmp_path, "root"), Authority(tmp_path, "other")
    certificate, key = authority.issue(cluster, "localhost")
    with (cluster / "pg_hba.conf").open("a") as file:
        file.write("hostssl all all 127.0.0.1/32 scram-sha-256\n")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": port,
        "unix_socket_directories": "",
        "ssl": "on",
        "ssl_cert_file": certificate,
        "ssl_key_file": key,
    }
    arguments = ["-D", str(cluster)]
    for name, value in settings.items():
        arguments += ["-c", f"{name}={value}"]
    log = BoundedLog(tmp_path / "log")
    rights = choose_rights(cluster)
    process = await TetheredProcess.spawn(find_binaries().postgres, arguments, rights, death_signal=9, log=log)
    server = Postmaster(process, cluster, rights, log)
    await server.ready(30)
    yield ExternalServer(port, Passwords.load(data / "pgpass").service, authority.file, other.file)
    await server.stop(10)


async def encrypted(settings: ConnectionSettings) -> bool:
    async with asyncpg.create_pool(**settings.connect_args(), min_size=1, max_size=1) as pool:
        answer = await pool.fetchval("SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()")
        assert isinstance(answer, bool)
        return answer


async def test_what_each_mode_checks(external: ExternalServer) -> None:
    root, other = f"sslrootcert={external.root}", f"sslrootcert={external.other_root}"
    assert await encrypted(external.settings("localhost", f"sslmode=verify-full&{root}"))
    assert await encrypted(external.settings("127.0.0.1", f"sslmode=verify-ca&{root}"))
    assert await encrypted(external.settings("127.0.0.1", "sslmode=require"))
    for host, options in [
        ("127.0.0.1", f"sslmode=verify-full&{root}"),
        ("localhost", f"sslmode=verify-full&{other}"),
        ("localhost", f"sslmode=verify-ca&{other}"),
        ("localhost", f"sslmode=require&{other}"),
        ("localhost", "sslmode=verify-full"),
        ("localhost", "sslmode=verify-full&sslrootcert=system"),
    ]:
        with pytest.raises(ssl.SSLCertVerificationError):
            await encrypted(external.settings(host, options))


async def test_plain_text_is_not_tried_behind_our_back(external: ExternalServer) -> None:
    with pytest.raises(asyncpg.InvalidAuthorizationSpecificationError, match="no encryption"):
        await encrypted(external.settings("127.0.0.1", "sslmode=disable"))
