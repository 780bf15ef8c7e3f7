"""The code of a dossier: who received it, on which day, and which of that day it is."""

import datetime
from dataclasses import dataclass

from kho_server.rules.agency_code import AgencyCode
from kho_server.rules.code_format import example_of, judge
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.errors import CodeRefused, DateRefused
from kho_server.rules.reasons import Doubt, Reason
from kho_server.rules.spelling import Spelling

_MAX_SENT = 100


@dataclass(frozen=True, slots=True)
class DossierCode:
    """A dossier's code (TT 01/2018/TT-VPCP art. 19): `text` as sent, `key` to compare by.

    `number` starts anew each day and keeps its leading zeros; its length (4, 6 or 7 digits) belongs to the code.
    """

    text: str
    key: str
    unit: AgencyCode
    received_on: datetime.date
    number: str
    warnings: tuple[CodeWarning, ...] = ()

    @classmethod
    def parse(cls, text: str, on: datetime.date, *, field: str = "dossier_code") -> "DossierCode":
        """Read a code as it may be used on that day.

        Raises CodeRefused or TextRefused, and DateRefused when the day of receipt is not in the calendar. A day
        of receipt after `on` is a warning: two clocks may stand on two sides of midnight.
        """
        spelling = Spelling.of(field, text, _MAX_SENT)
        _, match = judge(field, spelling, on, Reason.DOSSIER_CODE_MALFORMED, "DOSSIER")
        try:
            unit = AgencyCode.parse(match["unit"], on, field=field)
        except CodeRefused as error:
            if error.reason == Reason.CODE_NOT_IN_FORCE:
                raise
            raise CodeRefused(field, Reason.DOSSIER_CODE_MALFORMED, example=example_of("DOSSIER")) from error
        received_on = _day_of_receipt(field, match["day"])
        warnings = spelling.warnings
        if received_on > on:
            warnings = (*warnings, CodeWarning.of(Doubt.DOSSIER_DAY_AHEAD))
        return cls(spelling.text, spelling.key, unit, received_on, match["number"], warnings)


def _day_of_receipt(field: str, yymmdd: str) -> datetime.date:
    # Two digits are enough for the year: codes of this form exist since 2018 only.
    try:
        return datetime.date(2000 + int(yymmdd[:2]), int(yymmdd[2:4]), int(yymmdd[4:]))
    except ValueError as error:
        raise DateRefused(field, Reason.DATE_IMPOSSIBLE) from error
