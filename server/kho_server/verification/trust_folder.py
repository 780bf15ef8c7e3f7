"""The trust folder: anchors, intermediates and revocation lists as files, PEM or DER, in any order.

A self-signed certificate is an anchor, any other certificate an intermediate. Files whose name begins with a
dot are left alone. Reloaded when a file changes; an empty folder trusts nobody.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from asn1crypto import crl, pem, x509
from cryptography.exceptions import InvalidSignature
from cryptography.x509 import load_der_x509_certificate

# An operator fills this folder, so these only catch a wrong folder: a national list of revoked certificates
# has some 10 MB.
MAX_FILES = 1000
MAX_FILE_BYTES = 64 * (1 << 20)

_Stamp = tuple[tuple[str, int, int, int], ...]


@dataclass(frozen=True)
class TrustMaterial:
    """What one state of the folder holds; `version` is the SHA-256 over its files.

    `unreadable` names files that were left out because they hold neither certificates nor lists.
    """

    version: str
    anchors: tuple[x509.Certificate, ...] = ()
    intermediates: tuple[x509.Certificate, ...] = ()
    crls: tuple[crl.CertificateList, ...] = ()
    unreadable: tuple[str, ...] = ()


class TrustFolder:
    """Reads a trust folder and reads it again only when its files have changed."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._stamp: _Stamp | None = None
        self._material = TrustMaterial(version="")

    def material(self) -> TrustMaterial:
        """Return what the folder holds now; costs one stat per file while nothing changes.

        A folder that is missing or may not be read is an empty one. A file that cannot be read is left out
        and named in `unreadable`.
        """
        stamp = tuple(self._stamps())
        if stamp != self._stamp:
            self._material = self._load([name for name, *_ in stamp])
            self._stamp = stamp
        return self._material

    def _stamps(self) -> Iterator[tuple[str, int, int, int]]:
        try:
            paths = sorted(path for path in self._folder.iterdir() if not path.name.startswith("."))
        except OSError:
            return
        for path in paths[:MAX_FILES]:
            try:
                state = path.stat()
            except OSError:
                continue  # taken away between the two calls
            if path.is_file():
                # The inode tells a replaced file of the same size within the clock's grain.
                yield path.name, state.st_size, state.st_mtime_ns, state.st_ino

    def _load(self, names: list[str]) -> TrustMaterial:
        version = hashlib.sha256()
        anchors: dict[bytes, x509.Certificate] = {}
        intermediates: dict[bytes, x509.Certificate] = {}
        crls: dict[bytes, crl.CertificateList] = {}
        unreadable: list[str] = []
        for name in names:
            try:
                content = _read(self._folder / name)
                parsed = [_parse(der) for der in _blocks(content)]
            except (OSError, ValueError, TypeError):
                unreadable.append(name)
                continue
            version.update(hashlib.sha256(content).digest())
            for one in parsed:
                if isinstance(one, crl.CertificateList):
                    crls[one.dump()] = one
                elif _is_self_signed(one):
                    anchors[one.dump()] = one
                else:
                    intermediates[one.dump()] = one
        return TrustMaterial(
            version.hexdigest(),
            tuple(anchors.values()),
            tuple(intermediates.values()),
            tuple(crls.values()),
            tuple(unreadable),
        )


def _read(path: Path) -> bytes:
    with path.open("rb") as source:
        content = source.read(MAX_FILE_BYTES + 1)
    if not content or len(content) > MAX_FILE_BYTES:
        raise ValueError("empty, or far larger than any certificate or list")
    return content


def _blocks(content: bytes) -> Iterator[bytes]:
    if pem.detect(content):
        yield from (der for _, _, der in pem.unarmor(content, multiple=True))
    else:
        yield content


def _parse(der: bytes) -> x509.Certificate | crl.CertificateList:
    try:
        certificate: x509.Certificate = x509.Certificate.load(der, strict=True)
        # asn1crypto parses on demand: ask for everything now, while the file can still be named.
        _ = certificate.native, certificate.ca
        return certificate
    except ValueError:
        revocations: crl.CertificateList = crl.CertificateList.load(der, strict=True)
        _ = revocations["tbs_cert_list"]["issuer"].native, revocations["signature_algorithm"].native
        return revocations


def _is_self_signed(certificate: x509.Certificate) -> bool:
    if certificate.subject != certificate.issuer:
        return False
    parsed = load_der_x509_certificate(certificate.dump())
    try:
        parsed.verify_directly_issued_by(parsed)
    except (InvalidSignature, TypeError, ValueError):
        return False
    return True
