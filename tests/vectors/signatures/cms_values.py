"""CMS values written by hand, so that any part can be left out, doubled or wrong."""

import hashlib
from collections.abc import Sequence
from datetime import datetime

from asn1crypto import algos, cms, core, tsp
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from pyhanko.sign.timestamps import DummyTimeStamper

from tests.vectors.signatures.pki import Holder

_HASHES: dict[str, type[hashes.HashAlgorithm]] = {
    "md5": hashes.MD5,
    "sha1": hashes.SHA1,
    "sha256": hashes.SHA256,
    "sha384": hashes.SHA384,
}


def attribute(kind: str, *values: object) -> cms.CMSAttribute:
    """Return an attribute with its values."""
    return cms.CMSAttribute({"type": kind, "values": values})


def signing_certificate(holder: Holder) -> cms.CMSAttribute:
    """Return the attribute of RFC 5035 that names a certificate."""
    digest = hashlib.sha256(holder.asn1.dump()).digest()
    value = tsp.SigningCertificateV2({"certs": [tsp.ESSCertIDv2({"cert_hash": digest})]})
    return attribute("signing_certificate_v2", value)


def signer_info(
    content: bytes,
    holder: Holder,
    *,
    md: str = "sha256",
    named: Holder | str | None = "same",
    digests: int = 1,
    content_types: Sequence[str] = ("data",),
    more: Sequence[cms.CMSAttribute] = (),
    key: Holder | None = None,
    claimed: datetime | None = None,
    stampers: Sequence[DummyTimeStamper] = (),
    stamped: bytes | None = None,
    unsigned: Sequence[cms.CMSAttribute] = (),
) -> cms.SignerInfo:
    """Sign attributes over `content`.

    `named` is whom the signing-certificate attribute names, None for no attribute; `key` signs instead of the
    holder's own; `stamped` is what time-stamps cover instead of the value.
    """
    digest = hashlib.new(md, content).digest()
    attributes = [attribute("content_type", one) for one in content_types]
    attributes += [attribute("message_digest", digest) for _ in range(digests)]
    if named is not None:
        attributes.append(signing_certificate(holder if isinstance(named, str) else named))
    if claimed is not None:
        attributes.append(attribute("signing_time", cms.Time("utc_time", claimed)))
    attributes += more
    signed = cms.CMSAttributes(attributes)
    value = _sign(key or holder, signed.dump(), md)
    outside = [
        attribute(
            "signature_time_stamp_token",
            stamper.request_tsa_response(stamp_request(stamped or value))["time_stamp_token"],
        )
        for stamper in stampers
    ]
    family = "rsa" if isinstance((key or holder).key, rsa.RSAPrivateKey) else "ecdsa"
    info = {
        "version": "v1",
        "sid": cms.SignerIdentifier(
            "issuer_and_serial_number",
            {"issuer": holder.asn1.issuer, "serial_number": holder.asn1.serial_number},
        ),
        "digest_algorithm": algos.DigestAlgorithm({"algorithm": md}),
        "signed_attrs": signed,
        "signature_algorithm": algos.SignedDigestAlgorithm({"algorithm": f"{md}_{family}"}),
        "signature": value,
    }
    if outside or unsigned:
        info["unsigned_attrs"] = cms.CMSAttributes([*outside, *unsigned])
    return cms.SignerInfo(info)


def signed_data(
    infos: Sequence[cms.SignerInfo],
    certificates: Sequence[Holder],
    *,
    content: bytes | None = None,
    content_type: str = "data",
) -> bytes:
    """Wrap signers and certificates; `content` is put inside."""
    inner: dict[str, object] = {"content_type": content_type}
    if content is not None:
        inner["content"] = core.OctetString(content)
    value = cms.SignedData(
        {
            "version": "v1",
            "digest_algorithms": cms.DigestAlgorithms([info["digest_algorithm"] for info in infos]),
            "encap_content_info": inner,
            "certificates": [one.asn1 for one in certificates],
            "signer_infos": cms.SignerInfos(list(infos)),
        }
    )
    return bytes(cms.ContentInfo({"content_type": "signed_data", "content": value}).dump())


def _sign(holder: Holder, data: bytes, md: str) -> bytes:
    algorithm = _HASHES[md]()
    if isinstance(holder.key, rsa.RSAPrivateKey):
        return holder.key.sign(data, padding.PKCS1v15(), algorithm)
    return holder.key.sign(data, ec.ECDSA(algorithm))


def stamp_request(value: bytes) -> tsp.TimeStampReq:
    """Ask for a time-stamp over `value`."""
    imprint = {"hash_algorithm": {"algorithm": "sha256"}, "hashed_message": hashlib.sha256(value).digest()}
    return tsp.TimeStampReq({"version": 1, "message_imprint": imprint, "cert_req": True})
