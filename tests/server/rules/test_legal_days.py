"""Legal days and validity."""

import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kho_server.rules.errors import DateRefused
from kho_server.rules.legal_days import FIRST_DAY, LAST_DAY, LEGAL_ZONE, Validity, legal_day, parse_day

UTC = datetime.UTC
DAYS = st.dates(FIRST_DAY, LAST_DAY)
OPEN_DAYS = st.none() | DAYS


def test_a_day_begins_at_midnight_in_vietnam() -> None:
    assert legal_day(datetime.datetime(2026, 11, 20, 16, 59, 59, tzinfo=UTC)) == datetime.date(2026, 11, 20)
    assert legal_day(datetime.datetime(2026, 11, 20, 17, 0, tzinfo=UTC)) == datetime.date(2026, 11, 21)
    assert LEGAL_ZONE.tzname(None) == "Asia/Ho_Chi_Minh"


def test_an_instant_needs_a_zone_and_a_day() -> None:
    with pytest.raises(ValueError, match="time zone"):
        legal_day(datetime.datetime(2026, 11, 21))
    with pytest.raises(DateRefused, match="DATE_OUT_OF_RANGE"):
        legal_day(datetime.datetime(9999, 12, 31, 18, tzinfo=UTC))


@given(DAYS)
def test_days_are_read_as_written(day: datetime.date) -> None:
    assert parse_day("issued_on", day.isoformat()) == day


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "DATE_MALFORMED"),
        ("21/11/2026", "DATE_MALFORMED"),
        ("2026-11-21\n", "DATE_MALFORMED"),
        (" 2026-11-21", "DATE_MALFORMED"),
        ("20261121", "DATE_MALFORMED"),
        ("2026-W47-6", "DATE_MALFORMED"),
        ("2026-11-21T00:00:00Z", "DATE_MALFORMED"),
        ("２０２６-11-21", "DATE_MALFORMED"),
        ("-2026-11-21", "DATE_MALFORMED"),
        ("12026-11-21", "DATE_MALFORMED"),
        ("1899-12-31", "DATE_OUT_OF_RANGE"),
        ("0000-00-00", "DATE_OUT_OF_RANGE"),
        ("2026-02-29", "DATE_IMPOSSIBLE"),
        ("2026-13-01", "DATE_IMPOSSIBLE"),
        ("2026-00-10", "DATE_IMPOSSIBLE"),
    ],
)
def test_refused_days(text: str, reason: str) -> None:
    with pytest.raises(DateRefused) as caught:
        parse_day("issued_on", text)
    assert (caught.value.field, caught.value.reason) == ("issued_on", reason)


@given(OPEN_DAYS, OPEN_DAYS, DAYS)
def test_validity_includes_both_ends(start: datetime.date | None, end: datetime.date | None, on: datetime.date) -> None:
    if start is not None and end is not None and end < start:
        with pytest.raises(DateRefused, match="DATES_CROSSED"):
            Validity(start, end)
        return
    validity = Validity(start, end)
    assert validity.in_force(on) == ((start or FIRST_DAY) <= on <= (end or LAST_DAY))
    assert validity.overlaps(Validity(on, on)) == validity.in_force(on) == Validity(on, on).overlaps(validity)
    for edge in (start, end):
        assert edge is None or validity.in_force(edge)


def test_validity_from_text() -> None:
    assert Validity.parse("2026-01-01", "") == Validity(datetime.date(2026, 1, 1), None)
    assert Validity.parse(None, None) == Validity()
    with pytest.raises(DateRefused) as caught:
        Validity.parse("2026-01-01", "2025-12-31")
    assert (caught.value.field, caught.value.reason) == ("valid_to", "DATES_CROSSED")
    with pytest.raises(DateRefused) as caught:
        Validity(datetime.date(1, 1, 1), None)
    assert (caught.value.field, caught.value.reason) == ("valid_from", "DATE_OUT_OF_RANGE")
