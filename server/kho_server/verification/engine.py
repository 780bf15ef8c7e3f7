"""How a verdict on a PDF comes to be. A pure function of bytes, trust material and time.

1. Limits that are cheap to see: size, beginning of a PDF, overlong hex strings.
2. Read the structure: strictly, else leniently with a remark; encrypted files end here.
3. Enumerate every signature field; names or signatures that occur twice are faults of the format.
4. Integrity gate for each signature: byte range, gap, byte accounting, changes after signing.
5. Cryptography, path, revocation and key usage of each signature (EN 319 102-1 clause 5.3).
6. Combine: a wrong digest or signature value first, then the gate, then the rest of step 5.
7. The file is its worst signature; sentence and remedy for a clerk.

Not yet judged: proofs of time (signature and document time-stamps), roles of signers, dated algorithm rules.
Whoever calls owes: limits of time and memory around it, and revocation lists that are fresh.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from io import BytesIO

from pyhanko.pdf_utils.reader import PdfFileReader

from kho_server.verification.cms_judgement import validation_spec
from kho_server.verification.explanations import explain
from kho_server.verification.field_judgement import FieldJudge, failed, kind_of, printable, signature_of
from kho_server.verification.integrity_gate import IntegrityGate, SignedRange, signed_range
from kho_server.verification.limits import FileLimits
from kho_server.verification.signature_fields import SignatureField, TooManyFieldsError, signature_fields
from kho_server.verification.trust_folder import TrustMaterial
from kho_server.verification.verdict import (
    FieldKind,
    Indication,
    Remark,
    SignatureReport,
    SubIndication,
    Verdict,
)
from kho_server.verification.versions import ENGINE_VERSION, policy_version

_SEVERITY = (Indication.TOTAL_FAILED, Indication.INDETERMINATE, Indication.TOTAL_PASSED)


class _RefusedError(Exception):
    """The file gets its answer without a look at its signatures."""

    def __init__(self, reason: SubIndication, remark: Remark) -> None:
        super().__init__(remark)
        self.reason = reason
        self.remark = remark


class _NotStrictError(Exception):
    """The file breaks the letter of ISO 32000; a lenient reader may still follow it."""


def judge(data: bytes, trust: TrustMaterial, at: datetime, limits: FileLimits | None = None) -> Verdict:
    """Judge all signatures of a PDF at the control time `at` (aware).

    Never raises for what the file holds, except MemoryError.
    """
    case = _Case(data, trust, at, limits or FileLimits())
    try:
        case.check_bytes()
        try:
            return case.verdict(case.reports(is_strict=True))
        except _NotStrictError:
            return case.verdict(case.reports(is_strict=False), Remark.PARSED_LENIENTLY)
    except _RefusedError as refused:
        return case.answer(refused.reason.indication, refused.reason, (), refused.remark)


def worst_of(reports: tuple[SignatureReport, ...]) -> SignatureReport | None:
    """Return the signature that decides for the file, the earliest of equals; None if nobody signed."""
    signed = [report for report in reports if report.kind is FieldKind.SIGNATURE]
    return min(signed, key=lambda report: _SEVERITY.index(report.indication), default=None)


@dataclass(frozen=True)
class _Case:
    """One file before the judge, with the law of the moment."""

    data: bytes
    trust: TrustMaterial
    at: datetime
    limits: FileLimits

    def check_bytes(self) -> None:
        """Step 1."""
        if not self.data.startswith(b"%PDF-"):
            raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.NOT_A_PDF)
        is_overlong = _overlong(self.limits.hex_digits).search(self.data) is not None
        if is_overlong or len(self.data) > self.limits.file_bytes:
            raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.RESOURCE_LIMIT)

    def reports(self, *, is_strict: bool) -> tuple[SignatureReport, ...]:
        """Steps 2 to 6."""
        try:
            reader, fields = self._read(is_strict)
            ranges = {id(field): self._range(field) for field in fields}
            gate = IntegrityGate(
                reader,
                self.data,
                ranges=[one for one in ranges.values() if one is not None],
                unsigned_fields=[field.dictionary for field in fields if field.value is None],
            )
            fields = tuple(sorted(fields, key=lambda field: _end(ranges[id(field)])))
            shared = _shared(fields)
        except (MemoryError, _RefusedError, _NotStrictError):
            raise
        except TooManyFieldsError:
            raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.RESOURCE_LIMIT) from None
        except Exception as error:  # hostile bytes make the library raise nearly anything
            if is_strict:
                raise _NotStrictError from error
            raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.UNREADABLE) from error
        judge_one = FieldJudge(reader, gate, validation_spec(self.trust), at=self.at, limits=self.limits)
        last = next((one for one in reversed(fields) if kind_of(one) is FieldKind.SIGNATURE), None)
        reports = []
        for field in fields:
            if field.value is None:
                report = SignatureReport(printable(field.name), FieldKind.UNSIGNED, Indication.NO_SIGNATURE)
                reports.append(report)
                continue
            signed, is_shared = ranges[id(field)], id(field) in shared
            try:
                report = judge_one.report(field, signed, is_last=field is last, is_shared=is_shared)
            except MemoryError:
                raise
            except Exception as error:  # as above
                if is_strict:
                    raise _NotStrictError from error
                report = failed(field, SubIndication.FORMAT_FAILURE, Remark.UNREADABLE)
            reports.append(report)
        return tuple(reports)

    def _read(self, is_strict: bool) -> tuple[PdfFileReader, tuple[SignatureField, ...]]:
        """Steps 2 and 3."""
        reader = PdfFileReader(BytesIO(self.data), strict=is_strict)
        if reader.encrypted:
            raise _RefusedError(SubIndication.SIGNED_DATA_NOT_FOUND, Remark.ENCRYPTED)
        if reader.xrefs.total_revisions > self.limits.revisions:
            raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.RESOURCE_LIMIT)
        if is_strict and reader.xrefs.hybrid_xrefs_present:
            raise _NotStrictError
        return reader, signature_fields(reader, self.limits)

    def _range(self, field: SignatureField) -> SignedRange | None:
        signature = signature_of(field)
        return None if signature is None else signed_range(signature, len(self.data))

    def verdict(self, reports: tuple[SignatureReport, ...], *remarks: Remark) -> Verdict:
        """Step 7."""
        worst = worst_of(reports)
        if worst is None:
            return self.answer(Indication.NO_SIGNATURE, None, reports, *remarks)
        return self.answer(worst.indication, worst.sub_indication, reports, *remarks)

    def answer(
        self,
        indication: Indication,
        reason: SubIndication | None,
        reports: tuple[SignatureReport, ...],
        *remarks: Remark,
    ) -> Verdict:
        words = explain(indication, reason)
        trust_remarks = [] if self.trust.anchors else [Remark.TRUST_FOLDER_EMPTY]
        if self.trust.unreadable:
            trust_remarks.append(Remark.TRUST_FOLDER_INCOMPLETE)
        return Verdict(
            indication=indication,
            sub_indication=reason,
            digest=hashlib.sha256(self.data).hexdigest(),
            evaluated_at=self.at,
            policy_version=policy_version(self.trust.version),
            engine_version=ENGINE_VERSION,
            explanation_vi=words.vi,
            explanation_en=words.en,
            signatures=reports,
            warnings=(*trust_remarks, *remarks),
        )


@lru_cache(maxsize=4)
def _overlong(digits: int) -> re.Pattern[bytes]:
    return re.compile(rb"<[0-9A-Fa-f\x00\t\n\x0c\r ]{%d}" % (digits + 1))


def _end(signed: SignedRange | None) -> int:
    return -1 if signed is None else signed.end


def _shared(fields: tuple[SignatureField, ...]) -> frozenset[int]:
    """Identities of fields that share their name or their signature with another field."""
    names = Counter(field.name for field in fields)
    values = Counter(field.value_reference for field in fields)
    return frozenset(
        id(field)
        for field in fields
        if names[field.name] > 1 or (field.value is not None and values[field.value_reference] > 1)
    )
