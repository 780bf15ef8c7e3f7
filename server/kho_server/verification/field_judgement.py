"""Steps 4 to 6 of the engine: one signature field of one file."""

import asyncio
import unicodedata
from datetime import datetime

from asn1crypto import x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.policy_decl import SignatureValidationSpec

from kho_server.verification.cms_judgement import (
    SIGNATURE_SUBFILTERS,
    TIME_STAMP_SUBFILTER,
    CmsJudgement,
    judge_signature,
    judge_time_stamp,
    precheck,
    signer_certificate,
)
from kho_server.verification.integrity_gate import IntegrityGate, SignedRange
from kho_server.verification.limits import FileLimits
from kho_server.verification.signature_fields import SignatureField
from kho_server.verification.verdict import FieldKind, Indication, Remark, SignatureReport, SubIndication

# These two say more than the gate does: the bytes or the value themselves are wrong.
_BEFORE_THE_GATE = (SubIndication.HASH_FAILURE, SubIndication.SIG_CRYPTO_FAILURE)
MAX_NAME_CHARS = 200


class FieldJudge:
    """Judges fields of one file; holds what is common to them."""

    def __init__(
        self,
        reader: PdfFileReader,
        gate: IntegrityGate,
        spec: SignatureValidationSpec,
        *,
        at: datetime,
        limits: FileLimits,
    ) -> None:
        self._reader = reader
        self._gate = gate
        self._spec = spec
        self._at = at
        self._limits = limits

    def report(
        self, field: SignatureField, signed: SignedRange | None, *, is_last: bool, is_shared: bool
    ) -> SignatureReport:
        """Return the answer for one signed field. Raises what the library raises on a broken structure.

        `is_last`: no signature follows in the file; `is_shared`: another field has this name or signature.
        """
        kind = kind_of(field)
        refused = self._refused(field, signed)
        if refused is not None or signed is None:
            reason, remarks = refused or (SubIndication.FORMAT_FAILURE, (Remark.BYTE_RANGE,))
            return failed(field, reason, *remarks)
        embedded = EmbeddedPdfSignature(self._reader, field.dictionary, field.name)
        # Step 4.
        faults = self._gate.faults(embedded, signed, is_last=is_last)
        if is_shared:
            faults = (*faults, Remark.SIGNATURE_SHARED)
        # Step 5.
        found = asyncio.run(self._cms(embedded, kind))
        # Step 6.
        reason_found = found.reason
        if faults and reason_found not in _BEFORE_THE_GATE:
            reason_found = SubIndication.FORMAT_FAILURE
        certificate = signer_certificate(embedded)
        return SignatureReport(
            field=printable(field.name),
            kind=kind,
            indication=Indication.TOTAL_PASSED if reason_found is None else reason_found.indication,
            sub_indication=reason_found,
            signer=None if certificate is None else _common_name(certificate.subject),
            certificate_sha256=None if certificate is None else certificate.sha256.hex(),
            issuer=None if certificate is None else _common_name(certificate.issuer),
            signing_time=_signing_time(embedded),
            covers_whole_document=self._gate.covers_all(signed),
            warnings=(*faults, *found.warnings),
        )

    def _refused(
        self, field: SignatureField, signed: SignedRange | None
    ) -> tuple[SubIndication, tuple[Remark, ...]] | None:
        """Tell what forbids to hand the signature to the library; None if nothing does."""
        signature = signature_of(field)
        if signature is None or field.value_reference is None:
            return SubIndication.FORMAT_FAILURE, (Remark.BYTE_RANGE,)
        subfilter = str(signature.get("/SubFilter"))
        if subfilter != TIME_STAMP_SUBFILTER and subfilter not in SIGNATURE_SUBFILTERS:
            return SubIndication.SIG_CONSTRAINTS_FAILURE, (Remark.UNSUPPORTED_SUBFILTER,)
        contents = signature.get("/Contents")
        if signed is None or not isinstance(contents, generic.ByteStringObject | generic.TextStringObject):
            return SubIndication.FORMAT_FAILURE, (Remark.BYTE_RANGE,)
        checked = precheck(contents.original_bytes, self._limits)
        return None if checked is None or checked.reason is None else (checked.reason, checked.warnings)

    async def _cms(self, embedded: EmbeddedPdfSignature, kind: FieldKind) -> CmsJudgement:
        if kind is FieldKind.DOCUMENT_TIME_STAMP:
            return await judge_time_stamp(embedded, self._spec, self._at)
        return await judge_signature(embedded, self._spec, self._at)


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


def _signing_time(embedded: EmbeddedPdfSignature) -> datetime | None:
    try:
        claimed = embedded.self_reported_timestamp
    except (ValueError, TypeError, KeyError):
        return None
    # Without a zone it names no instant, and it is only a claim.
    return claimed if claimed is not None and claimed.utcoffset() is not None else None


def _common_name(name: x509.Name) -> str | None:
    value = name.native.get("common_name")
    if isinstance(value, list):
        value = value[0]
    return None if value is None else printable(str(value))
