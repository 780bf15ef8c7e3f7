"""What an update changed in what a reader sees, each change under the rule that decides about it."""

from dataclasses import dataclass
from enum import StrEnum


class ChangeRule(StrEnum):
    """The kinds of change; which of them are allowed when is told by the sets below."""

    VALIDATION_DATA = "VALIDATION_DATA"
    """Certificates and revocation data for long-term validation (ISO 32000-2 section 12.8.4.3)."""
    METADATA = "METADATA"
    """Metadata, version, extensions, structure for assistive software: nothing that is drawn."""
    DOCUMENT_TIME_STAMP = "DOCUMENT_TIME_STAMP"
    """A time-stamp over the whole document (ISO 32000-2 section 12.8.5)."""
    NEW_SIGNATURE = "NEW_SIGNATURE"
    """A further signature, its mark no larger than the policy admits."""
    ENTRY_IN_DECLARED_AREA = "ENTRY_IN_DECLARED_AREA"
    """Number or date entered into an empty field in a declared area (NĐ 30/2020 art. 13 and 14)."""
    MARK_IN_DECLARED_AREA = "MARK_IN_DECLARED_AREA"
    """Number, date or seal laid over a declared area (NĐ 30/2020 art. 13 and 14)."""
    EMPTY_SIGNATURE_FIELD = "EMPTY_SIGNATURE_FIELD"
    """A field was added that nobody has signed."""
    LARGE_SIGNATURE_MARK = "LARGE_SIGNATURE_MARK"
    """A further signature covers more of a page than a mark may."""
    PAGES = "PAGES"
    """Pages were added, removed or put into another order."""
    PAGE = "PAGE"
    """Content, resources or geometry of a page."""
    ANNOTATION = "ANNOTATION"
    """Something was laid over a page, moved, altered or taken away."""
    FORM_ENTRY = "FORM_ENTRY"
    """A form field was filled in or altered."""
    FORM = "FORM"
    """The form itself: fields added or removed, how they are drawn."""
    SIGNATURE = "SIGNATURE"
    """An earlier signature or its mark."""
    CATALOG = "CATALOG"
    """Entries of the catalog that change what is shown or done."""


ALWAYS_ALLOWED = frozenset({ChangeRule.VALIDATION_DATA, ChangeRule.METADATA, ChangeRule.DOCUMENT_TIME_STAMP})
"""Also after the last signature, and after a certification that permits nothing (ISO 32000-2 table 257)."""
ALLOWED_UNDER_A_LATER_SIGNATURE = ALWAYS_ALLOWED | {
    ChangeRule.NEW_SIGNATURE,
    ChangeRule.EMPTY_SIGNATURE_FIELD,
    ChangeRule.ENTRY_IN_DECLARED_AREA,
    ChangeRule.MARK_IN_DECLARED_AREA,
}
"""When a later signature answers for them."""


@dataclass(frozen=True)
class Change:
    """One change and where: a field name, `page 3`, or a catalog entry."""

    rule: ChangeRule
    where: str
