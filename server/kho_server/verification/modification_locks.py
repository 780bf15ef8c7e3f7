"""What a signature itself forbids to change later: DocMDP and FieldMDP (ISO 32000-1 section 12.8.2)."""

from dataclasses import dataclass

from pyhanko.pdf_utils import generic

_NOTHING = 1
_ANNOTATIONS = 3
_MAX_REFERENCES = 32


@dataclass(frozen=True)
class ModificationLocks:
    """`level` is the permission of DocMDP (1 nothing, 2 forms and signatures, 3 annotations too), None without.

    `certifies`: the signature is a certification. `locked` are names of fields; `locks_all_but` turns it round.
    """

    level: int | None = None
    certifies: bool = False
    locked: frozenset[str] = frozenset()
    locks_all_but: bool = False

    def permits(self, field: str, *, is_annotation: bool) -> bool:
        """Tell whether a change of this field, or an annotation, may follow."""
        if self.level == _NOTHING:
            return False
        if is_annotation:
            return self.level is None or self.level >= _ANNOTATIONS
        return not self._is_locked(field)

    def _is_locked(self, field: str) -> bool:
        parts = field.split(".")
        is_named = any(".".join(parts[: index + 1]) in self.locked for index in range(len(parts)))
        return is_named != self.locks_all_but


def modification_locks(
    signature: generic.DictionaryObject, field: generic.DictionaryObject, certified: generic.PdfObject | None
) -> ModificationLocks:
    """Read the locks of a signature; `certified` is what /Perms /DocMDP of its catalog holds, if anything."""
    level: int | None = None
    certifies = isinstance(certified, generic.DictionaryObject) and certified is signature
    locked: frozenset[str] = frozenset()
    locks_all_but = False
    references = signature.get("/Reference")
    listed = references if isinstance(references, generic.ArrayObject) else generic.ArrayObject()
    for index in range(min(len(listed), _MAX_REFERENCES)):
        reference = listed[index]
        if not isinstance(reference, generic.DictionaryObject):
            continue
        parameters = reference.get("/TransformParams")
        parameters = parameters if isinstance(parameters, generic.DictionaryObject) else generic.DictionaryObject()
        method = str(reference.get("/TransformMethod"))
        if method == "/DocMDP":
            certifies = True
            level = _permission(parameters.get("/P"), 2)
        elif method == "/FieldMDP":
            locked, locks_all_but = _fields(parameters)
    lock = field.get("/Lock")
    if isinstance(lock, generic.DictionaryObject):
        if "/P" in lock:  # ISO 32000-2 table 236
            level = min(level or _ANNOTATIONS, _permission(lock.get("/P"), _ANNOTATIONS))
        if not locked and not locks_all_but:
            locked, locks_all_but = _fields(lock)
    return ModificationLocks(level, certifies, locked, locks_all_but)


def _permission(value: generic.PdfObject | None, default: int) -> int:
    return int(value) if isinstance(value, generic.NumberObject) and 1 <= value <= 3 else default


def _fields(parameters: generic.DictionaryObject) -> tuple[frozenset[str], bool]:
    action = str(parameters.get("/Action"))
    names = parameters.get("/Fields")
    listed = frozenset(str(name) for name in names) if isinstance(names, generic.ArrayObject) else frozenset()
    match action:
        case "/All":
            return frozenset(), True
        case "/Exclude":
            return listed, True
        case "/Include":
            return listed, False
    return frozenset(), False
