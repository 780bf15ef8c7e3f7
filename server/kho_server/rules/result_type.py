"""The catalogue code of a kind of result, such as KQ.G15.000031; the code of one result is another thing."""

import datetime
from dataclasses import dataclass

from kho_server.rules.code_format import judge
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.reasons import Reason
from kho_server.rules.spelling import Spelling

_MAX_SENT = 40


@dataclass(frozen=True, slots=True)
class ResultType:
    """A result type's code: `text` as sent, `key` to compare by."""

    text: str
    key: str
    warnings: tuple[CodeWarning, ...] = ()

    @classmethod
    def parse(cls, text: str, on: datetime.date, *, field: str = "result_type") -> "ResultType":
        """Read a code as it may be used on that day; raises CodeRefused or TextRefused."""
        spelling = Spelling.of(field, text, _MAX_SENT)
        judge(field, spelling, on, Reason.RESULT_TYPE_MALFORMED, "RESULT_TYPE")
        return cls(spelling.text, spelling.key, spelling.warnings)
