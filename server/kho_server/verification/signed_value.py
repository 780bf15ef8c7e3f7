"""One CMS value taken apart: its signers, each with certificate and attributes, before anything is believed."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from asn1crypto import algos, cms, tsp, x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes
from pyhanko.sign.general import check_ess_certid
from pyhanko_certvalidator.sig_validate import SignatureValidationContext

from kho_server.verification.limits import FileLimits
from kho_server.verification.public_keys import TolerantSignatureValidator
from kho_server.verification.verdict import Remark, SubIndication

MAX_SIGNERS = 16
_SIGNING_CERTIFICATE = ("signing_certificate_v2", "signing_certificate")
_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "md5": hashes.MD5,
    "sha1": hashes.SHA1,
    "sha224": hashes.SHA224,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
    "sha512": hashes.SHA512,
    "sha3_224": hashes.SHA3_224,
    "sha3_256": hashes.SHA3_256,
    "sha3_384": hashes.SHA3_384,
    "sha3_512": hashes.SHA3_512,
}


class SignedValueError(ValueError):
    """The value is no CMS signature that can be judged; `remark` says what is wrong, if there is a word for it."""

    def __init__(self, remark: Remark | None = None) -> None:
        super().__init__(remark or "no CMS signed data")
        self.remark = remark


@dataclass(frozen=True)
class Signer:
    """One SignerInfo with the certificate it names, None if that is not there."""

    info: cms.SignerInfo
    certificate: x509.Certificate | None

    @property
    def digest(self) -> str:
        """Name of the digest over the content."""
        return str(self.info["digest_algorithm"]["algorithm"].native)

    @property
    def signature_value(self) -> bytes:
        """The value that a signature time-stamp covers."""
        return bytes(self.info["signature"].native)

    def values(self, name: str, *, signed: bool = True) -> list[Any]:
        """Return all values of an attribute, named or by its identifier, in all its occurrences."""
        attributes = self.info["signed_attrs" if signed else "unsigned_attrs"] or ()
        return [
            value for one in attributes if name in (one["type"].native, one["type"].dotted) for value in one["values"]
        ]

    @property
    def signature_digest(self) -> str:
        """Name of the digest that the signature algorithm uses."""
        try:
            return str(self.info["signature_algorithm"].hash_algo)
        except ValueError:
            return self.digest

    @property
    def claimed_time(self) -> datetime | None:
        """When the signer says to have signed; None without a zone, for then it names no instant."""
        values = self.values("signing_time")
        claimed = values[0].native if len(values) == 1 else None
        return claimed if isinstance(claimed, datetime) and claimed.utcoffset() is not None else None

    @property
    def names_certificate(self) -> bool:
        """Whether the signed attributes name the certificate (RFC 5035)."""
        return any(self.values(name) for name in _SIGNING_CERTIFICATE)


def signed_data(value: bytes, limits: FileLimits) -> cms.SignedData:
    """Read a CMS value, padding after it ignored. SignedValueError: it is none, or beyond the limits."""
    info = cms.ContentInfo.load(value)
    if info["content_type"].native != "signed_data":
        raise SignedValueError
    signed: cms.SignedData = info["content"]
    certificates = signed["certificates"] or ()
    names = Counter(one.chosen.subject.hashable for one in certificates if one.name == "certificate")
    crowd = max(names.values(), default=0)
    if len(certificates) > limits.certificates or crowd > limits.namesakes or len(signed["signer_infos"]) > MAX_SIGNERS:
        raise SignedValueError(Remark.RESOURCE_LIMIT)
    if not len(signed["signer_infos"]):
        raise SignedValueError
    return signed


def signers(signed: cms.SignedData, known: tuple[x509.Certificate, ...]) -> tuple[Signer, ...]:
    """Return every signer; `known` are certificates from elsewhere in the file or from the trust folder."""
    own = tuple(one.chosen for one in signed["certificates"] or () if one.name == "certificate")
    return tuple(Signer(info, _named(info, (*own, *known))) for info in signed["signer_infos"])


def digest_of(name: str, *parts: bytes) -> bytes:
    """Return a digest over parts that follow each other. KeyError: there is no such digest."""
    state = hashes.Hash(_HASHES[name.lower()]())
    for part in parts:
        state.update(part)
    return state.finalize()


def integrity_fault(signer: Signer, digest: bytes, content_type: str) -> SubIndication | None:
    """Return what is wrong between the content's digest, the attributes, the value and the key; None if nothing.

    EN 319 102-1 clauses 5.2.2, 5.2.3 and 5.2.7; RFC 5652 section 5.3 for the attributes.
    """
    info = signer.info
    has_attributes = bool(info["signed_attrs"].native)
    if has_attributes:
        digests, types = signer.values("message_digest"), signer.values("content_type")
        if len(digests) != 1 or len(types) != 1 or str(types[0].native) != content_type:
            return SubIndication.FORMAT_FAILURE
        if digests[0].native != digest:
            return SubIndication.HASH_FAILURE
    if signer.certificate is None:
        return SubIndication.NO_SIGNING_CERTIFICATE_FOUND
    try:
        TolerantSignatureValidator().validate_signature(
            signer.signature_value,
            info["signed_attrs"].untag().dump() if has_attributes else digest,
            signer.certificate.public_key,
            info["signature_algorithm"],
            SignatureValidationContext(contextual_md_algorithm=signer.digest, prehashed=not has_attributes),
        )
    except InvalidSignature:
        return SubIndication.SIG_CRYPTO_FAILURE
    return None if _protects_algorithms(signer) else SubIndication.SIG_CONSTRAINTS_FAILURE


def certificate_fault(signer: Signer) -> SubIndication | None:
    """Return NO_SIGNING_CERTIFICATE_FOUND if the signed attributes name another certificate (clause 5.2.3)."""
    if signer.certificate is None:
        return SubIndication.NO_SIGNING_CERTIFICATE_FOUND
    for name, kind in zip(_SIGNING_CERTIFICATE, (tsp.SigningCertificateV2, tsp.SigningCertificate), strict=True):
        values = signer.values(name)
        if not values:
            continue
        named = kind.load(values[0].dump())["certs"]
        if len(values) != 1 or len(named) < 1 or not check_ess_certid(signer.certificate, named[0]):
            return SubIndication.NO_SIGNING_CERTIFICATE_FOUND
    return None


def _protects_algorithms(signer: Signer) -> bool:
    """RFC 6211: what the attribute says must be what was used."""
    values = signer.values("cms_algorithm_protection")
    if not values:
        return True
    protection = cms.CMSAlgorithmProtection.load(values[0].dump())
    signature = protection["signature_algorithm"]
    return (
        len(values) == 1
        and protection["digest_algorithm"]["algorithm"].native == signer.digest
        and isinstance(signature, algos.SignedDigestAlgorithm)
        and signature["algorithm"].native == signer.info["signature_algorithm"]["algorithm"].native
    )


def _named(info: cms.SignerInfo, candidates: tuple[x509.Certificate, ...]) -> x509.Certificate | None:
    sid = info["sid"]
    for one in candidates:
        if sid.name == "issuer_and_serial_number":
            if one.serial_number == sid.chosen["serial_number"].native and one.issuer == sid.chosen["issuer"]:
                return one
        elif one.key_identifier == sid.chosen.native:
            return one
    return None
