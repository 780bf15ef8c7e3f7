"""Asks whether what is signed is all that a reader sees; the cryptography is not asked here.

EN 319 102-1 leaves this to the document format; like EU DSS, a fault here is FORMAT_FAILURE.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

from pyhanko.pdf_utils import generic

from kho_server.verification.byte_accounting import last_unlisted_byte
from kho_server.verification.changes import (
    ALLOWED_UNDER_A_LATER_SIGNATURE,
    ALWAYS_ALLOWED,
    Change,
    ChangeRule,
)
from kho_server.verification.declared_areas import DeclaredAreas
from kho_server.verification.modification_locks import ModificationLocks
from kho_server.verification.revision_changes import changes_between
from kho_server.verification.revision_view import RevisionView
from kho_server.verification.signature_fields import SignatureField
from kho_server.verification.verdict import ChangeAfter, Remark

_HEX = re.compile(rb"[0-9A-Fa-f]*")
_CONTENTS_KEY = re.compile(rb"/Contents[\x00\t\n\x0c\r ]*\Z")
_SIGNED_KEYS = re.compile(rb"/(Contents|ByteRange)(?![A-Za-z0-9])")
_END_OF_REVISION = re.compile(rb"startxref[\x00\t\n\x0c\r ]+([0-9]{1,19})[\x00\t\n\x0c\r ]+%%EOF[\x00\t\n\x0c\r ]*\Z")
_TAIL_BYTES = 2048


@dataclass(frozen=True)
class SignedRange:
    """A ByteRange [0 gap_start gap_end rest] that lies within the file; `end` is where it stops."""

    gap_start: int
    gap_end: int
    end: int


@dataclass(frozen=True)
class SignedField:
    """A field with the range it signs; `is_time_stamp` tells document time-stamps from signatures."""

    field: SignatureField
    range: SignedRange
    locks: ModificationLocks
    is_time_stamp: bool


@dataclass(frozen=True)
class GateAnswer:
    """Why a signature does not stand for the whole file, empty if it does, and what changed after it."""

    faults: tuple[Remark, ...]
    changes: tuple[ChangeAfter, ...] = ()


@dataclass(frozen=True)
class _Step:
    """What changed up to a later revision; `is_signed`: some signature answers for that revision."""

    start: int
    changes: tuple[Change, ...]
    is_signed: bool


class IntegrityGate:
    """The gate of one file: what the appended bytes are is asked once, and answered for each signature."""

    def __init__(
        self, whole: RevisionView, signed: Sequence[SignedField], areas: DeclaredAreas, *, is_strict: bool
    ) -> None:
        """Read every signed revision. Raises what the library raises on a broken structure."""
        self._whole = whole
        self._signed = sorted(signed, key=lambda one: one.range.end)
        size = len(whole.data)
        ends = sorted({one.range.end for one in signed})
        self._last_unlisted = last_unlisted_byte(whole.reader, whole.data, ends[0] if ends else size)
        self._views = {end: _revision(whole, end, is_strict=is_strict) for end in ends}
        last_signature = max((one.range.end for one in signed if not one.is_time_stamp), default=0)
        self._steps: list[_Step] = []
        for start, end in pairwise([*ends, size]):
            older, newer = self._views[start], self._views.get(end, whole) if end != size else whole
            if start != end and older is not None and newer is not None and not _is_idle(whole.data, start, end):
                changes = changes_between(older, newer, areas)
                self._steps.append(_Step(start, changes, is_signed=last_signature >= end))

    def answer(self, one: SignedField, contents: bytes) -> GateAnswer:
        """Answer for a signature whose value is `contents`. Raises as the library on a broken structure."""
        view = self._views[one.range.end]
        if view is None or not self._is_exact_gap(one, contents, view):
            return GateAnswer((Remark.BYTE_RANGE,))
        faults = []
        if self._last_unlisted is not None and self._last_unlisted > one.range.end:
            faults.append(Remark.UNLISTED_BYTES)
        if self._is_late_certification(one):
            faults.append(Remark.CERTIFICATION_ORDER)
        changes = tuple(
            ChangeAfter(change.rule, change.where, self._is_allowed(one, change, step))
            for step in self._steps
            if step.start >= one.range.end
            for change in step.changes
        )
        if not all(change.is_allowed for change in changes):
            faults.append(Remark.CHANGED_AFTER_SIGNING)
        return GateAnswer(tuple(faults), tuple(dict.fromkeys(changes)))

    def covers_all(self, signed: SignedRange) -> bool:
        """Tell whether not a byte follows the signed range."""
        return signed.end == len(self._whole.data)

    def revision(self, one: SignedField) -> RevisionView | None:
        """Return the revision that a signature covers, None if its range ends elsewhere."""
        return self._views[one.range.end]

    def _is_late_certification(self, one: SignedField) -> bool:
        """Tell whether a certification came after another signature (ISO 32000-1 section 12.8.1)."""
        earlier = (other for other in self._signed if other.range.end < one.range.end and not other.is_time_stamp)
        return one.locks.certifies and any(earlier)

    @staticmethod
    def _is_allowed(one: SignedField, change: Change, step: _Step) -> bool:
        allowed = ALLOWED_UNDER_A_LATER_SIGNATURE if step.is_signed else ALWAYS_ALLOWED
        if change.rule not in allowed:
            return False
        return change.rule in ALWAYS_ALLOWED or one.locks.permits(
            change.where, is_annotation=change.rule is ChangeRule.MARK_IN_DECLARED_AREA
        )

    @staticmethod
    def _is_exact_gap(one: SignedField, contents: bytes, view: RevisionView) -> bool:
        """Tell whether the gap is the one direct hex string of /Contents in the signature's own object."""
        data, gap = view.data, one.range
        holder = one.field.holder
        offset = None if holder is None else view.reader.xrefs[holder]
        if not isinstance(offset, int) or not offset < gap.gap_start:
            return False
        digits = data[gap.gap_start + 1 : gap.gap_end - 1]
        if data[gap.gap_start : gap.gap_start + 1] != b"<" or data[gap.gap_end - 1 : gap.gap_end] != b">":
            return False
        if _HEX.fullmatch(digits) is None or len(digits) % 2:
            return False
        if bytes.fromhex(digits.decode("ascii")) != contents:
            return False
        before = data[offset : gap.gap_start]
        object_end = data.find(b"endobj", gap.gap_end)
        if b"endobj" in before or object_end < 0 or _CONTENTS_KEY.search(before[-64:]) is None:
            return False
        keys = _SIGNED_KEYS.findall(before) + _SIGNED_KEYS.findall(data[gap.gap_end : object_end])
        return sorted(keys) == [b"ByteRange", b"Contents"]


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


def _revision(whole: RevisionView, end: int, *, is_strict: bool) -> RevisionView | None:
    """Read the signed bytes as a file of their own; None if they do not end where a revision ends."""
    if end == len(whole.data):
        return whole
    tail = _END_OF_REVISION.search(whole.data, max(0, end - _TAIL_BYTES), end)
    if tail is None:
        return None
    view = RevisionView(whole.data[:end], is_strict=is_strict)
    return view if view.reader.last_startxref == int(tail[1]) else None


def _is_idle(data: bytes, start: int, end: int) -> bool:
    return not data[start:end].strip(b"\x00\t\n\x0c\r ")
