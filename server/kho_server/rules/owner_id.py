"""What a person or organisation is known by: a personal number, a tax code, or whatever an old paper bears."""

import datetime
import re
from dataclasses import dataclass
from enum import Enum

from kho_server.rules.code_format import fitting_match
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.reasons import Doubt
from kho_server.rules.spelling import Spelling

MAX_CHARS = 64
"""Longer than any identifier known; it must fit into a result code beside type and sequence."""

_TAX_WEIGHTS = (31, 29, 23, 19, 17, 13, 7, 5, 3)
_TWELVE = re.compile(r"[0-9]{12}")
_NINE = re.compile(r"[0-9]{9}")


class OwnerIdKind(Enum):
    """What the form of an owner id says it is; a guess for people, never a ground to treat owners differently."""

    CITIZEN = "citizen"
    TAX = "tax"
    OLD_IDENTITY_CARD = "old_identity_card"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class OwnerId:
    """An owner's identifier: `text` as sent, `key` to compare by.

    A branch's tax code has one key with and without its hyphen. repr hides the value: it is personal data.
    """

    text: str
    key: str
    kind: OwnerIdKind
    warnings: tuple[CodeWarning, ...] = ()

    @classmethod
    def parse(cls, text: str, on: datetime.date, *, field: str = "owner_id") -> "OwnerId":
        """Read an identifier; raises TextRefused or CodeRefused for its length and for unseen characters only."""
        spelling = Spelling.of(field, text, MAX_CHARS)
        key, kind, doubts = _recognise(spelling, on)
        warnings = (*spelling.warnings, *(CodeWarning.of(doubt) for doubt in doubts))
        return cls(spelling.text, key, kind, warnings)

    def __repr__(self) -> str:
        """Name the kind and keep the value out of logs."""
        return f"OwnerId({self.kind.value})"


def _recognise(spelling: Spelling, on: datetime.date) -> tuple[str, OwnerIdKind, tuple[Doubt, ...]]:
    key = spelling.key
    if _TWELVE.fullmatch(key):
        return key, OwnerIdKind.CITIZEN, _citizen_doubts(spelling, on)
    tax = fitting_match(spelling, on, "TAX")
    if tax is not None:
        base, branch = tax["base"], tax["branch"]
        whole = base if branch is None else f"{base}-{branch}"
        return whole, OwnerIdKind.TAX, _tax_doubts(base, branch)
    if _NINE.fullmatch(key):
        return key, OwnerIdKind.OLD_IDENTITY_CARD, (Doubt.OLD_IDENTITY_CARD,)
    return key, OwnerIdKind.OTHER, (Doubt.OWNER_ID_UNKNOWN_FORM,)


def _citizen_doubts(spelling: Spelling, on: datetime.date) -> tuple[Doubt, ...]:
    # People born abroad bear country codes above 096, so the structure is no ground to refuse a number.
    if fitting_match(spelling, on, "CITIZEN_ID") is None:
        return (Doubt.CITIZEN_ID_FORM,)
    # The fourth digit counts centuries from 1900, two digits (the sexes) for each.
    century = 1900 + int(spelling.key[3]) // 2 * 100
    return (Doubt.CITIZEN_ID_BIRTH_AHEAD,) if century + int(spelling.key[4:6]) > on.year else ()


def _tax_doubts(base: str, branch: str | None) -> tuple[Doubt, ...]:
    remainder = sum(weight * int(digit) for weight, digit in zip(_TAX_WEIGHTS, base[:9], strict=True)) % 11
    doubts: list[Doubt] = []
    if remainder == 0:
        # The formula then gives 10, which is no digit, and the implementations in use disagree about it.
        doubts.append(Doubt.TAX_CHECK_DIGIT_UNDECIDED)
    elif 10 - remainder != int(base[9]):
        doubts.append(Doubt.TAX_CHECK_DIGIT)
    if branch == "000":
        doubts.append(Doubt.TAX_BRANCH_ZERO)
    return tuple(doubts)
