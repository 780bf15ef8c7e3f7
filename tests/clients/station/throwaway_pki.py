"""A certification authority that lives as long as a test, and keys under it in PKCS#12 files."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    pkcs12,
)
from cryptography.x509.oid import NameOID


@dataclass(frozen=True)
class ThrowawayPki:
    """A root that issues directly; `folder` receives the key files."""

    key: rsa.RSAPrivateKey
    root: x509.Certificate
    folder: Path

    @classmethod
    def make(cls, folder: Path, now: datetime | None = None) -> "ThrowawayPki":
        """Make a root valid from yesterday for a month."""
        key = rsa.generate_private_key(65537, 2048)
        name = _name("Gốc thử nghiệm")
        root = _builder(name, name, key.public_key(), now or datetime.now(UTC), is_authority=True)
        return cls(key, root.sign(key, hashes.SHA256()), folder)

    @property
    def anchor(self) -> asn1_x509.Certificate:
        """Return the root in the form that pyHanko takes."""
        anchor: asn1_x509.Certificate = asn1_x509.Certificate.load(self.root.public_bytes(Encoding.DER))
        return anchor

    def p12(self, common_name: str, passphrase: str | None = None, now: datetime | None = None) -> Path:
        """Issue a signing certificate and return its PKCS#12 file."""
        key = rsa.generate_private_key(65537, 2048)
        leaf = _builder(
            self.root.subject, _name(common_name), key.public_key(), now or datetime.now(UTC), is_authority=False
        ).sign(self.key, hashes.SHA256())
        protection = BestAvailableEncryption(passphrase.encode()) if passphrase else NoEncryption()
        path = self.folder / f"{leaf.serial_number}.p12"
        path.write_bytes(pkcs12.serialize_key_and_certificates(b"k", key, leaf, [self.root], protection))
        return path


def _name(common_name: str) -> x509.Name:
    """Return a subject with a country, as Vietnamese certificates have."""
    return x509.Name(
        [
            x509.NameAttribute(NameOID.COUNTRY_NAME, "VN"),
            x509.NameAttribute(NameOID.COMMON_NAME, common_name),
        ]
    )


def _builder(
    issuer: x509.Name, subject: x509.Name, key: rsa.RSAPublicKey, now: datetime, *, is_authority: bool
) -> x509.CertificateBuilder:
    """Return a certificate about to be signed: an authority, or a signer with non-repudiation."""
    return (
        x509.CertificateBuilder()
        .issuer_name(issuer)
        .subject_name(subject)
        .public_key(key)
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=30))
        .add_extension(x509.BasicConstraints(ca=is_authority, path_length=None), critical=True)
        .add_extension(
            x509.KeyUsage(
                digital_signature=not is_authority,
                content_commitment=not is_authority,
                key_encipherment=False,
                data_encipherment=False,
                key_agreement=False,
                key_cert_sign=is_authority,
                crl_sign=is_authority,
                encipher_only=False,
                decipher_only=False,
            ),
            critical=True,
        )
    )
