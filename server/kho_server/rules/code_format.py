"""The forms of codes: data with days of validity, read from data/code_formats.toml."""

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType

from kho_server.rules.errors import CodeRefused, DateRefused
from kho_server.rules.legal_days import Validity
from kho_server.rules.packaged_data import Row, packaged_rows
from kho_server.rules.reasons import Reason
from kho_server.rules.spelling import Spelling

_FILE = "code_formats.toml"

FORMATS = frozenset(
    {
        "AGENCY_OLD",
        "AGENCY_NEW",
        "DOSSIER",
        "PROCEDURE",
        "FIELD",
        "RESULT_TYPE",
        "CITIZEN_ID",
        "TAX",
        "DOCUMENT_NUMBER",
        "SIP_OBJECT",
        "AIP_OBJECT",
        "ARCHIVE_FILE",
        "ARCHIVE_DOCUMENT",
        "DOCUMENT_CODE",
    }
)
"""The names the code asks for; the data must have each of them and no other."""


@dataclass(frozen=True, slots=True)
class CodeFormat:
    """One form of one code: what it looks like, from when to when, and who says so.

    The pattern is held against the key when `folds_case`, else against the folded spelling; always against the
    whole of it and only when it has at most `max_chars` characters, so no pattern sees unbounded input.
    """

    name: str
    pattern: re.Pattern[str]
    folds_case: bool
    max_chars: int
    validity: Validity
    example: str
    source: str

    def match(self, spelling: Spelling) -> re.Match[str] | None:
        """Return the match over the whole code, or None."""
        judged = spelling.key if self.folds_case else spelling.folded
        return self.pattern.fullmatch(judged) if len(judged) <= self.max_chars else None


def judge(
    field: str, spelling: Spelling, on: datetime.date, malformed: Reason, *names: str
) -> tuple[CodeFormat, re.Match[str]]:
    """Return the first form in force on that day which the code has, in the order of `names`, with its match.

    Raises CodeRefused: `malformed` when no form fits, CODE_NOT_IN_FORCE when one fits but not on that day,
    CODE_TOO_LONG when the code is longer than any of them.
    """
    formats = [known for name in names for known in code_formats()[name]]
    fitting = [(known, match) for known in formats if (match := known.match(spelling)) is not None]
    for known, match in fitting:
        if known.validity.in_force(on):
            return known, match
    if fitting:
        raise CodeRefused(field, Reason.CODE_NOT_IN_FORCE, on=on.isoformat())
    longest = max(known.max_chars for known in formats)
    if len(spelling.folded) > longest:
        raise CodeRefused(field, Reason.CODE_TOO_LONG, max_chars=longest)
    raise CodeRefused(field, malformed, example=formats[0].example)


def fitting_match(spelling: Spelling, on: datetime.date, name: str) -> re.Match[str] | None:
    """Return the match of a form in force on that day, or None; for codes whose form is only ever a warning."""
    for known in code_formats()[name]:
        match = known.match(spelling)
        if match is not None and known.validity.in_force(on):
            return match
    return None


def example_of(name: str) -> str:
    """Return a right code of that form."""
    return code_formats()[name][0].example


@cache
def code_formats() -> Mapping[str, tuple[CodeFormat, ...]]:
    """Return the packaged forms by name; raises RulesDataBroken when they contradict themselves."""
    return read_formats(packaged_rows(_FILE, "format"))


def read_formats(rows: tuple[Mapping[str, object], ...]) -> Mapping[str, tuple[CodeFormat, ...]]:
    """Read rows into forms by name, in their order; raises RulesDataBroken."""
    formats: dict[str, list[CodeFormat]] = {}
    for index, values in enumerate(rows, start=1):
        row = Row(f"{_FILE}, row {index}", values)
        known = _read(row)
        for other in formats.setdefault(known.name, []):
            if other.pattern == known.pattern and other.validity.overlaps(known.validity):
                raise row.broken(f"{known.name} repeats a pattern on the same days")
        formats[known.name].append(known)
    missing = FORMATS - formats.keys()
    if missing:
        raise Row(_FILE, {}).broken(f"no rows for {', '.join(sorted(missing))}")
    return MappingProxyType({name: tuple(known) for name, known in formats.items()})


def _read(row: Row) -> CodeFormat:
    name = row.text("name")
    if name not in FORMATS:
        raise row.broken(f"unknown format {name}")
    written, case = row.text("pattern"), row.text("case")
    if case not in {"fold", "exact"}:
        raise row.broken('case must be "fold" or "exact"')
    # \d, \w and \s take every script and $ takes a final line break: such patterns accept what nobody meant.
    if re.search(r"\\[dwsDWSbBAZ]|\$|\^", written):
        raise row.broken("pattern must spell its characters out and needs no anchors")
    try:
        pattern = re.compile(written)
    except re.error as error:
        raise row.broken(f"pattern cannot be read: {error}") from error
    try:
        validity = Validity(row.day("valid_from"), row.day("valid_to"))
    except DateRefused as error:
        raise row.broken(str(error)) from error
    known = CodeFormat(
        name, pattern, case == "fold", row.number("max_chars"), validity, row.text("example"), row.text("source")
    )
    row.end()
    if known.match(Spelling.of("example", known.example, known.max_chars)) is None:
        raise row.broken("the example does not fit its own pattern")
    return known
