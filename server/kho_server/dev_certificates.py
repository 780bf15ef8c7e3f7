"""Certificates and revocation lists of the development authorities: values in, signed values out."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

PrivateKey = rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey

BACKDATED = timedelta(hours=1)  # machines beside the server may have clocks that run late
_USAGES = (
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


@dataclass(frozen=True)
class Holder:
    """A private key with the certificate that names it."""

    key: PrivateKey
    certificate: x509.Certificate

    def key_pem(self) -> bytes:
        """Return the key as unencrypted PKCS#8 PEM."""
        return self.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def certificate_pem(self) -> bytes:
        """Return the certificate as PEM."""
        return self.certificate.public_bytes(Encoding.PEM)


def tls_key() -> ec.EllipticCurvePrivateKey:
    """Make a P-256 key, as for TLS."""
    return ec.generate_private_key(ec.SECP256R1())


def signing_key() -> rsa.RSAPrivateKey:
    """Make an RSA key of 2048 bits: what Vietnamese signing tokens hold."""
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def distinguished_name(common_name: str, organisation: str) -> x509.Name:
    """Return the subject CN=..., O=..., C=VN."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.ORGANIZATION_NAME, organisation),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def issue(
    subject: x509.Name,
    key: PrivateKey,
    issuer: Holder | None,
    *,
    usages: Sequence[str],
    valid: tuple[datetime, datetime],
    path_length: int | None = None,
    is_authority: bool = False,
    hosts: Iterable[str] = (),
    purposes: Sequence[x509.ObjectIdentifier] = (),
) -> Holder:
    """Sign a certificate for `key`; without an issuer it signs itself.

    `usages` are names of cryptography's KeyUsage flags; `hosts` may be DNS names or IP addresses.
    """
    signer = key if issuer is None else issuer.key
    authority = key.public_key() if issuer is None else issuer.key.public_key()
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject if issuer is None else issuer.certificate.subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(valid[0])
        .not_valid_after(valid[1])
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=path_length), critical=True)
        .add_extension(x509.KeyUsage(**{usage: usage in usages for usage in _USAGES}), critical=True)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(authority), critical=False)
    )
    names = [_general_name(host) for host in hosts]
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    if purposes:
        builder = builder.add_extension(x509.ExtendedKeyUsage(list(purposes)), critical=False)
    return Holder(key, builder.sign(signer, hashes.SHA256()))


def issue_crl(
    issuer: Holder,
    *,
    number: int,
    valid: tuple[datetime, datetime],
    revoked: Iterable[tuple[int, datetime]] = (),
) -> bytes:
    """Sign a complete revocation list (PEM); `revoked` holds serial numbers and instants of revocation."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(issuer.certificate.subject)
        .last_update(valid[0])
        .next_update(valid[1])
        .add_extension(x509.CRLNumber(number), critical=False)
        .add_extension(x509.AuthorityKeyIdentifier.from_issuer_public_key(issuer.key.public_key()), critical=False)
    )
    for serial, at in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder().serial_number(serial).revocation_date(at).build()
        )
    return builder.sign(issuer.key, hashes.SHA256()).public_bytes(Encoding.PEM)


def _general_name(host: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ip_address(host))
    except ValueError:
        return x509.DNSName(host)


SERVER_PURPOSE = ExtendedKeyUsageOID.SERVER_AUTH
CLIENT_PURPOSE = ExtendedKeyUsageOID.CLIENT_AUTH
