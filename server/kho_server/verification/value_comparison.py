"""Compares what two revisions say, by value: how objects are numbered or packed does not matter."""

import re
from collections import Counter
from collections.abc import Iterator
from functools import cached_property

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.misc import PdfError
from pyhanko.pdf_utils.xref import XRefSectionType

from kho_server.verification.revision_view import Key, RevisionView, is_null, key_of, raw

# How a stream is packed; what it unpacks to is compared instead.
_PACKING = frozenset({"/Length", "/Filter", "/DecodeParms", "/DL"})
# Pointers back up, which lead around in circles and show nothing; pages are compared in their own order.
_BACK_POINTERS = frozenset({"/P", "/Parent", "/StructParent", "/StructParents"})
_REFERENCE = re.compile(rb"(?<![0-9])([0-9]{1,10})[\x00\t\n\x0c\r ]+[0-9]{1,5}[\x00\t\n\x0c\r ]+R(?![A-Za-z0-9])")
MAX_COMPARED = 400_000


class TooMuchToCompareError(ValueError):
    """The two revisions hold more values than are compared."""


class ValueComparison:
    """Compares values of an older revision with values of a newer one.

    `is_plain` promises that whatever the update replaced is compared by name elsewhere, so that equal references
    to other objects need no look; the caller sets it once it knows.
    """

    def __init__(self, old: RevisionView, new: RevisionView) -> None:
        self.old = old
        self.new = new
        self.is_plain = False
        self._proven: set[tuple[Key, Key]] = set()
        self._compared = 0

    @cached_property
    def touched(self) -> frozenset[int]:
        """Numbers of objects that the newer revision places elsewhere, defines for the first time, or frees."""
        old, new = self.old, self.new
        shared = _shared_sections(old, new)
        if shared is not None:
            # The newer file begins with the sections of the older one: only what came later can differ.
            return frozenset(
                number
                for revision in range(shared, new.reader.xrefs.total_revisions)
                for number in _mentioned(new, revision)
            )
        found = {
            number
            for number, generation in new.generations.items()
            if old.generations.get(number) != generation
            or old.reader.xrefs[_reference(old, number, generation)]
            != new.reader.xrefs[_reference(new, number, generation)]
        }
        return frozenset(found | (set(old.generations) - set(new.generations)))

    @cached_property
    def referenced(self) -> Counter[int]:
        """Numbers that the older revision may refer to, and how often; too many rather than too few."""
        found = Counter(int(number) for number in _REFERENCE.findall(self.old.data))
        xrefs = self.old.reader.xrefs
        for revision in range(xrefs.total_revisions):
            for reference in xrefs.object_streams_used_in(revision):
                stream = reference.get_object()
                if isinstance(stream, generic.StreamObject):
                    found.update(int(number) for number in _REFERENCE.findall(stream.data))
        # What trailers refer to (/Info, /Root) no page is drawn with.
        found.subtract(number for text in _trailers(self.old) for number in map(int, _REFERENCE.findall(text)))
        return +found

    def same(self, old: generic.PdfObject | None, new: generic.PdfObject | None) -> bool:
        """Tell whether a reader of both revisions is told the same. TooMuchToCompareError, or as the library."""
        stack: list[tuple[generic.PdfObject | None, generic.PdfObject | None]] = [(old, new)]
        assumed: set[tuple[Key, Key]] = set()
        while stack:
            self._compared += 1
            if self._compared > MAX_COMPARED:
                raise TooMuchToCompareError
            first, second = stack.pop()
            keys = key_of(first), key_of(second)
            pages = _page(self.old, keys[0]), _page(self.new, keys[1])
            if pages != (None, None):
                if pages[0] != pages[1]:
                    return False
                continue
            if keys[0] is not None and keys[1] is not None:
                pair = keys[0], keys[1]
                if pair in self._proven or pair in assumed or (self.is_plain and keys[0] == keys[1]):
                    continue
                assumed.add(pair)
            if not self._level(self.old.resolve(first), self.new.resolve(second), stack):
                return False
        self._proven |= assumed
        return True

    def same_entries(
        self, old: generic.DictionaryObject, new: generic.DictionaryObject, *, without: frozenset[str] = frozenset()
    ) -> list[str]:
        """Return the keys whose values differ, but for `without`; a null value says as little as none."""
        keys = [key for key in {**dict(old), **dict(new)} if key not in without]
        return [key for key in keys if not self.same(raw(old, key), raw(new, key))]

    def _level(
        self,
        old: generic.PdfObject,
        new: generic.PdfObject,
        stack: list[tuple[generic.PdfObject | None, generic.PdfObject | None]],
    ) -> bool:
        """Compare two resolved values and push what they hold."""
        if is_null(old) or is_null(new):
            return is_null(old) and is_null(new)
        if isinstance(old, generic.StreamObject) or isinstance(new, generic.StreamObject):
            if not isinstance(old, generic.StreamObject) or not isinstance(new, generic.StreamObject):
                return False
            skipped = _PACKING
            if not _same_stream(old, new):
                return False
        else:
            skipped = frozenset()
        if isinstance(old, generic.DictionaryObject):
            if not isinstance(new, generic.DictionaryObject):
                return False
            skipped |= _BACK_POINTERS if "/Subtype" in old or "/FT" in old or "/T" in old else frozenset()
            for key in {**dict(old), **dict(new)}:
                if key not in skipped:
                    stack.append((raw(old, key), raw(new, key)))
            return True
        if isinstance(old, generic.ArrayObject):
            if not isinstance(new, generic.ArrayObject) or len(old) != len(new):
                return False
            stack.extend((old.raw_get(index), new.raw_get(index)) for index in range(len(old)))
            return True
        return _same_leaf(old, new)


def _same_stream(old: generic.StreamObject, new: generic.StreamObject) -> bool:
    if old.encoded_data == new.encoded_data and old.get("/Filter") == new.get("/Filter"):
        return True
    try:
        return bool(old.data == new.data)
    except (NotImplementedError, ValueError, PdfError):
        return False  # nobody can say that it is the same


def _same_leaf(old: generic.PdfObject, new: generic.PdfObject) -> bool:
    number = generic.NumberObject | generic.FloatObject
    if isinstance(old, number) and isinstance(new, number):
        return bool(old == new)
    text = generic.TextStringObject | generic.ByteStringObject
    if isinstance(old, text) and isinstance(new, text):
        return bool(old.original_bytes == new.original_bytes)
    if isinstance(old, generic.BooleanObject) and isinstance(new, generic.BooleanObject):
        return bool(old.value == new.value)
    return isinstance(old, generic.NameObject) and isinstance(new, generic.NameObject) and str(old) == str(new)


def _page(view: RevisionView, key: Key | None) -> int | None:
    return None if key is None else view.page_numbers.get(key)


def _shared_sections(old: RevisionView, new: RevisionView) -> int | None:
    """Return how many sections the older revision has, None if the newer one does not begin with them."""
    before, after = old.reader.xrefs, new.reader.xrefs
    count: int = before.total_revisions
    if count > after.total_revisions:
        return None
    starts = ((one.get_startxref_for_revision(index) for index in range(count)) for one in (before, after))
    return count if all(a == b for a, b in zip(*starts, strict=True)) else None


def _trailers(view: RevisionView) -> Iterator[bytes]:
    """Return the text of every trailer that follows a table, from where the library found the table's end."""
    xrefs = view.reader.xrefs
    for revision in range(xrefs.total_revisions):
        section = xrefs.get_xref_container_info(revision)
        if section.xref_section_type in (XRefSectionType.STANDARD, XRefSectionType.HYBRID_MAIN):
            end = view.data.find(b"startxref", section.end_location)
            text = view.data[section.end_location : max(end, section.end_location)]
            if b"obj" not in text:
                yield text


def _mentioned(view: RevisionView, revision: int) -> set[int]:
    section = view.reader.xrefs.get_xref_data(revision)
    found = set(section.freed)
    for data in (section, *((section.hybrid.xref_data,) if section.hybrid is not None else ())):
        found |= {*data.standard_xrefs, *data.xrefs_in_objstm}
    return found


def _reference(view: RevisionView, number: int, generation: int) -> generic.Reference:
    return generic.Reference(number, generation, view.reader)
