"""Legal days as instants: days in Asia/Ho_Chi_Minh."""

from datetime import date, datetime, time, timedelta, timezone

from google.protobuf.timestamp_pb2 import Timestamp

from kho_client.errors import Text, local_problem

# Seven hours ahead of UTC since 1975, without summer time: Windows has no zone data to ask.
HO_CHI_MINH = timezone(timedelta(hours=7))


def first_instant(day: str) -> Timestamp:
    """Return the instant at which a day begins; LocalProblem DATE_IMPOSSIBLE."""
    return _stamp(datetime.combine(_day(day), time(), HO_CHI_MINH))


def last_instant(day: str) -> Timestamp:
    """Return the last second of a day; LocalProblem DATE_IMPOSSIBLE."""
    return _stamp(datetime.combine(_day(day), time(23, 59, 59), HO_CHI_MINH))


def _day(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        message = Text(f"Không có ngày {text!r}; hãy viết YYYY-MM-DD.", f"There is no day {text!r}; write YYYY-MM-DD.")
        raise local_problem("DATE_IMPOSSIBLE", message, value=text) from error


def _stamp(moment: datetime) -> Timestamp:
    stamp = Timestamp()
    stamp.FromDatetime(moment)
    return stamp
