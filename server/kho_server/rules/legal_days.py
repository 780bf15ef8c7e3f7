"""Legal days: the calendar days of Vietnam, on which validity, receipt and deadlines are reckoned."""

import datetime
import re
from dataclasses import dataclass

from kho_server.rules.errors import DateRefused
from kho_server.rules.reasons import Reason

LEGAL_ZONE = datetime.timezone(datetime.timedelta(hours=7), "Asia/Ho_Chi_Minh")
"""Vietnam's time as a fixed offset: +07:00 without summer time since 1975-06-13 (IANA tz, zone Asia/Ho_Chi_Minh).

The instants judged here are those of this server and of signatures, all of them later, so the offset gives the
same days as the tz database and needs none: Windows and slim containers have none, and a stale one never matters.
"""

FIRST_DAY = datetime.date(1900, 1, 1)
LAST_DAY = datetime.date(9999, 12, 31)

_DAY = re.compile(r"([0-9]{4})-([0-9]{2})-([0-9]{2})")


def legal_day(instant: datetime.datetime) -> datetime.date:
    """Return the day it is in Vietnam at an instant.

    Raises ValueError for an instant without a zone (a defect of the caller), DateRefused for one so late that
    its day in Vietnam is after 9999-12-31.
    """
    if instant.tzinfo is None or instant.utcoffset() is None:
        raise ValueError("an instant needs a time zone before it has a legal day")
    try:
        return instant.astimezone(LEGAL_ZONE).date()
    except OverflowError as error:
        raise _out_of_range("instant") from error


def parse_day(field: str, text: str) -> datetime.date:
    """Read a day written YYYY-MM-DD and nothing else.

    Raises DateRefused: DATE_MALFORMED, DATE_OUT_OF_RANGE (before 1900-01-01), DATE_IMPOSSIBLE (2026-02-30).
    """
    match = _DAY.fullmatch(text)
    if match is None:
        raise DateRefused(field, Reason.DATE_MALFORMED)
    year, month, day = (int(group) for group in match.groups())
    if year < FIRST_DAY.year:
        raise _out_of_range(field)
    try:
        return datetime.date(year, month, day)
    except ValueError as error:
        raise DateRefused(field, Reason.DATE_IMPOSSIBLE) from error


def check_day(field: str, day: datetime.date) -> datetime.date:
    """Return a day that lies in the range of legal days; raises DateRefused with DATE_OUT_OF_RANGE."""
    if day < FIRST_DAY:
        raise _out_of_range(field)
    return day


def _out_of_range(field: str) -> DateRefused:
    return DateRefused(field, Reason.DATE_OUT_OF_RANGE, first=FIRST_DAY.isoformat(), last=LAST_DAY.isoformat())


@dataclass(frozen=True, slots=True)
class Validity:
    """The days on which something holds, both ends included; None means without end on that side.

    Raises DateRefused with DATES_CROSSED when the last day lies before the first.
    """

    valid_from: datetime.date | None = None
    valid_to: datetime.date | None = None

    def __post_init__(self) -> None:
        """Refuse crossed and unreasonable days."""
        if self.valid_from is not None:
            check_day("valid_from", self.valid_from)
        if self.valid_to is not None:
            check_day("valid_to", self.valid_to)
        if self.valid_from is not None and self.valid_to is not None and self.valid_to < self.valid_from:
            raise DateRefused("valid_to", Reason.DATES_CROSSED)

    @classmethod
    def parse(cls, valid_from: str | None, valid_to: str | None) -> "Validity":
        """Read both days; None and the empty text mean without end on that side."""
        return cls(
            parse_day("valid_from", valid_from) if valid_from else None,
            parse_day("valid_to", valid_to) if valid_to else None,
        )

    def in_force(self, on: datetime.date) -> bool:
        """Tell whether the day lies within."""
        return (self.valid_from is None or self.valid_from <= on) and (self.valid_to is None or on <= self.valid_to)

    def overlaps(self, other: "Validity") -> bool:
        """Tell whether some day lies within both."""
        latest_start = max(self.valid_from or FIRST_DAY, other.valid_from or FIRST_DAY)
        earliest_end = min(self.valid_to or LAST_DAY, other.valid_to or LAST_DAY)
        return latest_start <= earliest_end
