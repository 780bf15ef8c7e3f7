"""Steps 4 to 6 of the engine: the signature fields of one file."""

import asyncio
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial

from asn1crypto import x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfError

from kho_server.verification.certificate_judgement import CertificateJudge
from kho_server.verification.cms_judgement import CmsJudge, CmsJudgement, LaterProof, level_of
from kho_server.verification.evidence import Evidence, signature_evidence, store_evidence
from kho_server.verification.integrity_gate import GateAnswer, IntegrityGate, SignedField
from kho_server.verification.limits import FileLimits
from kho_server.verification.policy import ValidationPolicy
from kho_server.verification.revision_view import RevisionView
from kho_server.verification.roles import RoleTable, role_at
from kho_server.verification.signature_fields import SignatureField
from kho_server.verification.signed_value import SignedValueError, Signer, digest_of, signed_data, signers
from kho_server.verification.time_stamps import TimeStampFinding, TimeStampJudge
from kho_server.verification.trust_folder import TrustMaterial
from kho_server.verification.verdict import FieldKind, Indication, Remark, SignatureReport, SubIndication

SIGNATURE_SUBFILTERS = frozenset({"/ETSI.CAdES.detached", "/adbe.pkcs7.detached"})
TIME_STAMP_SUBFILTER = "/ETSI.RFC3161"
# These two say more than the gate does: the bytes or the value themselves are wrong.
_BEFORE_THE_GATE = (SubIndication.HASH_FAILURE, SubIndication.SIG_CRYPTO_FAILURE)
MAX_NAME_CHARS = 200


@dataclass(frozen=True)
class Law:
    """By what a file is judged: trust, rules, time, and who is registered as what."""

    trust: TrustMaterial
    policy: ValidationPolicy
    at: datetime
    limits: FileLimits
    roles: RoleTable


@dataclass(frozen=True)
class _Value:
    """A signature value taken apart, with the gate's answer about it."""

    signed: SignedField
    signers: tuple[Signer, ...]
    evidence: Evidence
    gate: GateAnswer
    content: bytes | None
    content_type: str


class FieldJudge:
    """Judges the signed fields of one file."""

    def __init__(self, whole: RevisionView, gate: IntegrityGate, law: Law) -> None:
        self._whole = whole
        self._gate = gate
        self._law = law
        self._store = store_evidence(whole, law.limits.certificates * 4)

    def reports(self, fields: Sequence[tuple[SignatureField, SignedField | None, bool]]) -> list[SignatureReport]:
        """Return the answers for signed fields in their order, each with its range and whether it is shared.

        Raises what the library raises on a broken structure.
        """
        return asyncio.run(self._reports(fields))

    async def _reports(
        self, fields: Sequence[tuple[SignatureField, SignedField | None, bool]]
    ) -> list[SignatureReport]:
        opened = [self._open(field, signed) for field, signed, _ in fields]
        evidence = self._store
        for value in opened:
            if isinstance(value, _Value):
                evidence += value.evidence
        law = self._law
        certificates = CertificateJudge(law.trust, law.policy, evidence, law.at)
        time_stamps = TimeStampJudge(certificates, law.trust, law.policy, at=law.at, limits=law.limits)
        judge = CmsJudge(certificates, time_stamps, law.trust, law.policy, law.at)
        stamps = await self._time_stamps(opened, time_stamps)
        reports = []
        for (field, _, is_shared), value in zip(fields, opened, strict=True):
            if not isinstance(value, _Value):
                reports.append(value)
                continue
            faults = (*value.gate.faults, *((Remark.SIGNATURE_SHARED,) if is_shared else ()))
            if value.signed.is_time_stamp:
                reports.append(self._stamp_report(field, value, faults, stamps[id(value)]))
            else:
                reports.extend(await self._signature_reports(field, value, faults, judge, stamps, opened))
        return reports

    def _open(self, field: SignatureField, signed: SignedField | None) -> "_Value | SignatureReport":
        """Take a value apart, or tell what forbids it."""
        signature = signature_of(field)
        if signature is None or field.holder is None:
            return failed(field, SubIndication.FORMAT_FAILURE, Remark.BYTE_RANGE)
        subfilter = str(signature.get("/SubFilter"))
        if subfilter != TIME_STAMP_SUBFILTER and subfilter not in SIGNATURE_SUBFILTERS:
            return failed(field, SubIndication.SIG_CONSTRAINTS_FAILURE, Remark.UNSUPPORTED_SUBFILTER)
        contents = signature.get("/Contents")
        if signed is None or not isinstance(contents, generic.ByteStringObject | generic.TextStringObject):
            return failed(field, SubIndication.FORMAT_FAILURE, Remark.BYTE_RANGE)
        try:
            value = signed_data(contents.original_bytes, self._law.limits)
        except SignedValueError as error:
            return failed(field, SubIndication.FORMAT_FAILURE, *((error.remark,) if error.remark else ()))
        known = (*self._store.certificates, *self._law.trust.intermediates)
        content = value["encap_content_info"]
        return _Value(
            signed,
            signers(value, known),
            signature_evidence(value),
            self._gate.answer(signed, contents.original_bytes),
            content["content"].contents if content["content"].native is not None else None,
            str(content["content_type"].native),
        )

    def _digest(self, signed: SignedField, name: str) -> bytes:
        data, covered = memoryview(self._whole.data), signed.range
        return digest_of(name, bytes(data[: covered.gap_start]), bytes(data[covered.gap_end : covered.end]))

    async def _time_stamps(
        self, opened: "Sequence[_Value | SignatureReport]", judge: TimeStampJudge
    ) -> dict[int, TimeStampFinding]:
        """Judge document time-stamps from the latest to the first: each proves how old the earlier ones are."""
        found: dict[int, TimeStampFinding] = {}
        proof: datetime | None = None
        stamps = [one for one in opened if isinstance(one, _Value) and one.signed.is_time_stamp]
        for one in sorted(stamps, key=lambda value: value.signed.range.end, reverse=True):
            signature = signature_of(one.signed.field)
            assert signature is not None
            token = signature["/Contents"].original_bytes
            finding = await judge.judge(token, partial(self._digest, one.signed), proof)
            found[id(one)] = finding
            # A time-stamp whose own revision was tampered with proves nothing about it.
            if finding.proof is not None and not one.gate.faults:
                proof = min(finding.proof, proof) if proof is not None else finding.proof
        return found

    def _later(
        self, value: _Value, opened: "Sequence[_Value | SignatureReport]", stamps: dict[int, TimeStampFinding]
    ) -> list[LaterProof]:
        later = []
        for one in opened:
            if not isinstance(one, _Value) or id(one) not in stamps or one.gate.faults:
                continue
            proof = stamps[id(one)].proof
            if proof is not None and one.signed.range.end > value.signed.range.end:
                view = self._gate.revision(one.signed)
                later.append(LaterProof(proof, view is not None and "/DSS" in view.root))
        return later

    async def _signature_reports(
        self,
        field: SignatureField,
        value: _Value,
        faults: tuple[Remark, ...],
        judge: CmsJudge,
        stamps: dict[int, TimeStampFinding],
        opened: "Sequence[_Value | SignatureReport]",
    ) -> list[SignatureReport]:
        signature = signature_of(field)
        is_pades = signature is not None and str(signature.get("/SubFilter")) == "/ETSI.CAdES.detached"
        later = self._later(value, opened, stamps)
        reports = []
        for signer in value.signers:
            if value.content or value.content_type != "data":
                # Content of its own would be what is signed, whatever the file says (ISO 32000-1 section 12.8.3.3).
                judged = CmsJudgement(SubIndication.FORMAT_FAILURE)
            else:
                judged = await judge.judge(
                    signer, partial(self._digest, value.signed), later, must_name_certificate=is_pades
                )
            several = (Remark.SEVERAL_SIGNERS,) if len(value.signers) > 1 else ()
            level = level_of(
                "PAdES-BASELINE" if is_pades else "PKCS7",
                judged,
                value.evidence + self._store,
                is_archived=any(one.covers_evidence for one in later),
            )
            reports.append(
                self._report(field, value, signer, judged.reason, faults, (*several, *judged.warnings), judged, level)
            )
        return reports

    def _stamp_report(
        self, field: SignatureField, value: _Value, faults: tuple[Remark, ...], found: TimeStampFinding
    ) -> SignatureReport:
        judged = CmsJudgement(found.reason, best_time=found.proof)
        report = self._report(field, value, value.signers[0], found.reason, faults, (), judged, None)
        return report if found.time is None else replace(report, signing_time=found.time)

    def _report(
        self,
        field: SignatureField,
        value: _Value,
        signer: Signer,
        reason: SubIndication | None,
        faults: tuple[Remark, ...],
        warnings: tuple[Remark, ...],
        judged: CmsJudgement,
        level: str | None,
    ) -> SignatureReport:
        # Step 6.
        if faults and reason not in _BEFORE_THE_GATE:
            reason = SubIndication.FORMAT_FAILURE
        certificate = signer.certificate
        claimed = signer.claimed_time or _entry_time(field)
        role_time = judged.best_time or claimed or self._law.at
        return SignatureReport(
            field=printable(field.name),
            kind=kind_of(field),
            indication=Indication.TOTAL_PASSED if reason is None else reason.indication,
            sub_indication=reason,
            signer=None if certificate is None else common_name(certificate.subject),
            certificate_sha256=None if certificate is None else certificate.sha256.hex(),
            issuer=None if certificate is None else common_name(certificate.issuer),
            signing_time=claimed,
            covers_whole_document=self._gate.covers_all(value.signed.range),
            warnings=(*faults, *warnings),
            role=None if certificate is None else role_at(self._law.roles, certificate.sha256.hex(), role_time),
            level=level,
            best_signature_time=judged.best_time,
            changes_after=value.gate.changes,
        )


def kind_of(field: SignatureField) -> FieldKind:
    """Tell what a field holds; the sub-filter decides: time-stamps with /Type /Sig, or none, are common."""
    if field.value is None:
        return FieldKind.UNSIGNED
    signature = signature_of(field)
    if signature is not None and str(signature.get("/SubFilter")) == TIME_STAMP_SUBFILTER:
        return FieldKind.DOCUMENT_TIME_STAMP
    return FieldKind.SIGNATURE


def signature_of(field: SignatureField) -> generic.DictionaryObject | None:
    """Return the signature dictionary; None if /V is none."""
    value = field.value.get_object() if isinstance(field.value, generic.IndirectObject) else field.value
    return value if isinstance(value, generic.DictionaryObject) else None


def failed(field: SignatureField, reason: SubIndication, *remarks: Remark) -> SignatureReport:
    """Return the answer for a signature that was not looked into."""
    return SignatureReport(printable(field.name), kind_of(field), reason.indication, reason, warnings=tuple(remarks))


def printable(text: str) -> str:
    """Keep what the file calls itself from steering a terminal or filling a page."""
    kept = (char if unicodedata.category(char)[0] != "C" else "\ufffd" for char in text[:MAX_NAME_CHARS])
    return "".join(kept)


def common_name(name: x509.Name) -> str | None:
    """Return the common name of a subject or issuer and nothing else of it."""
    value = name.native.get("common_name")
    if isinstance(value, list):
        value = value[0]
    return None if value is None else printable(str(value))


def _entry_time(field: SignatureField) -> datetime | None:
    signature = signature_of(field)
    try:
        claimed = generic.parse_pdf_date(signature["/M"], strict=False) if signature is not None else None
    except (ValueError, TypeError, KeyError, PdfError):
        return None
    return claimed if isinstance(claimed, datetime) and claimed.utcoffset() is not None else None
