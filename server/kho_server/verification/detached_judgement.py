"""Judges CMS and CAdES signatures outside a PDF: content inside the value, or beside it as a file."""

import asyncio
import base64
import binascii
import re

from asn1crypto import cms, pem

from kho_server.verification.certificate_judgement import CertificateJudge
from kho_server.verification.cms_judgement import CmsJudge, CmsJudgement, level_of
from kho_server.verification.evidence import signature_evidence
from kho_server.verification.field_judgement import Law, common_name
from kho_server.verification.roles import role_at
from kho_server.verification.signed_value import SignedValueError, Signer, digest_of, signed_data, signers
from kho_server.verification.time_stamps import TimeStampJudge
from kho_server.verification.verdict import FieldKind, Indication, Remark, SignatureReport, SubIndication

# id-signedData (RFC 5652 section 5.1) stands near the beginning of every such value.
_SIGNED_DATA = bytes.fromhex("06092a864886f70d010702")
_HEAD_BYTES = 64
_BASE64 = re.compile(rb"MI[A-Za-z0-9+/\r\n]{60,}={0,2}\s*")


def looks_like_cms(data: bytes) -> bool:
    """Tell whether a file begins as CMS signed data does: DER or BER, PEM, or bare base64."""
    return _der_of(data) is not None


def judge_cms(data: bytes, content: bytes | None, law: Law) -> tuple[SignatureReport, ...]:
    """Return one report for each signer; `content` is what a detached signature signs.

    Content both inside and beside the value must be the same.
    """
    try:
        signed = signed_data(_der_of(data) or b"", law.limits)
        return asyncio.run(_reports(signed, content, law))
    except MemoryError:
        raise
    except SignedValueError as error:
        return (_failed(SubIndication.FORMAT_FAILURE, *((error.remark,) if error.remark else ())),)
    except Exception:  # hostile DER makes the library raise nearly anything
        return (_failed(SubIndication.FORMAT_FAILURE, Remark.UNREADABLE),)


async def _reports(signed: cms.SignedData, content: bytes | None, law: Law) -> tuple[SignatureReport, ...]:
    encapsulated = signed["encap_content_info"]
    inside = bytes(encapsulated["content"]) if encapsulated["content"].native is not None else None
    if inside is None and content is None:
        return (_failed(SubIndication.SIGNED_DATA_NOT_FOUND, Remark.CONTENT_MISSING),)
    if inside and content is not None and inside != content:
        return (_failed(SubIndication.HASH_FAILURE),)
    covered = content if content is not None else inside or b""
    evidence = signature_evidence(signed)
    certificates = CertificateJudge(law.trust, law.policy, evidence, law.at)
    time_stamps = TimeStampJudge(certificates, law.trust, law.policy, at=law.at, limits=law.limits)
    judge = CmsJudge(certificates, time_stamps, law.trust, law.policy, law.at)
    reports = []
    found = signers(signed, (*evidence.certificates, *law.trust.intermediates))
    for number, signer in enumerate(found, start=1):
        judged = await judge.judge(
            signer,
            lambda name: digest_of(name, covered),
            (),
            must_name_certificate=False,
            content_type=str(encapsulated["content_type"].native),
        )
        level = level_of("CAdES-BASELINE" if signer.names_certificate else "CMS", judged, evidence, is_archived=False)
        reports.append(_report(f"signer-{number}", signer, judged, level, law))
    return tuple(reports)


def _report(name: str, signer: Signer, judged: CmsJudgement, level: str, law: Law) -> SignatureReport:
    certificate, reason = signer.certificate, judged.reason
    role_time = judged.best_time or signer.claimed_time or law.at
    return SignatureReport(
        field=name,
        kind=FieldKind.SIGNATURE,
        indication=Indication.TOTAL_PASSED if reason is None else reason.indication,
        sub_indication=reason,
        signer=None if certificate is None else common_name(certificate.subject),
        certificate_sha256=None if certificate is None else certificate.sha256.hex(),
        issuer=None if certificate is None else common_name(certificate.issuer),
        signing_time=signer.claimed_time,
        covers_whole_document=True,
        warnings=judged.warnings,
        role=None if certificate is None else role_at(law.roles, certificate.sha256.hex(), role_time),
        level=level,
        best_signature_time=judged.best_time,
    )


def _failed(reason: SubIndication, *remarks: Remark) -> SignatureReport:
    return SignatureReport("signer-1", FieldKind.SIGNATURE, reason.indication, reason, warnings=remarks)


def _der_of(data: bytes) -> bytes | None:
    head = data[:_HEAD_BYTES]
    if head[:1] == b"\x30":
        return data if _SIGNED_DATA in head else None
    if head.lstrip().startswith(b"-----BEGIN"):
        try:
            _, _, data = pem.unarmor(data.lstrip())
        except ValueError:
            return None
        return data if _SIGNED_DATA in data[:_HEAD_BYTES] else None
    if head[:2] == b"MI" and _BASE64.fullmatch(data) is not None:
        try:
            der = base64.b64decode(data, validate=False)
        except binascii.Error:
            return None
        return der if _SIGNED_DATA in der[:_HEAD_BYTES] else None
    return None
