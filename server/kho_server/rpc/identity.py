"""Who calls: from the certificate of the connection to a registered principal.

TLS has proved that the peer holds the key of a certificate of an accepted authority; whether it may call, the registry
says. A principal is known by the fingerprint of its certificate, or by the key of its direct issuer and its subject;
the issuer must stand in the client CA file, for the certificates a client sends along are not shown to us.
"""

from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol
from uuid import UUID

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.hashes import SHA256, Hash
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from kho_server.archive.refusals import Reason, Refusal
from kho_storage.records.registry import Principal

_PEM_KEY = "x509_pem_cert"
_REMEMBERED = 4096
# Even when nothing is heard of changes, the registry is asked again this often: registrations can be refined.
_LONGEST_MEMORY = timedelta(seconds=60)


class PrincipalDirectory(Protocol):
    """The one question of `RegistryCatalog` that is asked here."""

    async def principal_by_certificate(
        self, certificate_sha256: str, issuer_key_sha256s: Sequence[str], subject: str
    ) -> Principal | None:
        """Return the registration of a certificate; see RegistryCatalog."""
        ...


@dataclass(frozen=True, slots=True)
class PeerCertificate:
    """What the registry is asked about: fingerprint, keys of its direct issuer, RFC 4514 subject, last instant."""

    sha256: str
    issuer_key_sha256s: tuple[str, ...]
    subject: str
    not_after: datetime

    @classmethod
    def parse(cls, pem: bytes, authorities: Iterable[x509.Certificate]) -> "PeerCertificate":
        """Read a certificate and find who issued it. ValueError: it cannot be read."""
        certificate = x509.load_pem_x509_certificate(pem)
        issuers = {key_sha256(each) for each in authorities if _is_issued_by(certificate, each)}
        return cls(
            sha256=certificate.fingerprint(SHA256()).hex(),
            issuer_key_sha256s=tuple(sorted(issuers)),
            subject=certificate.subject.rfc4514_string(),
            not_after=certificate.not_valid_after_utc,
        )


def key_sha256(certificate: x509.Certificate) -> str:
    """Return SHA-256 of a certificate's SubjectPublicKeyInfo, hexadecimal."""
    digest = Hash(SHA256())
    digest.update(certificate.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo))
    return digest.finalize().hex()


def _is_issued_by(certificate: x509.Certificate, authority: x509.Certificate) -> bool:
    try:
        certificate.verify_directly_issued_by(authority)
    except (ValueError, TypeError, InvalidSignature, UnsupportedAlgorithm):
        return False
    return True


@dataclass(frozen=True, slots=True)
class _Known:
    principal: Principal
    not_after: datetime
    asked_at: datetime


class Identity:
    """Answers who a connection belongs to; remembers answers while they are known to stand."""

    def __init__(
        self,
        directory: PrincipalDirectory,
        authorities: Callable[[], Sequence[x509.Certificate]],
        clock: Callable[[], datetime],
        *,
        stale_after: timedelta,
    ) -> None:
        """`stale_after` is how old an answer may be that nobody has confirmed since."""
        self._directory = directory
        self._authorities = authorities
        self._clock = clock
        self._stale_after = stale_after
        self._known: OrderedDict[bytes, _Known] = OrderedDict()
        self._confirmed_at: datetime | None = None

    async def principal(self, auth_context: Mapping[str, Iterable[bytes]]) -> Principal:
        """Return the caller of a connection.

        Refusals: CLIENT_CERTIFICATE_UNKNOWN, CLIENT_CERTIFICATE_REVOKED (also when the certificate has ended while
        its connection lived on). CatalogUnavailable when nothing fresh is remembered and the registry is silent.
        """
        pem = next(iter(auth_context.get(_PEM_KEY, ())), None)
        if pem is None:
            raise Refusal(Reason.CLIENT_CERTIFICATE_UNKNOWN)
        now = self._clock()
        known = self._known.get(pem)
        if known is None or not self._is_fresh(known, now):
            known = await self._ask(pem, now)
        else:
            self._known.move_to_end(pem)
        if now >= known.not_after or not known.principal.calls_at(now):
            self._known.pop(pem, None)
            raise Refusal(Reason.CLIENT_CERTIFICATE_REVOKED)
        return known.principal

    def remembered(self) -> frozenset[UUID]:
        """Return the principals whose standing somebody should watch."""
        return frozenset(known.principal.principal_id for known in self._known.values())

    def confirm(self, ended: Iterable[UUID], as_of: datetime) -> None:
        """Take in that, as of an instant, these remembered principals stand no more and all others do."""
        gone = frozenset(ended)
        for pem, known in tuple(self._known.items()):
            if known.principal.principal_id in gone:
                del self._known[pem]
        self._confirmed_at = as_of

    def forget(self) -> None:
        """Forget every answer: the registry has changed."""
        self._known.clear()

    def _is_fresh(self, known: _Known, now: datetime) -> bool:
        heard = known.asked_at if self._confirmed_at is None else max(known.asked_at, self._confirmed_at)
        return now - heard <= self._stale_after and now - known.asked_at <= _LONGEST_MEMORY

    async def _ask(self, pem: bytes, now: datetime) -> _Known:
        try:
            peer = PeerCertificate.parse(pem, self._authorities())
        except ValueError as error:
            raise Refusal(Reason.CLIENT_CERTIFICATE_UNKNOWN) from error
        principal = await self._directory.principal_by_certificate(peer.sha256, peer.issuer_key_sha256s, peer.subject)
        if principal is None:
            self._known.pop(pem, None)
            raise Refusal(Reason.CLIENT_CERTIFICATE_UNKNOWN)
        known = _Known(principal, peer.not_after, now)
        self._known[pem] = known
        self._known.move_to_end(pem)
        if len(self._known) > _REMEMBERED:
            self._known.popitem(last=False)
        return known
