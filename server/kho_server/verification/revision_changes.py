"""Tells what changed between a signed revision and a later one, as a reader of both would see it.

What a writer did to get there (objects renumbered, freed, copied, repacked) is not asked; bytes that no
cross-reference lists are `byte_accounting`'s matter.
"""

from collections.abc import Iterable

from pyhanko.pdf_utils import generic

from kho_server.verification.changes import Change, ChangeRule
from kho_server.verification.declared_areas import DeclaredAreas
from kho_server.verification.form_view import FormField, FormView, form_view
from kho_server.verification.revision_view import Key, Page, RevisionView, is_null, key_of, raw
from kho_server.verification.value_comparison import ValueComparison

_VALIDATION_DATA = frozenset({"/DSS"})
_METADATA = frozenset({"/Metadata", "/Version", "/Extensions", "/PieceInfo", "/StructTreeRoot", "/MarkInfo", "/Lang"})
_COMPARED_APART = frozenset({"/Pages", "/AcroForm", "/Type"})
# What a page says about itself and nobody sees.
_PAGE_NOTES = frozenset({"/Parent", "/Annots", "/Tabs", "/StructParents", "/LastModified", "/PieceInfo", "/Metadata"})
_BACK = frozenset({"/P", "/Parent", "/Kids", "/StructParent", "/StructParents"})
# What signing a prepared field may set (ISO 32000-1 section 12.7.4.5), and what no reader sees.
_SET_BY_SIGNING = _BACK | {"/V", "/AP", "/AS", "/M", "/F", "/MK", "/DA", "/NM", "/DR", "/Border", "/BS", "/Ff"}
_SET_BY_FILLING_IN = _BACK | {"/V", "/AP", "/AS", "/M", "/RV", "/DA"}
_UNSEEN_IN_FORM = frozenset({"/Fields", "/SigFlags", "/DR", "/DA", "/NeedAppearances", "/Type"})
_HARMLESS_MARKS = frozenset({"/FreeText", "/Stamp"})
_MARK_KEYS = frozenset({"/A", "/AA", "/PA", "/Popup"})
_TIME_STAMP = "/ETSI.RFC3161"


def changes_between(old: RevisionView, new: RevisionView, areas: DeclaredAreas) -> tuple[Change, ...]:
    """Return every change, without repeats. Raises what the library raises on a broken structure."""
    return tuple(dict.fromkeys(_RevisionChanges(old, new, areas).all()))


class _RevisionChanges:
    def __init__(self, old: RevisionView, new: RevisionView, areas: DeclaredAreas) -> None:
        self._old = old
        self._new = new
        self._areas = areas
        self._compare = ValueComparison(old, new)
        self._old_form = form_view(old)
        self._new_form = form_view(new)
        self._widgets = {key: field for field in self._new_form.fields for key, _ in field.widgets if key is not None}
        self._old_widgets = {
            key: field for field in self._old_form.fields for key, _ in field.widgets if key is not None
        }

    def all(self) -> Iterable[Change]:
        self._compare.is_plain = self._is_plain()
        yield from self._catalog()
        yield from self._form()
        yield from self._pages()

    def _is_plain(self) -> bool:
        """Tell whether every object that was replaced and is still meant is one that is compared by name below."""
        touched, referenced = self._compare.touched, self._compare.referenced
        by_name = _compared_by_name(self._old, self._old_form) | _compared_by_name(self._new, self._new_form)
        loose = _loose(self._old)
        for number in touched:
            if number not in referenced or number in by_name:
                continue
            # Metadata may change, so a page that uses the same object must not get by: it may be meant once only.
            if number not in loose or referenced[number] > 1:
                return False
        return True

    def _catalog(self) -> Iterable[Change]:
        for key in self._compare.same_entries(self._old.root, self._new.root, without=_COMPARED_APART):
            if key in _VALIDATION_DATA:
                yield Change(ChangeRule.VALIDATION_DATA, key)
            elif key in _METADATA:
                yield Change(ChangeRule.METADATA, key)
            else:
                yield Change(ChangeRule.CATALOG, key)

    def _form(self) -> Iterable[Change]:
        yield from self._form_entries()
        new_fields: dict[str, FormField] = {}
        for field in self._new_form.fields:
            if field.name in new_fields:
                yield Change(ChangeRule.FORM, field.name)
            new_fields[field.name] = field
        for field in self._old_form.fields:
            successor = new_fields.pop(field.name, None)
            if successor is None or successor.kind != field.kind:
                yield Change(ChangeRule.FORM, field.name)
            elif field.is_signature:
                yield from self._signature_field(field, successor)
            else:
                yield from self._other_field(field, successor)
        for field in new_fields.values():
            if field.is_signature:
                yield from self._signed_now(field)
            elif field.kind or not is_null(self._new.resolve(field.value)):
                yield Change(ChangeRule.FORM, field.name)

    def _form_entries(self) -> Iterable[Change]:
        old, new = (view.dictionary(raw(view.root, "/AcroForm")) for view in (self._old, self._new))
        if new is None:
            if self._old_form.fields:
                yield Change(ChangeRule.FORM, "/AcroForm")
            return
        has_entries = any(not field.is_signature for field in self._old_form.fields)
        old = old if old is not None else generic.DictionaryObject()
        for key in self._compare.same_entries(old, new, without=_UNSEEN_IN_FORM):
            yield Change(ChangeRule.FORM, key)
        needs = self._new.entry(new, "/NeedAppearances"), self._old.entry(old, "/NeedAppearances")
        if has_entries and _is_true(needs[0]) and not _is_true(needs[1]):
            # Viewers would now draw the fields by themselves, with fonts of the form.
            yield Change(ChangeRule.FORM, "/NeedAppearances")
        if has_entries and not self._keeps_resources(raw(old, "/DR"), raw(new, "/DR")):
            yield Change(ChangeRule.FORM, "/DR")

    def _keeps_resources(self, old_raw: generic.PdfObject, new_raw: generic.PdfObject) -> bool:
        """Resources of the form may be added to, as signing tools do, never replaced."""
        old, new = self._old.dictionary(old_raw), self._new.dictionary(new_raw)
        if old is None:
            return True
        if new is None:
            return False
        for kind in old:
            old_kind, new_kind = self._old.dictionary(raw(old, kind)), self._new.dictionary(raw(new, kind))
            if old_kind is None or new_kind is None:
                if not self._compare.same(raw(old, kind), raw(new, kind)):
                    return False
            elif not all(self._compare.same(raw(old_kind, name), raw(new_kind, name)) for name in old_kind):
                return False
        return True

    def _signature_field(self, old: FormField, new: FormField) -> Iterable[Change]:
        was_signed = not is_null(self._old.resolve(old.value))
        if was_signed:
            if not self._compare.same(old.value, new.value) or self._differs(old, new, _BACK | {"/V"}):
                yield Change(ChangeRule.SIGNATURE, old.name)
        elif is_null(self._new.resolve(new.value)):
            if self._differs(old, new, _BACK | {"/F", "/M", "/MK", "/Ff"}):
                yield Change(ChangeRule.FORM, old.name)
        else:
            if self._differs(old, new, _SET_BY_SIGNING):
                yield Change(ChangeRule.FORM, old.name)
            yield from self._signed_now(new)

    def _signed_now(self, field: FormField) -> Iterable[Change]:
        signature = self._new.dictionary(field.value)
        if signature is None:
            yield Change(ChangeRule.EMPTY_SIGNATURE_FIELD, field.name)
        elif str(self._new.entry(signature, "/SubFilter")) == _TIME_STAMP:
            yield Change(ChangeRule.DOCUMENT_TIME_STAMP, field.name)
        else:
            yield Change(ChangeRule.NEW_SIGNATURE, field.name)
        for _, widget in field.widgets:
            if self._areas.mark_fraction(self._new, widget) > self._areas.max_mark_fraction:
                yield Change(ChangeRule.LARGE_SIGNATURE_MARK, field.name)

    def _other_field(self, old: FormField, new: FormField) -> Iterable[Change]:
        if self._differs(old, new, _SET_BY_FILLING_IN):
            yield Change(ChangeRule.FORM_ENTRY, old.name)
            return
        if not self._differs(old, new, _BACK) and self._compare.same(old.value, new.value):
            return
        was_empty = _is_empty(self._old.resolve(old.value)) and old.kind == "/Tx"
        places = [widget for _, widget in new.widgets if "/Rect" in widget]
        if was_empty and places and all(self._areas.declares(self._new, widget) for widget in places):
            yield Change(ChangeRule.ENTRY_IN_DECLARED_AREA, old.name)
        else:
            yield Change(ChangeRule.FORM_ENTRY, old.name)

    def _differs(self, old: FormField, new: FormField, without: frozenset[str]) -> bool:
        if len(old.widgets) != len(new.widgets) and not (old.is_signature and "/V" in without):
            return True
        if self._compare.same_entries(old.dictionary, new.dictionary, without=without):
            return True
        pairs = zip(old.widgets, new.widgets, strict=False)
        return any(self._compare.same_entries(a, b, without=without) for (_, a), (_, b) in pairs)

    def _pages(self) -> Iterable[Change]:
        old_pages, new_pages = self._old.pages, self._new.pages
        if len(old_pages) != len(new_pages):
            yield Change(ChangeRule.PAGES, f"{len(old_pages)} -> {len(new_pages)}")
            return
        for index, (old, new) in enumerate(zip(old_pages, new_pages, strict=True)):
            where = f"page {index + 1}"
            keys = [key for key in {**old.entries, **new.entries} if key not in _PAGE_NOTES]
            if not all(self._compare.same(old.entries.get(key), new.entries.get(key)) for key in keys):
                yield Change(ChangeRule.PAGE, where)
            yield from self._annotations(old, new, index)

    def _annotations(self, old: Page, new: Page, index: int) -> Iterable[Change]:
        where = f"page {index + 1}"
        old_list, new_list = self._old.array(old.entries.get("/Annots")), self._new.array(new.entries.get("/Annots"))
        position = 0
        for annotation in old_list:
            found = self._find(annotation, new_list, position)
            if found is None:
                if not is_null(self._old.resolve(annotation)):
                    yield Change(ChangeRule.ANNOTATION, where)
                continue
            # Whatever slid in between lies under the older ones and is judged like what lies over them.
            for extra in new_list[position:found]:
                yield from self._added(extra, index)
            position = found + 1
        for extra in new_list[position:]:
            yield from self._added(extra, index)

    def _find(self, annotation: generic.PdfObject, candidates: list[generic.PdfObject], start: int) -> int | None:
        old = self._old.dictionary(annotation)
        if old is None:
            return None
        key = key_of(annotation)
        field = self._old_widgets.get(key) if key is not None else None
        for position in range(start, len(candidates)):
            candidate = candidates[position]
            candidate_key = key_of(candidate)
            successor = self._widgets.get(candidate_key) if candidate_key is not None else None
            if field is not None and successor is not None:
                if field.name == successor.name:
                    return position  # compared with its field
                continue
            new = self._new.dictionary(candidate)
            if new is not None and not self._compare.same_entries(old, new, without=_BACK):
                return position
        return None

    def _added(self, annotation: generic.PdfObject, index: int) -> Iterable[Change]:
        dictionary = self._new.dictionary(annotation)
        if dictionary is None:
            return
        key = key_of(annotation)
        field = self._widgets.get(key) if key is not None else None
        if field is not None and field.is_signature:
            return  # told with its field
        where = f"page {index + 1}"
        is_mark = str(self._new.entry(dictionary, "/Subtype")) in _HARMLESS_MARKS and not _MARK_KEYS & set(dictionary)
        if is_mark and self._areas.declares(self._new, dictionary, index):
            yield Change(ChangeRule.MARK_IN_DECLARED_AREA, where)
        else:
            yield Change(ChangeRule.ANNOTATION, where)


def _compared_by_name(view: RevisionView, form: FormView) -> frozenset[int]:
    keys: set[Key | None] = {key_of(view.reader.trailer.raw_get("/Root")), *form.nodes}
    for page in view.pages:
        keys |= {page.key, key_of(raw(page.dictionary, "/Annots"))}
    keys |= {key_of(field.value) for field in form.fields if field.is_signature}
    keys |= _page_tree(view)
    return frozenset(key[0] for key in keys if key is not None)


def _page_tree(view: RevisionView) -> set[Key | None]:
    keys: set[Key | None] = {key_of(raw(view.root, "/Pages"))}
    for page in view.pages:
        parent = raw(page.dictionary, "/Parent")
        while (key := key_of(parent)) is not None and key not in keys:
            keys.add(key)
            node = view.dictionary(parent)
            parent = raw(node, "/Parent") if node is not None else generic.NullObject()
    return keys


def _loose(view: RevisionView) -> frozenset[int]:
    """Numbers of objects that may change freely: the direct values of what the catalog says about itself."""
    keys = {key_of(raw(view.root, key)) for key in _VALIDATION_DATA | _METADATA}
    store = view.dictionary(raw(view.root, "/DSS"))
    if store is not None:
        keys |= {key_of(raw(store, key)) for key in store}
    trailer = view.reader.trailer
    keys |= {key_of(trailer.raw_get("/Info"))} if "/Info" in trailer else set()
    return frozenset(key[0] for key in keys if key is not None)


def _is_true(value: generic.PdfObject) -> bool:
    return isinstance(value, generic.BooleanObject) and bool(value.value)


def _is_empty(value: generic.PdfObject) -> bool:
    text = generic.TextStringObject | generic.ByteStringObject
    return is_null(value) or (isinstance(value, text) and not value.original_bytes.strip(b" \xfe\xff\x00"))
