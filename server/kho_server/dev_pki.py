"""The development PKI: everything `kho serve --dev` needs to speak TLS and to judge signatures.

Never for a province: every private key lies unencrypted beside its certificate, and every name says
DEVELOPMENT ONLY.

    ca.crt, ca.key             root of the TLS certificates; the key stays, so that further desks can be let in
    server.crt, server.key     localhost, 127.0.0.1, ::1
    NAME.crt, NAME.key         callers, see `CALLERS`
    sign/officer.p12, sign/agency-a.p12           signers, no passphrase, with their chain
    sign/root.*, sign/issuing-ca.*                the signing authorities, kept so that lists can be re-made
    trust/                     anchor, intermediate and revocation lists: a trust folder for verification
"""

import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import NoEncryption, load_pem_private_key, pkcs12

from kho_server.dev_certificates import (
    BACKDATED,
    CLIENT_PURPOSE,
    SERVER_PURPOSE,
    Holder,
    distinguished_name,
    issue,
    issue_crl,
    signing_key,
    tls_key,
)

ORGANISATION = "DEVELOPMENT ONLY"
CALLERS = ("station", "agency-a", "agency-b", "agency-c", "operator", "admin")
SIGNERS = {"officer": "Cán bộ số hóa (DEVELOPMENT ONLY)", "agency-a": "Cơ quan agency-a (DEVELOPMENT ONLY)"}

AUTHORITY_LIFE = timedelta(days=3650)
CERTIFICATE_LIFE = timedelta(days=1825)
# A list that is long enough for any development server, short enough that the refresh is a real path.
CRL_LIFE = timedelta(days=365)
CRL_REFRESH_BEFORE = timedelta(days=7)

_AUTHORITY_USAGES = ("key_cert_sign", "crl_sign")
_SIGNER_USAGES = ("digital_signature", "content_commitment")


class DevPkiError(Exception):
    """The folder cannot serve as a development PKI; the message says what to do."""


@dataclass(frozen=True)
class DevPki:
    """Where the files of one development PKI lie."""

    folder: Path

    @property
    def ca(self) -> Path:
        """Root that signed the server and every caller."""
        return self.folder / "ca.crt"

    @property
    def ca_key(self) -> Path:
        """Private key of that root, PEM, mode 0600."""
        return self.folder / "ca.key"

    @property
    def server_certificate(self) -> Path:
        """The server's certificate for loopback names."""
        return self.folder / "server.crt"

    @property
    def server_key(self) -> Path:
        """The server's private key, PEM, mode 0600."""
        return self.folder / "server.key"

    @property
    def trust(self) -> Path:
        """Trust folder for verification."""
        return self.folder / "trust"

    def certificate(self, caller: str) -> Path:
        """Return the certificate of one of `CALLERS`."""
        return self.folder / f"{caller}.crt"

    def key(self, caller: str) -> Path:
        """Return the private key of one of `CALLERS`."""
        return self.folder / f"{caller}.key"

    def signer(self, name: str) -> Path:
        """Return the PKCS#12 file (no passphrase) of `officer` or `agency-a`."""
        return self.folder / "sign" / f"{name}.p12"

    def expected_files(self) -> tuple[Path, ...]:
        """Return every file that a complete folder holds."""
        sign, trust = self.folder / "sign", self.trust
        return (
            self.ca,
            self.ca_key,
            self.server_certificate,
            self.server_key,
            *(path for name in CALLERS for path in (self.certificate(name), self.key(name))),
            *(self.signer(name) for name in SIGNERS),
            *(sign / f"{name}.{end}" for name in ("root", "issuing-ca") for end in ("crt", "key")),
            *(trust / f"{name}.{end}" for name in ("root", "issuing-ca") for end in ("crt", "crl")),
        )


def write_dev_pki(folder: Path, *, now: datetime | None = None) -> DevPki:
    """Make a development PKI in `folder`, or take the complete one that is there.

    An existing one stays as it is, except that revocation lists with less than a week to run are made anew.
    The folder appears whole or not at all. DevPkiError: it holds something else, or only part of a PKI.
    """
    now = now or datetime.now(UTC)
    pki = DevPki(folder)
    if folder.exists() and any(folder.iterdir()):
        missing = [path.relative_to(folder) for path in pki.expected_files() if not path.is_file()]
        if missing:
            raise DevPkiError(
                f"{folder} is not a complete development PKI: {missing[0]} is missing"
                f" ({len(missing)} files in all). Name another folder, or delete this one to make it anew."
            )
        refresh_crls(pki, now=now)
        return pki
    folder.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=f".{folder.name}-", dir=folder.parent))
    try:
        _write_tls(DevPki(draft), now)
        _write_signing(DevPki(draft), now)
        draft.replace(folder)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return pki


def refresh_crls(pki: DevPki, *, now: datetime) -> bool:
    """Make revocation lists anew that end within a week, keeping their entries; tell whether any was."""
    refreshed = False
    for name in ("root", "issuing-ca"):
        current = x509.load_pem_x509_crl((pki.trust / f"{name}.crl").read_bytes())
        until = current.next_update_utc
        if until is None or until - now < CRL_REFRESH_BEFORE:
            _write_crl(pki, name, _entries(current), now)
            refreshed = True
    return refreshed


def revoke_signer(pki: DevPki, signer: str, *, at: datetime, now: datetime | None = None) -> None:
    """Put the certificate of a development signer on the issuing authority's list, as of `at`."""
    _, certificate, _ = pkcs12.load_key_and_certificates(pki.signer(signer).read_bytes(), None)
    assert certificate is not None
    current = x509.load_pem_x509_crl((pki.trust / "issuing-ca.crl").read_bytes())
    entries = [*_entries(current), (certificate.serial_number, at)]
    _write_crl(pki, "issuing-ca", entries, now or datetime.now(UTC))


def authority(pki: DevPki, name: str) -> Holder:
    """Read a signing authority (`root` or `issuing-ca`) with its key, to issue further test signers."""
    return _holder(pki.folder / "sign" / f"{name}.crt", pki.folder / "sign" / f"{name}.key")


def issue_caller(pki: DevPki, name: str, folder: Path, *, now: datetime) -> tuple[Path, Path]:
    """Write NAME.crt and NAME.key of a further caller into `folder`; whoever it is must still be registered."""
    valid = (now - BACKDATED, now + CERTIFICATE_LIFE)
    caller = _caller(name, _holder(pki.ca, pki.ca_key), valid)
    certificate, key = folder / f"{name}.crt", folder / f"{name}.key"
    _write(certificate, caller.certificate_pem())
    _write(key, caller.key_pem(), secret=True)
    return certificate, key


def issue_signer(pki: DevPki, common_name: str, path: Path, *, now: datetime) -> None:
    """Write the PKCS#12 file (no passphrase) of a further signer, whom the trust folder accepts."""
    issuing = authority(pki, "issuing-ca")
    signer = _signer(common_name, issuing, now)
    _write(path, pkcs12_of(signer, path.stem, (issuing, authority(pki, "root"))), secret=True)


def _write_tls(pki: DevPki, now: datetime) -> None:
    life = (now - BACKDATED, now + CERTIFICATE_LIFE)
    ca = issue(
        distinguished_name("Kho TLS root", ORGANISATION),
        tls_key(),
        None,
        usages=_AUTHORITY_USAGES,
        valid=(now - BACKDATED, now + AUTHORITY_LIFE),
        path_length=0,
        is_authority=True,
    )
    _write(pki.ca, ca.certificate_pem())
    _write(pki.ca_key, ca.key_pem(), secret=True)
    server = issue(
        distinguished_name("localhost", ORGANISATION),
        tls_key(),
        ca,
        usages=("digital_signature",),
        valid=life,
        hosts=("localhost", "127.0.0.1", "::1"),
        purposes=(SERVER_PURPOSE,),
    )
    _write(pki.server_certificate, server.certificate_pem())
    _write(pki.server_key, server.key_pem(), secret=True)
    for name in CALLERS:
        caller = _caller(name, ca, life)
        _write(pki.certificate(name), caller.certificate_pem())
        _write(pki.key(name), caller.key_pem(), secret=True)


def _write_signing(pki: DevPki, now: datetime) -> None:
    life = (now - BACKDATED, now + AUTHORITY_LIFE)
    root = issue(
        distinguished_name("Kho signing root", ORGANISATION),
        signing_key(),
        None,
        usages=_AUTHORITY_USAGES,
        valid=life,
        is_authority=True,
    )
    issuing = issue(
        distinguished_name("Kho issuing CA", ORGANISATION),
        signing_key(),
        root,
        usages=_AUTHORITY_USAGES,
        valid=life,
        path_length=0,
        is_authority=True,
    )
    for name, holder in (("root", root), ("issuing-ca", issuing)):
        _write(pki.folder / "sign" / f"{name}.crt", holder.certificate_pem())
        _write(pki.folder / "sign" / f"{name}.key", holder.key_pem(), secret=True)
        _write(pki.trust / f"{name}.crt", holder.certificate_pem())
        _write_crl(pki, name, (), now)
    for name, common_name in SIGNERS.items():
        signer = _signer(common_name, issuing, now)
        _write(pki.signer(name), pkcs12_of(signer, name, (issuing, root)), secret=True)


def _caller(name: str, ca: Holder, valid: tuple[datetime, datetime]) -> Holder:
    subject = distinguished_name(name, ORGANISATION)
    return issue(subject, tls_key(), ca, usages=("digital_signature",), valid=valid, purposes=(CLIENT_PURPOSE,))


def _signer(common_name: str, issuing: Holder, now: datetime) -> Holder:
    valid = (now - BACKDATED, now + CERTIFICATE_LIFE)
    subject = distinguished_name(common_name, ORGANISATION)
    return issue(subject, signing_key(), issuing, usages=_SIGNER_USAGES, valid=valid)


def _holder(certificate: Path, key: Path) -> Holder:
    private = load_pem_private_key(key.read_bytes(), None)
    assert isinstance(private, rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey)
    return Holder(private, x509.load_pem_x509_certificate(certificate.read_bytes()))


def pkcs12_of(signer: Holder, name: str, chain: Iterable[Holder]) -> bytes:
    """Pack a signer with its chain into PKCS#12 without a passphrase; `name` is the friendly name."""
    assert isinstance(signer.key, rsa.RSAPrivateKey)
    others = [holder.certificate for holder in chain]
    return pkcs12.serialize_key_and_certificates(name.encode(), signer.key, signer.certificate, others, NoEncryption())


def _entries(crl: x509.CertificateRevocationList) -> list[tuple[int, datetime]]:
    return [(entry.serial_number, entry.revocation_date_utc) for entry in crl]


def _write_crl(pki: DevPki, name: str, revoked: Iterable[tuple[int, datetime]], now: datetime) -> None:
    # Numbers must rise with each list (RFC 5280 section 5.2.3); seconds do, without a counter to keep.
    number = int(now.timestamp())
    valid = (now - BACKDATED, now + CRL_LIFE)
    pem = issue_crl(authority(pki, name), number=number, valid=valid, revoked=revoked)
    _write(pki.trust / f"{name}.crl", pem)


def _write(path: Path, content: bytes, *, secret: bool = False) -> None:
    path.parent.mkdir(exist_ok=True)
    draft = path.with_name(f".{path.name}.new")
    draft.unlink(missing_ok=True)
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600 if secret else 0o644), "wb") as out:
        out.write(content)
    draft.replace(path)
