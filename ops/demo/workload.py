"""The papers of the demo: which desk scans what, of how many sheets, and what it has to show."""

import enum
from collections.abc import Sequence
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
        (16, 6, Scan.COLOUR, _RESULT, Trial.LINK_IS_CUT),
        (2, 1, Scan.COLOUR, _RESULT, None),
        (28, 1, Scan.BITONAL, _RESULT, None),
        (4, 1, Scan.COLOUR, _COMPONENT, None),
        (22, 1, Scan.COLOUR, _RESULT, None),
        (5, 1, Scan.BITONAL, _RESULT, None),
    ),
}
PAPERS_EACH = max(len(rows) for rows in _ROWS.values())
FEWEST_SHEETS = sum(fewest for rows in _ROWS.values() for _, fewest, *_ in rows)
MOST_SHEETS_IN_ALL = MOST_SHEETS * sum(len(rows) for rows in _ROWS.values())


def workload(sheets_in_all: int = USUAL_SHEETS, papers_each: int = PAPERS_EACH) -> tuple[Task, ...]:
    """Return the first papers of both desks, of so many sheets in all; the first four show every trial.

    ValueError when there are too few sheets for the papers, or more than 40 for one of them.
    """
    rows = [(desk, number, row) for desk in Desk for number, row in enumerate(_ROWS[desk][:papers_each], 1)]
    sheets = _shared_out([row for *_, row in rows], sheets_in_all)
    return tuple(
        Task(desk, number, TITLES[place % len(TITLES)], sheets[place], scan, kind, trial)
        for place, (desk, number, (_, _, scan, kind, trial)) in enumerate(rows)
    )


def _shared_out(rows: Sequence[_Row], sheets_in_all: int) -> list[int]:
    """Share sheets out in the usual proportions, within the bounds of each paper."""
    fewest = sum(least for _, least, *_ in rows)
    if not fewest <= sheets_in_all <= MOST_SHEETS * len(rows):
        raise ValueError(f"{len(rows)} papers have {fewest} to {MOST_SHEETS * len(rows)} sheets in all")
    in_all = sum(usual for usual, *_ in rows)
    shares = [max(least, min(MOST_SHEETS, usual * sheets_in_all // in_all)) for usual, least, *_ in rows]
    step = 1 if sum(shares) < sheets_in_all else -1
    # The largest papers give or take first; each round moves one sheet of each paper that may.
    order = sorted(range(len(rows)), key=lambda place: -rows[place][0])
    while sum(shares) != sheets_in_all:
        for place in order:
            if sum(shares) != sheets_in_all and rows[place][1] <= shares[place] + step <= MOST_SHEETS:
                shares[place] += step
    return shares
