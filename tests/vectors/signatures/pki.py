"""Authorities, certificates, lists and answers for the vectors: made anew, each as wrong as its caller wants it."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache

from asn1crypto import crl as asn1_crl
from asn1crypto import keys as asn1_keys
from asn1crypto import ocsp as asn1_ocsp
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.sign.signers import SimpleSigner
from pyhanko.sign.timestamps import DummyTimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from kho_server.verification.trust_folder import Anchor, TrustMaterial

Key = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

AT = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)
SINCE, UNTIL = datetime(2025, 1, 1, tzinfo=UTC), datetime(2030, 1, 1, tzinfo=UTC)
LIFE = (SINCE, UNTIL)
USAGES = ("digital_signature", "content_commitment")
CA_USAGES = ("key_cert_sign", "crl_sign")
_ALL = (
    "digital_signature",
    "content_commitment",
    "key_encipherment",
    "data_encipherment",
    "key_agreement",
    "key_cert_sign",
    "crl_sign",
    "encipher_only",
    "decipher_only",
)


@cache
def rsa_key(which: str, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Make an RSA key once per run and name; certificates of one vector may share it."""
    return rsa.generate_private_key(public_exponent=65537, key_size=bits)


def ec_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key."""
    return ec.generate_private_key(ec.SECP256R1())


def name(common_name: str) -> x509.Name:
    """Return CN=..., O=VECTORS, C=VN."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, "VECTORS"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


@dataclass(frozen=True)
class Holder:
    """A key with its certificate."""

    key: Key
    certificate: x509.Certificate

    @property
    def asn1(self) -> asn1_x509.Certificate:
        """The certificate as the engine takes it."""
        parsed: asn1_x509.Certificate = asn1_x509.Certificate.load(self.certificate.public_bytes(Encoding.DER))
        return parsed

    def pkcs8(self) -> asn1_keys.PrivateKeyInfo:
        """The key as pyHanko takes it."""
        der = self.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
        parsed: asn1_keys.PrivateKeyInfo = asn1_keys.PrivateKeyInfo.load(der)
        return parsed

    def signer(self, *chain: "Holder") -> SimpleSigner:
        """Return a signer that embeds its certificate and a chain."""
        store = SimpleCertificateStore()
        store.register_multiple([self.asn1, *(one.asn1 for one in chain)])
        return SimpleSigner(self.asn1, self.pkcs8(), store)


def issue(
    subject: str,
    issuer: Holder | None = None,
    *,
    key: Key | None = None,
    valid: tuple[datetime, datetime] = LIFE,
    usages: Sequence[str] | None = USAGES,
    ca: bool = False,
    path_length: int | None = None,
    purposes: Sequence[x509.ObjectIdentifier] = (),
    extensions: Iterable[tuple[x509.ExtensionType, bool]] = (),
    issuer_name: str | None = None,
    key_ids: bool = True,
    serial: int | None = None,
) -> Holder:
    """Issue a certificate; without an issuer it signs itself."""
    key = key or ec_key()
    signing = key if issuer is None else issuer.key
    above = name(subject) if issuer is None else issuer.certificate.subject
    builder = (
        x509.CertificateBuilder()
        .subject_name(name(subject))
        .issuer_name(name(issuer_name) if issuer_name else above)
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=ca, path_length=path_length if ca else None), critical=True)
    )
    if usages is not None:
        builder = builder.add_extension(x509.KeyUsage(**{one: one in usages for one in _ALL}), critical=True)
    if key_ids:
        own = x509.SubjectKeyIdentifier.from_public_key(key.public_key())
        builder = builder.add_extension(own, critical=False)
        builder = builder.add_extension(
            x509.AuthorityKeyIdentifier.from_issuer_public_key(signing.public_key()), critical=False
        )
    if purposes:
        is_stamp = ExtendedKeyUsageOID.TIME_STAMPING in purposes
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=is_stamp)
    for extension, is_critical in extensions:
        builder = builder.add_extension(extension, critical=is_critical)
    return Holder(key, builder.sign(signing, hashes.SHA256()))


def authority(subject: str, issuer: Holder | None = None, **changes: object) -> Holder:
    """Issue a certificate of an authority."""
    return issue(subject, issuer, **{"usages": CA_USAGES, "ca": True, **changes})  # type: ignore[arg-type]


def crl(
    issuer: Holder,
    revoked: Iterable[tuple[Holder, datetime]] = (),
    *,
    window: tuple[datetime, datetime] = (AT - timedelta(days=1), AT + timedelta(days=6)),
    reason: x509.ReasonFlags | None = None,
    scope: x509.IssuingDistributionPoint | None = None,
) -> asn1_crl.CertificateList:
    """Sign a revocation list."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(window[0])
        .next_update(window[1])
        .add_extension(x509.CRLNumber(1), critical=False)
    )
    if scope is not None:
        builder = builder.add_extension(scope, critical=True)
    for holder, at in revoked:
        entry = x509.RevokedCertificateBuilder().serial_number(holder.certificate.serial_number).revocation_date(at)
        if reason is not None:
            entry = entry.add_extension(x509.CRLReason(reason), critical=False)
        builder = builder.add_revoked_certificate(entry.build())
    der = builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.DER)
    parsed: asn1_crl.CertificateList = asn1_crl.CertificateList.load(der)
    return parsed


def ocsp_answer(
    holder: Holder,
    issuer: Holder,
    responder: Holder,
    *,
    status: ocsp.OCSPCertStatus = ocsp.OCSPCertStatus.GOOD,
    revoked_at: datetime | None = None,
    window: tuple[datetime, datetime | None] = (AT - timedelta(hours=1), AT + timedelta(days=1)),
) -> asn1_ocsp.OCSPResponse:
    """Sign an answer about a certificate."""
    builder = ocsp.OCSPResponseBuilder().add_response(
        holder.certificate,
        issuer.certificate,
        hashes.SHA1(),  # what RFC 6960 clients and responders use for names
        status,
        window[0],
        window[1],
        revoked_at,
        None,
    )
    builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, responder.certificate)
    builder = builder.certificates([responder.certificate])
    der = builder.sign(responder.key, hashes.SHA256()).public_bytes(Encoding.DER)
    parsed: asn1_ocsp.OCSPResponse = asn1_ocsp.OCSPResponse.load(der)
    return parsed


@dataclass(frozen=True)
class World:
    """The honest PKI that most vectors live in: root, issuing authority, two signers, a time-stamp authority."""

    root: Holder
    issuing: Holder
    officer: Holder
    agency: Holder
    stamps: Holder

    def trust(
        self,
        *crls: asn1_crl.CertificateList,
        ocsps: Sequence[asn1_ocsp.OCSPResponse] = (),
        known: Sequence[Holder] = (),
        anchors: Sequence[Holder] | None = None,
        fresh: bool = True,
    ) -> TrustMaterial:
        """Return trust in the root, with fresh empty lists unless told not to, and what the caller adds."""
        lists = [*crls, *((crl(self.root), crl(self.issuing)) if fresh else ())]
        return TrustMaterial(
            version="vectors",
            anchors=tuple(Anchor(one.asn1) for one in (anchors if anchors is not None else (self.root,))),
            intermediates=tuple(one.asn1 for one in (self.issuing, *known)),
            crls=tuple(lists),
            ocsps=tuple(ocsps),
        )

    def stamper(self, at: datetime, by: Holder | None = None) -> DummyTimeStamper:
        """Return a time-stamp authority whose clock stands at `at`."""
        holder = by or self.stamps
        store = SimpleCertificateStore()
        store.register_multiple([holder.asn1, self.issuing.asn1])
        return DummyTimeStamper(holder.asn1, holder.pkcs8(), certs_to_embed=store, fixed_dt=at)


@cache
def world() -> World:
    """Make the honest PKI once per run."""
    root = authority("Vector root", valid=(datetime(2005, 1, 1, tzinfo=UTC), UNTIL))
    issuing = authority("Vector issuing CA", root, path_length=0, valid=(datetime(2006, 1, 1, tzinfo=UTC), UNTIL))
    return World(
        root,
        issuing,
        issue("Nguyễn Văn Ổi", issuing, key=rsa_key("officer")),
        issue("Ủy ban nhân dân xã Cổ Bi", issuing, key=rsa_key("agency")),
        stamping("Dấu thời gian", issuing),
    )


def stamping(subject: str, issuer: Holder | None, *, purposes: bool = True, **changes: object) -> Holder:
    """Issue a certificate of a time-stamp authority, without its purpose if told so."""
    values: dict[str, object] = {
        "key": rsa_key("stamps"),
        "usages": ("digital_signature",),
        "purposes": (ExtendedKeyUsageOID.TIME_STAMPING,) if purposes else (),
        "valid": (datetime(2006, 1, 1, tzinfo=UTC), UNTIL),
    }
    return issue(subject, issuer, **{**values, **changes})  # type: ignore[arg-type]
