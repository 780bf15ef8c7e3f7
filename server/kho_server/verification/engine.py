"""How a verdict on a file comes to be. A pure function of bytes, trust material, rules and time.

1. Limits that are cheap to see: size, beginning of a PDF, overlong hex strings; other formats by name.
2. Read the structure: strictly, else leniently with a remark; encrypted files end here.
3. Enumerate every signature field; names or signatures that occur twice are faults of the format.
4. Integrity gate for each signature: byte range, gap, byte accounting, what a reader sees changed after signing.
5. Cryptography, certificate, proofs of time, path, revocation, algorithms, key usage of each signer
   (EN 319 102-1 clauses 5.2 to 5.6).
6. Combine: a wrong digest or signature value first, then the gate, then the rest of step 5.
7. The file is its worst signature; remarks on hidden and active content; sentence and remedy for a clerk.

Whoever calls owes: limits of time and memory around it, and revocation data that is fresh.
"""

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache

from pyhanko.pdf_utils import generic

from kho_server.verification.detached_judgement import judge_cms, looks_like_cms
from kho_server.verification.explanations import explain
from kho_server.verification.field_judgement import FieldJudge, Law, failed, kind_of, printable, signature_of
from kho_server.verification.form_view import FormTooLargeError
from kho_server.verification.integrity_gate import IntegrityGate, SignedField, signed_range
from kho_server.verification.limits import FileLimits
from kho_server.verification.modification_locks import modification_locks
from kho_server.verification.policy import ValidationPolicy, policy_at
from kho_server.verification.revision_view import RevisionView
from kho_server.verification.roles import RoleTable
from kho_server.verification.signature_fields import SignatureField, TooManyFieldsError, signature_fields
from kho_server.verification.suspicious_content import suspicious_content
from kho_server.verification.trust_folder import TrustMaterial
from kho_server.verification.value_comparison import TooMuchToCompareError
from kho_server.verification.verdict import (
    FieldKind,
    Indication,
    Remark,
    Scope,
    SignatureReport,
    SubIndication,
    Verdict,
)
from kho_server.verification.versions import ENGINE_VERSION, policy_version

# An XML signature, or a zip archive that may be an ASiC container.
_OTHER_FORMATS = re.compile(rb"(?:\xef\xbb\xbf)?\s*<(?:\?xml|[A-Za-z:]*Signature)|PK\x03\x04")
_HEAD_BYTES = 1024
_SEVERITY = (Indication.TOTAL_FAILED, Indication.INDETERMINATE, Indication.TOTAL_PASSED)


class _RefusedError(Exception):
    """The file gets its answer without a look at its signatures."""

    def __init__(self, reason: SubIndication, remark: Remark) -> None:
        super().__init__(remark)
        self.reason = reason
        self.remark = remark


class _NotStrictError(Exception):
    """The file breaks the letter of ISO 32000; a lenient reader may still follow it."""


def judge(
    data: bytes,
    trust: TrustMaterial,
    at: datetime,
    limits: FileLimits | None = None,
    *,
    content: bytes | None = None,
    policy: ValidationPolicy | None = None,
    roles: RoleTable | None = None,
) -> Verdict:
    """Judge all signatures of a file at the control time `at` (aware), by the rules of that day or by `policy`.

    A PDF, or a CMS value whose detached content, if any, is `content`. `roles` tells for whom certificates speak.
    Never raises for what the file holds, except MemoryError.
    """
    limits = limits or FileLimits()
    case = _Case(data, Law(trust, policy or policy_at(at), at, limits, roles or {}))
    try:
        case.check_bytes()
        if looks_like_cms(data):
            return case.verdict(judge_cms(data, content, case.law))
        case.check_format()
        try:
            return case.pdf_verdict(is_strict=True)
        except _NotStrictError:
            return case.pdf_verdict(is_strict=False)
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
    law: Law

    def check_bytes(self) -> None:
        """Step 1."""
        limits = self.law.limits
        is_overlong = _overlong(limits.hex_digits).search(self.data) is not None
        if is_overlong or len(self.data) > limits.file_bytes:
            raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.RESOURCE_LIMIT)

    def check_format(self) -> None:
        """Step 1."""
        if self.data.startswith(b"%PDF-"):
            if b"startxref" not in self.data:  # the library looks for it line by line, for seconds
                raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.UNREADABLE)
            return
        if _OTHER_FORMATS.match(self.data[:_HEAD_BYTES]) is not None:
            raise _RefusedError(SubIndication.SIG_CONSTRAINTS_FAILURE, Remark.UNSUPPORTED_FORMAT)
        raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.NOT_A_PDF)

    def pdf_verdict(self, *, is_strict: bool) -> Verdict:
        """Steps 2 to 7."""
        try:
            view, fields = self._read(is_strict)
            signed = {id(field): self._signed(view, field) for field in fields}
            ranges = [one for one in signed.values() if one is not None]
            gate = IntegrityGate(view, ranges, self.law.policy.areas, is_strict=is_strict)
            fields = tuple(sorted(fields, key=lambda field: _end(signed[id(field)])))
            shared = _shared(fields)
            remarks = suspicious_content(view, [gate.revision(one) for one in ranges])
        except (MemoryError, _RefusedError, _NotStrictError):
            raise
        except (TooManyFieldsError, FormTooLargeError, TooMuchToCompareError):
            raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.RESOURCE_LIMIT) from None
        except Exception as error:  # hostile bytes make the library raise nearly anything
            if is_strict:
                raise _NotStrictError from error
            raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.UNREADABLE) from error
        reports = self._reports(FieldJudge(view, gate, self.law), fields, signed, shared, is_strict=is_strict)
        return self.verdict(reports, *(() if is_strict else (Remark.PARSED_LENIENTLY,)), *remarks)

    def _reports(
        self,
        judge_all: FieldJudge,
        fields: tuple[SignatureField, ...],
        signed: dict[int, SignedField | None],
        shared: frozenset[int],
        *,
        is_strict: bool,
    ) -> tuple[SignatureReport, ...]:
        unsigned = [
            SignatureReport(printable(field.name), FieldKind.UNSIGNED, Indication.NO_SIGNATURE)
            for field in fields
            if field.value is None
        ]
        filled = [(field, signed[id(field)], id(field) in shared) for field in fields if field.value is not None]
        try:
            return (*unsigned, *judge_all.reports(filled))
        except MemoryError:
            raise
        except Exception as error:  # as above
            if is_strict:
                raise _NotStrictError from error
        # Whatever broke belongs to one of them; the others keep their answers.
        found = []
        for one in filled:
            try:
                found.extend(judge_all.reports([one]))
            except MemoryError:
                raise
            except Exception:  # as above
                found.append(failed(one[0], SubIndication.FORMAT_FAILURE, Remark.UNREADABLE))
        return (*unsigned, *found)

    def _read(self, is_strict: bool) -> tuple[RevisionView, tuple[SignatureField, ...]]:
        """Steps 2 and 3."""
        view = RevisionView(self.data, is_strict=is_strict)
        reader, limits = view.reader, self.law.limits
        if reader.encrypted:
            raise _RefusedError(SubIndication.SIGNED_DATA_NOT_FOUND, Remark.ENCRYPTED)
        if reader.xrefs.total_revisions > limits.revisions:
            raise _RefusedError(SubIndication.FORMAT_FAILURE, Remark.RESOURCE_LIMIT)
        if is_strict and reader.xrefs.hybrid_xrefs_present:
            raise _NotStrictError
        return view, signature_fields(reader, limits)

    def _signed(self, view: RevisionView, field: SignatureField) -> SignedField | None:
        signature = signature_of(field)
        found = None if signature is None else signed_range(signature, len(self.data))
        if signature is None or found is None:
            return None
        permissions = view.root.get("/Perms")
        certified = permissions.get("/DocMDP") if isinstance(permissions, generic.DictionaryObject) else None
        locks = modification_locks(signature, field.dictionary, certified)
        return SignedField(field, found, locks, kind_of(field) is FieldKind.DOCUMENT_TIME_STAMP)

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
        trust, at = self.law.trust, self.law.at
        trust_remarks = [] if trust.anchors or trust.is_embedded else [Remark.TRUST_FOLDER_EMPTY]
        if trust.is_embedded:
            trust_remarks.append(Remark.INTEGRITY_ONLY)
        if trust.unreadable:
            trust_remarks.append(Remark.TRUST_FOLDER_INCOMPLETE)
        return Verdict(
            indication=indication,
            sub_indication=reason,
            digest=hashlib.sha256(self.data).hexdigest(),
            evaluated_at=at,
            policy_version=policy_version(trust.version, at, self.law.policy),
            engine_version=ENGINE_VERSION,
            explanation_vi=words.vi,
            explanation_en=words.en,
            signatures=reports,
            warnings=(*trust_remarks, *remarks),
            scope=Scope.INTEGRITY if trust.is_embedded else Scope.FULL,
        )


@lru_cache(maxsize=4)
def _overlong(digits: int) -> re.Pattern[bytes]:
    return re.compile(rb"<[0-9A-Fa-f\x00\t\n\x0c\r ]{%d}" % (digits + 1))


def _end(signed: SignedField | None) -> int:
    return -1 if signed is None else signed.range.end


def _shared(fields: tuple[SignatureField, ...]) -> frozenset[int]:
    """Identities of fields that share their name or their signature with another field."""
    names = Counter(field.name for field in fields)
    values = Counter(field.value_reference for field in fields)
    return frozenset(
        id(field)
        for field in fields
        if names[field.name] > 1 or (field.value is not None and values[field.value_reference] > 1)
    )
