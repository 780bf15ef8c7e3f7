"""Finds every signature field of a form, whatever it holds.

The library leaves out signatures of sub-filters that it does not know; here none is left out.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.reader import PdfFileReader

from kho_server.verification.limits import FileLimits


class TooManyFieldsError(Exception):
    """The form has more fields, or nests them deeper, than is looked at."""


@dataclass(frozen=True)
class SignatureField:
    """One terminal field of type /Sig; `value` is what /V holds, unresolved, None if unsigned."""

    name: str
    dictionary: generic.DictionaryObject
    value: generic.PdfObject | None

    @property
    def value_reference(self) -> generic.Reference | None:
        """The object that holds the signature, None if it has none of its own."""
        return self.value.reference if isinstance(self.value, generic.IndirectObject) else None

    @property
    def holder(self) -> generic.Reference | None:
        """The object in whose bytes the signature is written: its own, or that of the field."""
        if self.value_reference is not None:
            return self.value_reference
        container = self.dictionary.container_ref
        return container if isinstance(container, generic.Reference) else None


def signature_fields(reader: PdfFileReader, limits: FileLimits) -> tuple[SignatureField, ...]:
    """Return every signature field in the order of the form. TooManyFieldsError: beyond the limits."""
    root = reader.root
    if "/AcroForm" not in root:
        return ()
    form = _dictionary(root["/AcroForm"])
    if form is None or "/Fields" not in form:
        return ()
    walk = _Walk(limits)
    found = tuple(walk.fields(form["/Fields"], "", None, 0))
    if len(found) > limits.fields:
        raise TooManyFieldsError
    return found


class _Walk:
    def __init__(self, limits: FileLimits) -> None:
        self._limits = limits
        self._visited = 0
        self._references: set[tuple[int, int]] = set()

    def fields(
        self, nodes: generic.PdfObject, prefix: str, inherited_type: str | None, depth: int
    ) -> Iterator[SignatureField]:
        if not isinstance(nodes, generic.ArrayObject):
            return
        if depth > self._limits.form_depth:
            raise TooManyFieldsError
        for index in range(len(nodes)):
            self._visited += 1
            if self._visited > self._limits.form_nodes:
                raise TooManyFieldsError
            raw = nodes.raw_get(index)
            if isinstance(raw, generic.IndirectObject):
                key = (raw.idnum, raw.generation)
                if key in self._references:
                    continue  # a cycle, or one field listed twice
                self._references.add(key)
            node = _dictionary(raw)
            if node is not None:
                yield from self._field(node, prefix, inherited_type, depth)

    def _field(
        self, node: generic.DictionaryObject, prefix: str, inherited_type: str | None, depth: int
    ) -> Iterator[SignatureField]:
        own_name = str(node["/T"]) if "/T" in node else None
        name = ".".join(part for part in (prefix, own_name) if part)
        kind = str(node["/FT"]) if "/FT" in node else inherited_type
        if "/Kids" in node:
            yield from self.fields(node["/Kids"], name, kind, depth + 1)
        # A kid without a name of its own is a widget of its parent (ISO 32000-1 section 12.7.3.1).
        if kind == "/Sig" and (own_name is not None or "/V" in node or depth == 0):
            value = node.raw_get("/V") if "/V" in node else None
            if isinstance(_resolved(value), generic.NullObject | None):
                value = None
            if value is not None or not _has_named_kids(node):
                yield SignatureField(name, node, value)


def _has_named_kids(node: generic.DictionaryObject) -> bool:
    kids = node.get("/Kids")
    if not isinstance(kids, generic.ArrayObject):
        return False
    return any("/T" in kid for kid in map(_dictionary, kids) if kid is not None)


def _resolved(value: generic.PdfObject | None) -> generic.PdfObject | None:
    return value.get_object() if isinstance(value, generic.IndirectObject) else value


def _dictionary(value: generic.PdfObject) -> generic.DictionaryObject | None:
    resolved = _resolved(value)
    return resolved if isinstance(resolved, generic.DictionaryObject) else None
