"""The papers of the demo: which desk scans what, of how many sheets, and what it has to show."""

import enum
from dataclasses import dataclass

from kho.v1 import document_pb2
from ops.demo.papers import TITLES, Scan

MOST_SHEETS = 40
USUAL_SHEETS = 150


class Desk(enum.Enum):
    """The two one-stop desks; the value counts them for people."""

    PROVINCE = 1
    COMMUNE = 2


class Trial(enum.Enum):
    """What happens to a paper on its way, beside being stored."""

    LINK_IS_CUT = "link is cut"
    SERVER_IS_KILLED = "server is killed"
    AGENCY_SIGNS_LATER = "agency signs later"


@dataclass(frozen=True, slots=True)
class Task:
    """One paper for one desk; `number` counts the papers of that desk from 1."""

    desk: Desk
    number: int
    title: str
    sheets: int
    scan: Scan
    kind: "document_pb2.DocumentKind.ValueType"
    trial: Trial | None = None

    @property
    def is_result(self) -> bool:
        """Tell whether a procedure decided it, so that it gets its code before it is printed."""
        return self.kind == document_pb2.DOCUMENT_KIND_RESULT


_RESULT, _COMPONENT = document_pb2.DOCUMENT_KIND_RESULT, document_pb2.DOCUMENT_KIND_COMPONENT

# Sheets as they come in when there are USUAL_SHEETS of them, and the fewest with which the paper serves its purpose.
_Row = tuple[int, int, Scan, "document_pb2.DocumentKind.ValueType", Trial | None]
_ROWS: dict[Desk, tuple[_Row, ...]] = {
    Desk.PROVINCE: (
        (1, 1, Scan.COLOUR, _RESULT, None),
        (3, 2, Scan.COLOUR, _RESULT, Trial.AGENCY_SIGNS_LATER),
        (8, 1, Scan.BITONAL, _COMPONENT, None),
        (40, 4, Scan.BITONAL, _RESULT, Trial.SERVER_IS_KILLED),
        (2, 1, Scan.COLOUR, _RESULT, None),
        (12, 1, Scan.COLOUR, _COMPONENT, None),
        (6, 1, Scan.COLOUR, _RESULT, None),
    ),
    Desk.COMMUNE: (
        (1, 1, Scan.BITONAL, _RESULT, None),
        (16, 4, Scan.COLOUR, _RESULT, Trial.LINK_IS_CUT),
        (2, 1, Scan.COLOUR, _RESULT, None),
        (28, 1, Scan.BITONAL, _RESULT, None),
        (4, 1, Scan.COLOUR, _COMPONENT, None),
        (22, 1, Scan.COLOUR, _RESULT, None),
        (5, 1, Scan.BITONAL, _RESULT, None),
    ),
}
_ALL = tuple(row for rows in _ROWS.values() for row in rows)
FEWEST_SHEETS = sum(fewest for _, fewest, *_ in _ALL)
MOST_SHEETS_IN_ALL = MOST_SHEETS * len(_ALL)


def workload(sheets_in_all: int = USUAL_SHEETS) -> tuple[Task, ...]:
    """Return the papers of both desks, of so many sheets in all.

    ValueError when there are too few sheets for the papers, or more than 40 for one of them.
    """
    if not FEWEST_SHEETS <= sheets_in_all <= MOST_SHEETS_IN_ALL:
        raise ValueError(f"the papers of the demo have {FEWEST_SHEETS} to {MOST_SHEETS_IN_ALL} sheets in all")
    sheets = iter(_shared_out(sheets_in_all))
    titles = iter(TITLES * len(_ALL))
    return tuple(
        Task(desk, number, next(titles), next(sheets), scan, kind, trial)
        for desk, rows in _ROWS.items()
        for number, (_, _, scan, kind, trial) in enumerate(rows, 1)
    )


def _shared_out(sheets_in_all: int) -> list[int]:
    """Share sheets out in the usual proportions, within the bounds of each paper."""
    shares = [max(fewest, min(MOST_SHEETS, usual * sheets_in_all // USUAL_SHEETS)) for usual, fewest, *_ in _ALL]
    step = 1 if sum(shares) < sheets_in_all else -1
    # The largest papers give or take first; each round moves one sheet of each paper that may.
    order = sorted(range(len(_ALL)), key=lambda place: -_ALL[place][0])
    while sum(shares) != sheets_in_all:
        for place in order:
            if _ALL[place][1] <= shares[place] + step <= MOST_SHEETS:
                shares[place] += step
                if sum(shares) == sheets_in_all:
                    break
    return shares
