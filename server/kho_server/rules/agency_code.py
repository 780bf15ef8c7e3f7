"""The code of an agency, in the syntax of QCVN 102:2016 or in that of QĐ 20/2020."""

import datetime
from dataclasses import dataclass
from enum import Enum

from kho_server.rules.code_format import judge
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.reasons import Reason
from kho_server.rules.spelling import Spelling

_MAX_SENT = 80


class AgencySyntax(Enum):
    """Which decision a code follows; both kinds live side by side."""

    OLD = "AGENCY_OLD"
    NEW = "AGENCY_NEW"


@dataclass(frozen=True, slots=True)
class AgencyCode:
    """An agency's code: `text` as sent, `key` to compare by, `level_one` the ministry or province (H46).

    An old and a new code of the same agency have different keys: which belong together is registered, not guessed.
    """

    text: str
    key: str
    syntax: AgencySyntax
    level_one: str
    warnings: tuple[CodeWarning, ...] = ()

    @classmethod
    def parse(cls, text: str, on: datetime.date, *, field: str = "agency_code") -> "AgencyCode":
        """Read a code as it may be used on that day; raises CodeRefused or TextRefused."""
        spelling = Spelling.of(field, text, _MAX_SENT)
        known, _ = judge(field, spelling, on, Reason.AGENCY_CODE_MALFORMED, *(kind.value for kind in AgencySyntax))
        syntax = AgencySyntax(known.name)
        groups = spelling.key.split(".")
        # The old syntax begins with the lowest level, the new one with the highest.
        level_one = groups[-1] if syntax is AgencySyntax.OLD else groups[0]
        return cls(spelling.text, spelling.key, syntax, level_one, spelling.warnings)
