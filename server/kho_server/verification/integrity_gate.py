"""Asks whether what is signed is all that a reader sees; the cryptography is not asked here.

EN 319 102-1 leaves this to the document format; like EU DSS, a fault here is FORMAT_FAILURE.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import (
    CatalogModificationRule,
    DiffResult,
    DocInfoRule,
    DSSCompareRule,
    FormUpdatingRule,
    MetadataUpdateRule,
    ModificationLevel,
    ObjectStreamRule,
    SigFieldCreationRule,
    SigFieldModificationRule,
    StandardDiffPolicy,
    XrefStreamRule,
)
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.status import SignatureCoverageLevel

from kho_server.verification.byte_accounting import last_unlisted_byte
from kho_server.verification.verdict import Remark

_LTA = ModificationLevel.LTA_UPDATES

# The library's own rules but for one: filling in other form fields is nowhere allowed in an archived document.
_CHANGES = StandardDiffPolicy(
    global_rules=[
        CatalogModificationRule(),
        DocInfoRule().as_qualified(_LTA),
        XrefStreamRule().as_qualified(_LTA),
        ObjectStreamRule().as_qualified(_LTA),
        DSSCompareRule().as_qualified(_LTA),
        MetadataUpdateRule().as_qualified(_LTA),
    ],
    form_rule=FormUpdatingRule(field_rules=[SigFieldCreationRule(), SigFieldModificationRule()]),
)

_HEX = re.compile(rb"[0-9A-Fa-f]*")
_CONTENTS_KEY = re.compile(rb"/Contents[\x00\t\n\x0c\r ]*\Z")
_SIGNED_KEYS = re.compile(rb"/(Contents|ByteRange)(?![A-Za-z0-9])")


@dataclass(frozen=True)
class SignedRange:
    """A ByteRange [0 gap_start gap_end rest] that lies within the file; `end` is where it stops."""

    gap_start: int
    gap_end: int
    end: int


class IntegrityGate:
    """The gate of one file: what the appended bytes are is asked once, and answered for each signature."""

    def __init__(
        self,
        reader: PdfFileReader,
        data: bytes,
        *,
        ranges: Iterable[SignedRange],
        unsigned_fields: Iterable[generic.DictionaryObject],
    ) -> None:
        self._reader = reader
        self._data = data
        first_end = min((one.end for one in ranges), default=len(data))
        self._last_unlisted = last_unlisted_byte(reader, data, first_end)
        references = (field.container_ref for field in unsigned_fields)
        self._newest_unsigned_field = max(
            (reader.xrefs.get_introducing_revision(one) for one in references if isinstance(one, generic.Reference)),
            default=-1,
        )

    def faults(
        self, embedded: EmbeddedPdfSignature, signed: SignedRange | None, *, is_last: bool
    ) -> tuple[Remark, ...]:
        """Return why the signature does not stand for the whole file; empty if it does.

        `is_last`: no signature follows, so that nothing but long-term validation data may.
        Raises what the library raises on a broken structure.
        """
        if signed is None or not self._is_exact_gap(embedded, signed):
            return (Remark.BYTE_RANGE,)
        if self.covers_all(signed):
            return ()
        if embedded.evaluate_signature_coverage() < SignatureCoverageLevel.ENTIRE_REVISION:
            return (Remark.BYTE_RANGE,)
        if self._last_unlisted is not None and self._last_unlisted > signed.end:
            return (Remark.UNLISTED_BYTES,)
        return () if self._is_allowed(embedded, is_last) else (Remark.CHANGED_AFTER_SIGNING,)

    def covers_all(self, signed: SignedRange) -> bool:
        """Tell whether not a byte follows the signed range."""
        return signed.end == len(self._data)

    def _is_exact_gap(self, embedded: EmbeddedPdfSignature, signed: SignedRange) -> bool:
        """Tell whether the gap is the one direct hex string of /Contents in the signature's own object."""
        data, gap = self._data, signed
        value = embedded.sig_field.raw_get("/V")
        offset = self._reader.xrefs.get_historical_ref(value.reference, embedded.signed_revision)
        if not isinstance(offset, int) or not offset < gap.gap_start:
            return False
        digits = data[gap.gap_start + 1 : gap.gap_end - 1]
        if data[gap.gap_start : gap.gap_start + 1] != b"<" or data[gap.gap_end - 1 : gap.gap_end] != b">":
            return False
        if _HEX.fullmatch(digits) is None or len(digits) % 2:
            return False
        if bytes.fromhex(digits.decode("ascii")) != embedded.pkcs7_content:
            return False
        before = data[offset : gap.gap_start]
        object_end = data.find(b"endobj", gap.gap_end)
        if b"endobj" in before or object_end < 0 or _CONTENTS_KEY.search(before[-64:]) is None:
            return False
        keys = _SIGNED_KEYS.findall(before) + _SIGNED_KEYS.findall(data[gap.gap_end : object_end])
        return sorted(keys) == [b"ByteRange", b"Contents"]

    def _is_allowed(self, embedded: EmbeddedPdfSignature, is_last: bool) -> bool:
        if self._reader.xrefs.total_revisions == embedded.signed_revision + 1:
            return True  # white space follows, and nothing else
        if is_last and self._newest_unsigned_field > embedded.signed_revision:
            return False  # the library lets pass any field that is invisible; only a time-stamp belongs here
        permitted = embedded.docmdp_level
        result = _CHANGES.review_file(
            self._reader,
            embedded.signed_revision,
            field_mdp_spec=embedded.fieldmdp,
            doc_mdp=permitted,
        )
        if not isinstance(result, DiffResult):
            return False
        level: ModificationLevel = result.modification_level
        if permitted is not None and level.value > permitted.value:
            return False
        most = _LTA if is_last else ModificationLevel.FORM_FILLING
        return level.value <= int(most.value)


def signed_range(signature: generic.DictionaryObject, size: int) -> SignedRange | None:
    """Read /ByteRange; None if it is not [0 a b c] with a gap, inside a file of `size` bytes."""
    array = signature.get("/ByteRange")
    if not isinstance(array, generic.ArrayObject) or len(array) != 4:
        return None
    numbers = [array[index] for index in range(4)]
    if not all(isinstance(number, generic.NumberObject) for number in numbers):
        return None
    start, gap_start, gap_end, rest = (int(number) for number in numbers)
    if start != 0 or not 0 < gap_start < gap_end - 1 or rest < 1 or gap_end + rest > size:
        return None
    return SignedRange(gap_start, gap_end, gap_end + rest)
