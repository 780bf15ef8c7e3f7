"""Remarks on what a clean signature may still hide: content for a later exchange, and content that acts."""

import re
from collections.abc import Iterable, Sequence

from pyhanko.pdf_utils import generic

from kho_server.verification.revision_view import RevisionView, is_null, key_of, raw
from kho_server.verification.value_comparison import ValueComparison
from kho_server.verification.verdict import Remark

_OBJECT = re.compile(rb"(?<![0-9])([0-9]{1,10})[\x00\t\n\x0c\r ]+[0-9]{1,5}[\x00\t\n\x0c\r ]+obj(?![A-Za-z])")
_SCRIPTS = frozenset({"/JavaScript", "/Launch", "/ImportData", "/SubmitForm", "/Rendition"})
_DRAWN_TYPES = frozenset({"/Page", "/Pages", "/Catalog"})
_HIDDEN_FLAGS = 0b10_0010  # ISO 32000-1 table 165: hidden, no view
_DRAWING = re.compile(rb"(?:^|[\s\])>])(?:BT|Tj|TJ|Do|re|cm)(?=\s)")
_LOOK_BYTES = 8192
MAX_OBJECTS = 20_000
MAX_ANNOTATIONS = 5_000


def suspicious_content(whole: RevisionView, revisions: Sequence[RevisionView | None]) -> tuple[Remark, ...]:
    """Return the remarks on a file and its signed revisions. Raises as the library on a broken structure."""
    found = []
    signed = [one for one in revisions if one is not None]
    if signed and _hides(signed[0]):
        found.append(Remark.HIDDEN_CONTENT)
    if _acts(whole):
        found.append(Remark.ACTIVE_CONTENT)
    return tuple(found)


def _hides(view: RevisionView) -> bool:
    """Tell whether objects are there that nothing refers to, and that could be shown; or marks that are hidden."""
    headers = {int(number) for number in _OBJECT.findall(view.data)}
    defined = view.generations
    if len(defined) > MAX_OBJECTS:
        return False
    referenced = ValueComparison(view, view).referenced
    unlisted = {number for number in headers if number not in defined and number not in view.freed}
    if any(_is_drawn_text(view, number) for number in unlisted):
        return True
    named = {key[0] for key in map(key_of, (view.reader.trailer.raw_get("/Root"), _info(view))) if key is not None}
    lonely = (number for number in defined if number not in referenced and number not in named)
    return any(_could_be_shown(view, number, defined[number]) for number in lonely) or _has_hidden_marks(view)


def _info(view: RevisionView) -> generic.PdfObject | None:
    return view.reader.trailer.raw_get("/Info") if "/Info" in view.reader.trailer else None


def _is_drawn_text(view: RevisionView, number: int) -> bool:
    """Tell whether the bytes hold an object that no table lists and that draws or leads to pages."""
    pattern = rb"(?<![0-9])%d[\x00\t\n\x0c\r ]+[0-9]{1,5}[\x00\t\n\x0c\r ]+obj(.{0,200})" % number
    found = re.search(pattern, view.data, re.DOTALL)
    return found is not None and re.search(rb"/Type\s*/(?:Page|Catalog)|stream|/Kids", found[1]) is not None


def _could_be_shown(view: RevisionView, number: int, generation: int) -> bool:
    value = view.resolve(generic.IndirectObject(number, generation, view.reader))
    if not isinstance(value, generic.DictionaryObject):
        return False
    kind = str(view.entry(value, "/Type"))
    if kind in ("/XRef", "/ObjStm", "/Metadata"):
        return False
    if kind in _DRAWN_TYPES or str(view.entry(value, "/Subtype")) in ("/Form", "/Image"):
        return True
    return isinstance(value, generic.StreamObject) and _DRAWING.search(value.data[:_LOOK_BYTES]) is not None


def _has_hidden_marks(view: RevisionView) -> bool:
    for annotation in _annotations(view):
        flags = view.entry(annotation, "/F")
        is_hidden = isinstance(flags, generic.NumberObject) and bool(int(flags) & _HIDDEN_FLAGS)
        is_signature = str(view.entry(annotation, "/FT")) == "/Sig"
        if is_hidden and not is_signature and "/AP" in annotation:
            return True
    return False


def _acts(view: RevisionView) -> bool:
    root = view.root
    form = view.dictionary(raw(root, "/AcroForm"))
    if form is not None and not is_null(view.entry(form, "/XFA")):
        return True
    names = view.dictionary(raw(root, "/Names"))
    if names is not None and not is_null(view.entry(names, "/JavaScript")):
        return True
    if not is_null(view.entry(root, "/AA")) or _is_script(view, raw(root, "/OpenAction")):
        return True
    for page in view.pages:
        if not is_null(view.resolve(page.entries.get("/AA"))):
            return True
    return any(
        _is_script(view, raw(annotation, "/A")) or not is_null(view.entry(annotation, "/AA"))
        for annotation in _annotations(view)
    )


def _is_script(view: RevisionView, action: generic.PdfObject) -> bool:
    dictionary = view.dictionary(action)
    return dictionary is not None and str(view.entry(dictionary, "/S")) in _SCRIPTS


def _annotations(view: RevisionView) -> Iterable[generic.DictionaryObject]:
    budget = iter(range(MAX_ANNOTATIONS))
    for page in view.pages:
        for item in view.array(page.entries.get("/Annots")):
            if next(budget, None) is None:
                return
            annotation = view.dictionary(item)
            if annotation is not None:
                yield annotation
