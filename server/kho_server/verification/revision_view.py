"""One revision of a file as a reader sees it: pages in order, and objects resolved the way viewers resolve them.

A signed revision is read from the signed bytes alone, as a file of its own, so that nothing appended later can
steer how it is understood.
"""

from dataclasses import dataclass
from functools import cached_property
from io import BytesIO

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader

Key = tuple[int, int]
"""Number and generation of an object."""

# ISO 32000-1 table 30 names four attributes that pages inherit.
INHERITED = ("/Resources", "/MediaBox", "/CropBox", "/Rotate")
MAX_PAGES = 20_000
MAX_PAGE_TREE_DEPTH = 64


class ViewError(ValueError):
    """The page tree or the catalog cannot be followed."""


@dataclass(frozen=True)
class Page:
    """One page: its own dictionary, and its entries with the inherited ones."""

    key: Key | None
    dictionary: generic.DictionaryObject
    entries: dict[str, generic.PdfObject]


class RevisionView:
    """Reads one revision; `data` ends where the revision does."""

    def __init__(self, data: bytes, *, is_strict: bool) -> None:
        """Read the cross-references. Raises what the library raises on a broken structure."""
        self.data = data
        self.reader = PdfFileReader(BytesIO(data), strict=is_strict)

    @cached_property
    def root(self) -> generic.DictionaryObject:
        """The catalog. ViewError: there is none."""
        root = self.resolve(self.reader.trailer.raw_get("/Root"))
        if not isinstance(root, generic.DictionaryObject):
            raise ViewError("no catalog")
        return root

    def resolve(self, value: generic.PdfObject | None) -> generic.PdfObject:
        """Return what a viewer finds: null for what is missing or freed, whatever generation is asked for.

        Viewers do not compare generations, so the newest object of a number is the one that is shown.
        """
        if isinstance(value, generic.IndirectObject):
            number = value.idnum
            generation = self.generations.get(number, value.generation)
            reference = generic.Reference(number, generation, self.reader)
            if number in self.freed or self.reader.xrefs[reference] is None:
                return generic.NullObject()
            found = self.reader.get_object(reference)
            return generic.NullObject() if isinstance(found, generic.IndirectObject) else found
        return generic.NullObject() if value is None else value

    def entry(self, dictionary: generic.DictionaryObject, key: str) -> generic.PdfObject:
        """Return an entry, resolved; null if it is not there."""
        return self.resolve(raw(dictionary, key))

    def dictionary(self, value: generic.PdfObject | None) -> generic.DictionaryObject | None:
        """Return a dictionary, resolved; None if it is none."""
        found = self.resolve(value)
        return found if isinstance(found, generic.DictionaryObject) else None

    def array(self, value: generic.PdfObject | None) -> list[generic.PdfObject]:
        """Return the unresolved items of an array; empty if it is none."""
        found = self.resolve(value)
        if not isinstance(found, generic.ArrayObject):
            return []
        return [found.raw_get(index) for index in range(len(found))]

    @cached_property
    def freed(self) -> frozenset[int]:
        """Numbers of objects that the newest section to mention them says are free.

        The library compares generations and finds an older object where viewers find nothing.
        """
        freed: set[int] = set()
        xrefs = self.reader.xrefs
        for revision in range(xrefs.total_revisions):
            section = xrefs.get_xref_data(revision)
            freed |= set(section.freed)
            for data in (section, *((section.hybrid.xref_data,) if section.hybrid is not None else ())):
                freed -= set(data.standard_xrefs)
                freed -= set(data.xrefs_in_objstm)
        return frozenset(freed)

    @cached_property
    def generations(self) -> dict[int, int]:
        """Number to generation of every object that the newest section to mention it defines."""
        found: dict[int, int] = {}
        xrefs = self.reader.xrefs
        for revision in range(xrefs.total_revisions):
            section = xrefs.get_xref_data(revision)
            for data in (*((section.hybrid.xref_data,) if section.hybrid is not None else ()), section):
                found |= {number: generation for number, (generation, _) in data.standard_xrefs.items()}
                found |= dict.fromkeys(data.xrefs_in_objstm, 0)
        return {number: generation for number, generation in found.items() if number not in self.freed}

    @cached_property
    def pages(self) -> tuple[Page, ...]:
        """Pages in reading order. ViewError: the tree is no tree, or larger than is looked at."""
        found: list[Page] = []
        seen: set[Key] = set()
        stack: list[tuple[generic.PdfObject, dict[str, generic.PdfObject], int]] = [(raw(self.root, "/Pages"), {}, 0)]
        while stack:
            node_raw, inherited, depth = stack.pop()
            key = key_of(node_raw)
            if key is not None:
                if key in seen:
                    raise ViewError("a page tree that repeats itself")
                seen.add(key)
            node = self.dictionary(node_raw)
            if node is None:
                continue
            if depth > MAX_PAGE_TREE_DEPTH or len(found) > MAX_PAGES:
                raise ViewError("a page tree that is too large")
            own = {name: raw(node, name) for name in INHERITED if name in node}
            passed_on = {**inherited, **own}
            if "/Kids" in node:
                kids = self.array(raw(node, "/Kids"))
                stack.extend((kid, passed_on, depth + 1) for kid in reversed(kids))
            else:
                found.append(Page(key, node, {**passed_on, **{name: raw(node, name) for name in node}}))
        return tuple(found)

    @cached_property
    def page_numbers(self) -> dict[Key, int]:
        """Object of each page to its place in the order, from 0."""
        return {page.key: index for index, page in enumerate(self.pages) if page.key is not None}


def raw(dictionary: generic.DictionaryObject, key: str) -> generic.PdfObject:
    """Return an entry as it is written, null if it is not there."""
    return dictionary.raw_get(key) if key in dictionary else generic.NullObject()


def key_of(value: generic.PdfObject | None) -> Key | None:
    """Return which object a reference means, None if the value is none."""
    return (value.idnum, value.generation) if isinstance(value, generic.IndirectObject) else None


def is_null(value: generic.PdfObject | None) -> bool:
    """Tell whether a resolved value says nothing."""
    return value is None or isinstance(value, generic.NullObject)


def rectangle(view: RevisionView, value: generic.PdfObject | None) -> tuple[float, float, float, float] | None:
    """Return a rectangle as left, bottom, right, top in points; None if it is none."""
    numbers = [view.resolve(item) for item in view.array(value)]
    if len(numbers) != 4 or not all(isinstance(one, generic.NumberObject | generic.FloatObject) for one in numbers):
        return None
    left, bottom, right, top = (float(one) for one in numbers)  # type: ignore[arg-type]  # numbers, see above
    return min(left, right), min(bottom, top), max(left, right), max(bottom, top)
