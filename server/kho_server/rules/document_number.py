"""Number and sign of a document (số, ký hiệu), such as 15/QĐ-BNV."""

import datetime
from dataclasses import dataclass

from kho_server.rules.code_format import example_of, fitting_match
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.reasons import Doubt
from kho_server.rules.spelling import Spelling

MAX_CHARS = 100
"""Twice what NĐ 30/2020 appendix VI gives number and notation together (11 + 30), for joint documents."""

_FORM = "DOCUMENT_NUMBER"


@dataclass(frozen=True, slots=True)
class DocumentNumber:
    """A number and sign as it stands on the paper, `key` to compare by; unique per issuer and year at best.

    Old papers follow old habits, so the form of NĐ 30/2020 is never a reason to refuse, only to warn.
    """

    text: str
    key: str
    warnings: tuple[CodeWarning, ...] = ()

    @classmethod
    def parse(cls, text: str, on: datetime.date, *, field: str = "document_number") -> "DocumentNumber":
        """Read a number; raises TextRefused or CodeRefused for its length and for unseen characters only."""
        spelling = Spelling.of(field, text, MAX_CHARS)
        warnings = spelling.warnings
        if fitting_match(spelling, on, _FORM) is None:
            warnings = (*warnings, CodeWarning.of(Doubt.DOCUMENT_NUMBER_FORM, example=example_of(_FORM)))
        return cls(spelling.text, spelling.key, warnings)
