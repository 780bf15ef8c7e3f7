"""Builds the ways from a certificate up to an anchor; only links whose signature holds are followed.

A hundred authorities of one name are a hundred signature checks, not a hundred factorial ways.
"""

from collections.abc import Iterable, Iterator
from datetime import datetime

from asn1crypto import x509
from pyhanko_certvalidator.authority import CertTrustAnchor, TrustQualifiers, derive_quals_from_cert
from pyhanko_certvalidator.path import ValidationPath

from kho_server.verification.public_keys import is_issued_by
from kho_server.verification.trust_folder import Anchor, TrustUse

MAX_DEPTH = 10
MAX_PATHS = 16
MAX_CHECKS = 400


class PathFinder:
    """Finds paths over a set of certificates; remembers which signatures hold."""

    def __init__(self, anchors: Iterable[Anchor], others: Iterable[x509.Certificate]) -> None:
        self._anchors: dict[object, list[Anchor]] = {}
        for anchor in anchors:
            self._anchors.setdefault(anchor.certificate.subject.hashable, []).append(anchor)
        self._others: dict[object, dict[bytes, x509.Certificate]] = {}
        for one in others:
            self._others.setdefault(one.subject.hashable, {})[one.sha256] = one
        self._issued: dict[tuple[bytes, bytes], bool] = {}
        self._checks = 0

    def paths(self, leaf: x509.Certificate, use: TrustUse) -> list[ValidationPath]:
        """Return at most 16 paths to anchors that may serve `use`, shortest first."""
        found = []
        for path in self._climb(leaf, use, (leaf,)):
            found.append(path)
            if len(found) >= MAX_PATHS:
                break
        return sorted(found, key=len)

    def _climb(
        self, certificate: x509.Certificate, use: TrustUse, below: tuple[x509.Certificate, ...]
    ) -> Iterator[ValidationPath]:
        if len(below) > MAX_DEPTH:
            return
        anchors = [one for one in self._anchors.get(certificate.issuer.hashable, ()) if one.serves(use)]
        for anchor in anchors:
            if self._holds(certificate, anchor.certificate):
                yield ValidationPath(_trust_anchor(anchor), list(reversed(below[1:])), below[0])
        for issuer in self._others.get(certificate.issuer.hashable, {}).values():
            is_anchor = any(one.certificate.sha256 == issuer.sha256 for one in anchors)
            if is_anchor or any(one.sha256 == issuer.sha256 for one in below):
                continue
            if self._holds(certificate, issuer):
                yield from self._climb(issuer, use, (*below, issuer))

    def _holds(self, certificate: x509.Certificate, issuer: x509.Certificate) -> bool:
        pair = certificate.sha256, issuer.sha256
        if pair not in self._issued:
            self._checks += 1
            if self._checks > MAX_CHECKS:
                return False
            self._issued[pair] = is_issued_by(certificate, issuer)
        return self._issued[pair]


def _trust_anchor(anchor: Anchor) -> CertTrustAnchor:
    # The library takes constraints from the certificate only when told to, and never its dates.
    derived = derive_quals_from_cert(anchor.certificate)
    limits = [anchor.certificate.not_valid_after, *((anchor.until,) if anchor.until is not None else ())]
    starts: list[datetime] = [anchor.certificate.not_valid_before, *((anchor.since,) if anchor.since else ())]
    qualifiers = TrustQualifiers(
        standard_parameters=derived.standard_parameters,
        max_path_length=derived.max_path_length,
        max_aa_path_length=derived.max_aa_path_length,
        valid_from=max(starts),
        valid_until=min(limits),
    )
    return CertTrustAnchor(anchor.certificate, qualifiers)
