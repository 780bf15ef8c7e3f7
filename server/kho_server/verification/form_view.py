"""The form of one revision: every field with its widgets, whatever its type."""

from dataclasses import dataclass

from pyhanko.pdf_utils import generic

from kho_server.verification.revision_view import Key, RevisionView, is_null, key_of, raw

MAX_FORM_NODES = 20_000
MAX_FORM_DEPTH = 32


class FormTooLargeError(ValueError):
    """The form has more fields, or nests them deeper, than is looked at."""


@dataclass(frozen=True)
class FormField:
    """One terminal field; `name` is fully qualified, `kind` its /FT, inherited if need be."""

    name: str
    kind: str
    key: Key | None
    dictionary: generic.DictionaryObject
    value: generic.PdfObject
    widgets: tuple[tuple[Key | None, generic.DictionaryObject], ...]

    @property
    def is_signature(self) -> bool:
        """Whether the field is there for a signature."""
        return self.kind == "/Sig"


@dataclass(frozen=True)
class FormView:
    """All terminal fields in the order of the form, and which objects the form consists of."""

    fields: tuple[FormField, ...]
    nodes: frozenset[Key]


def form_view(view: RevisionView) -> FormView:
    """Walk the form of a revision. FormTooLargeError."""
    form = view.dictionary(raw(view.root, "/AcroForm"))
    if form is None:
        return FormView((), frozenset())
    walk = _Walk(view)
    for reference in (raw(view.root, "/AcroForm"), raw(form, "/Fields")):
        walk.note(reference)
    walk.fields_of(raw(form, "/Fields"), "", "", generic.NullObject(), 0)
    return FormView(tuple(walk.found), frozenset(walk.nodes))


class _Walk:
    def __init__(self, view: RevisionView) -> None:
        self._view = view
        self.found: list[FormField] = []
        self.nodes: set[Key] = set()

    def note(self, reference: generic.PdfObject) -> bool:
        """Remember an object; False if it was met before."""
        key = key_of(reference)
        if key is None:
            return True
        is_new = key not in self.nodes
        self.nodes.add(key)
        return is_new

    def fields_of(self, nodes: generic.PdfObject, prefix: str, kind: str, value: generic.PdfObject, depth: int) -> None:
        if depth > MAX_FORM_DEPTH:
            raise FormTooLargeError
        view = self._view
        for node_raw in view.array(nodes):
            if len(self.nodes) + len(self.found) > MAX_FORM_NODES:
                raise FormTooLargeError
            node = view.dictionary(node_raw)
            if node is None or not self.note(node_raw):
                continue
            name = ".".join(part for part in (prefix, _text(view.entry(node, "/T"))) if part)
            own_kind = view.entry(node, "/FT")
            kind_here = str(own_kind) if isinstance(own_kind, generic.NameObject) else kind
            value_here = raw(node, "/V") if "/V" in node else value
            kids = view.array(raw(node, "/Kids"))
            named = [kid for kid in kids if self._is_named(kid)]
            if named:
                self.note(raw(node, "/Kids"))
                self.fields_of(raw(node, "/Kids"), name, kind_here, value_here, depth + 1)
                continue
            self.note(raw(node, "/Kids"))
            widgets = [(key_of(node_raw), node)] if "/Rect" in node or not kids else []
            for kid_raw in kids:
                kid = view.dictionary(kid_raw)
                if kid is not None and self.note(kid_raw):
                    widgets.append((key_of(kid_raw), kid))
            self.found.append(FormField(name, kind_here, key_of(node_raw), node, value_here, tuple(widgets)))

    def _is_named(self, kid_raw: generic.PdfObject) -> bool:
        kid = self._view.dictionary(kid_raw)
        return kid is not None and not is_null(self._view.entry(kid, "/T"))


def _text(value: generic.PdfObject) -> str:
    return str(value) if isinstance(value, generic.TextStringObject | generic.ByteStringObject) else ""
