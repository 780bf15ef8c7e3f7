"""The code of a field of administration, such as G03-GD10."""

import datetime
from dataclasses import dataclass

from kho_server.rules.code_format import judge
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.reasons import Reason
from kho_server.rules.spelling import Spelling

_MAX_SENT = 40


@dataclass(frozen=True, slots=True)
class FieldCode:
    """A field's code: `text` as sent, `key` to compare by."""

    text: str
    key: str
    warnings: tuple[CodeWarning, ...] = ()

    @classmethod
    def parse(cls, text: str, on: datetime.date, *, field: str = "field_code") -> "FieldCode":
        """Read a code as it may be used on that day; raises CodeRefused or TextRefused."""
        spelling = Spelling.of(field, text, _MAX_SENT)
        judge(field, spelling, on, Reason.FIELD_CODE_MALFORMED, "FIELD")
        return cls(spelling.text, spelling.key, spelling.warnings)
