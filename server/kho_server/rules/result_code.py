"""The code of one result: given by its issuer or rendered from the repository's template."""

import re
import unicodedata
from dataclasses import dataclass

from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.errors import CodeRefused
from kho_server.rules.reasons import Reason
from kho_server.rules.spelling import Spelling

MAX_CHARS = 120
"""Room for an owner id, a type, a sequence number and the marks of a template."""

_MARKS = frozenset(".-/_&:")
_SOME_LETTER_OR_DIGIT = re.compile(r"[^._/&:-]")


@dataclass(frozen=True, slots=True)
class ResultCode:
    """A result's code, unique by `key` within one repository; `text` as sent.

    Other systems form codes in their own ways, so letters of any Latin alphabet, the digits 0-9 and the marks
    . - / _ & : are taken, at least one letter or digit among them. repr hides the value: it may name an owner.
    """

    text: str
    key: str
    warnings: tuple[CodeWarning, ...] = ()

    @classmethod
    def parse(cls, text: str, *, field: str = "result_code") -> "ResultCode":
        """Read a code; raises TextRefused or CodeRefused (CODE_EMPTY, CODE_TOO_LONG, RESULT_CODE_MALFORMED)."""
        spelling = Spelling.of(field, text, MAX_CHARS)
        for position, char in enumerate(spelling.key, start=1):
            if not _is_allowed(char):
                raise CodeRefused(field, Reason.RESULT_CODE_MALFORMED, position=position)
        if _SOME_LETTER_OR_DIGIT.search(spelling.key) is None:
            raise CodeRefused(field, Reason.RESULT_CODE_MALFORMED, position=1)
        return cls(spelling.text, spelling.key, spelling.warnings)

    def __repr__(self) -> str:
        """Keep the value out of logs."""
        return "ResultCode(...)"


def _is_allowed(char: str) -> bool:
    if char.isascii():
        return char.isalnum() or char in _MARKS
    # Letters of other scripts that look Latin (Cyrillic, Greek) would make twins that no eye tells apart.
    return char.isalpha() and unicodedata.name(char, "").startswith("LATIN CAPITAL LETTER ")
