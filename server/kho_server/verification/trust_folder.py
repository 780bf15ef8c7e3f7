"""The trust folder: anchors, intermediates and revocation lists as files, PEM or DER, in any order.

A self-signed certificate is an anchor, any other certificate an intermediate. A `trust.toml` beside them may say
more about anchors, by the SHA-256 of their certificate:

    [[anchor]]
    sha256 = "..."              # of the DER
    hierarchy = "government"    # free text, told in reports
    uses = ["signature"]        # "signature", "time-stamp"; both without a word
    since = 2020-01-01          # trusted from this UTC day on
    until = 2030-01-01          # sunset: trusted before this UTC day

Files whose name begins with a dot are left alone. Reloaded when a file changes; an empty folder trusts nobody.
"""

import hashlib
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from enum import StrEnum
from pathlib import Path
from typing import Any

from asn1crypto import crl, ocsp, pem, x509

from kho_server.verification.public_keys import is_issued_by

# An operator fills this folder, so these only catch a wrong folder: a national list of revoked certificates
# has some 10 MB.
MAX_FILES = 1000
MAX_FILE_BYTES = 64 * (1 << 20)

RULES_NAME = "trust.toml"

_Stamp = tuple[tuple[str, int, int, int], ...]


class TrustUse(StrEnum):
    """What an anchor is asked for."""

    SIGNATURE = "signature"
    TIME_STAMP = "time-stamp"


@dataclass(frozen=True)
class Anchor:
    """A trusted certificate, for what, and from when until when beyond its own dates."""

    certificate: x509.Certificate
    hierarchy: str = ""
    uses: frozenset[TrustUse] = frozenset(TrustUse)
    since: datetime | None = None
    until: datetime | None = None

    def serves(self, use: TrustUse) -> bool:
        """Tell whether the anchor is trusted for this at all."""
        return use in self.uses


@dataclass(frozen=True)
class TrustMaterial:
    """What one state of the folder holds; `version` is the SHA-256 over its files.

    `unreadable` names files that were left out because they hold neither certificates nor lists. `is_embedded`
    asks for no trust at all: certificates in the file are enough, and only integrity is judged.
    """

    version: str
    anchors: tuple[Anchor, ...] = ()
    intermediates: tuple[x509.Certificate, ...] = ()
    crls: tuple[crl.CertificateList, ...] = ()
    unreadable: tuple[str, ...] = ()
    ocsps: tuple[ocsp.OCSPResponse, ...] = ()
    is_embedded: bool = False


EMBEDDED = TrustMaterial(version="embedded", is_embedded=True)
"""Nobody is trusted and nobody is asked for: `kho verify --trust embedded`."""


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
        anchors: dict[bytes, Anchor] = {}
        rules: Mapping[str, _AnchorRule] = {}
        intermediates: dict[bytes, x509.Certificate] = {}
        crls: dict[bytes, crl.CertificateList] = {}
        unreadable: list[str] = []
        if RULES_NAME in names:
            try:
                content = _read(self._folder / RULES_NAME)
                rules = _rules(content)
                version.update(hashlib.sha256(content).digest())
            except (OSError, ValueError, TypeError, KeyError, AttributeError):
                unreadable.append(RULES_NAME)
        for name in names:
            if name == RULES_NAME:
                continue
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
                    anchors[one.dump()] = _anchor(one, rules)
                else:
                    intermediates[one.dump()] = one
        return TrustMaterial(
            version.hexdigest(),
            tuple(anchors.values()),
            tuple(intermediates.values()),
            tuple(crls.values()),
            tuple(unreadable),
        )


class NoTrustFolder(TrustFolder):
    """Stands where a folder would: nobody is trusted and nobody is asked for."""

    def __init__(self) -> None:
        """Look nowhere."""
        super().__init__(Path())

    def material(self) -> TrustMaterial:
        """Return `EMBEDDED`."""
        return EMBEDDED


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
    return certificate.subject == certificate.issuer and is_issued_by(certificate, certificate)


@dataclass(frozen=True)
class _AnchorRule:
    hierarchy: str
    uses: frozenset[TrustUse]
    since: datetime | None
    until: datetime | None


def _rules(content: bytes) -> Mapping[str, _AnchorRule]:
    rows: list[dict[str, Any]] = tomllib.loads(content.decode())["anchor"]
    return {
        str(row["sha256"]).replace(":", "").lower(): _AnchorRule(
            str(row.get("hierarchy", "")),
            frozenset(TrustUse(use) for use in row.get("uses", list(TrustUse))),
            _instant(row.get("since")),
            _instant(row.get("until")),
        )
        for row in rows
    }


def _anchor(certificate: x509.Certificate, rules: Mapping[str, _AnchorRule]) -> Anchor:
    rule = rules.get(certificate.sha256.hex())
    if rule is None:
        return Anchor(certificate)
    return Anchor(certificate, rule.hierarchy, rule.uses, rule.since, rule.until)


def _instant(day: date | None) -> datetime | None:
    return None if day is None else datetime.combine(day, time(), UTC)
