"""The code of an administrative procedure in the national database."""

import datetime
from dataclasses import dataclass

from kho_server.rules.code_format import judge
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.reasons import Reason
from kho_server.rules.spelling import Spelling

_MAX_SENT = 60


@dataclass(frozen=True, slots=True)
class ProcedureCode:
    """A procedure's code: `text` as sent; `key` is the short form (1.000123), whatever agency or case follows it."""

    text: str
    key: str
    warnings: tuple[CodeWarning, ...] = ()

    @classmethod
    def parse(cls, text: str, on: datetime.date, *, field: str = "procedure_code") -> "ProcedureCode":
        """Read a code as it may be used on that day; raises CodeRefused or TextRefused."""
        spelling = Spelling.of(field, text, _MAX_SENT)
        _, match = judge(field, spelling, on, Reason.PROCEDURE_CODE_MALFORMED, "PROCEDURE")
        return cls(spelling.text, match["short"], spelling.warnings)
