"""What may be done with a document after its verdict: data with days, read from data/acceptance.toml."""

import datetime
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from functools import cache

from kho_server.rules.document_kind import DocumentKind
from kho_server.rules.errors import DateRefused
from kho_server.rules.legal_days import Validity
from kho_server.rules.packaged_data import Row, packaged_rows
from kho_server.rules.verdict import Indication, SubIndication

_FILE = "acceptance.toml"
_ANY = "*"


class Use(StrEnum):
    """What a verdict may allow."""

    VAULT = "vault"
    REUSE = "reuse"
    REUSE_WITH_WARNING = "reuse_with_warning"
    QUARANTINE = "quarantine"


@dataclass(frozen=True, slots=True)
class Acceptance:
    """The answer of the table: the uses allowed and the legal ground; quarantine excludes every other use."""

    uses: frozenset[Use]
    ground: str

    def allows(self, use: Use) -> bool:
        """Tell whether that use is allowed."""
        return use in self.uses


_NOT_COVERED = Acceptance(frozenset({Use.QUARANTINE}), "Quy tắc của kho: kết luận này chưa có trong bảng chấp nhận")


@dataclass(frozen=True, slots=True)
class _AcceptanceRow:
    indication: Indication
    sub_indication: SubIndication | None
    kind: DocumentKind | None
    validity: Validity
    acceptance: Acceptance

    def covers(
        self, indication: Indication, sub_indication: SubIndication | None, kind: DocumentKind, on: datetime.date
    ) -> bool:
        return (
            self.indication == indication
            and self.sub_indication in {None, sub_indication}
            and self.kind in {None, kind}
            and self.validity.in_force(on)
        )

    @property
    def exactness(self) -> tuple[bool, bool]:
        return self.sub_indication is not None, self.kind is not None


@dataclass(frozen=True, slots=True)
class AcceptanceTable:
    """Rows that say what a verdict allows; two rows of the same words never hold on the same day."""

    rows: tuple[_AcceptanceRow, ...]

    @classmethod
    def read(cls, rows: tuple[Mapping[str, object], ...]) -> "AcceptanceTable":
        """Read and check rows; raises RulesDataBroken for unknown words, missing values and overlaps."""
        read: list[_AcceptanceRow] = []
        for index, values in enumerate(rows, start=1):
            row = Row(f"{_FILE}, row {index}", values)
            new = _read(row)
            for old in read:
                is_same = (old.indication, old.sub_indication, old.kind) == (
                    new.indication,
                    new.sub_indication,
                    new.kind,
                )
                if is_same and old.validity.overlaps(new.validity):
                    raise row.broken("another row of the same words holds on some of these days")
            read.append(new)
        return cls(tuple(read))

    def decide(
        self, indication: Indication, sub_indication: SubIndication | None, kind: DocumentKind, on: datetime.date
    ) -> Acceptance:
        """Return what the verdict allows for a document of that kind when decided on that legal day.

        The most exact row answers, the sub-indication weighing more than the kind; without a row: quarantine.
        """
        covering = [row for row in self.rows if row.covers(indication, sub_indication, kind, on)]
        return max(covering, key=lambda row: row.exactness).acceptance if covering else _NOT_COVERED


@cache
def acceptance_table() -> AcceptanceTable:
    """Return the packaged table; raises RulesDataBroken when it contradicts itself."""
    return AcceptanceTable.read(packaged_rows(_FILE, "acceptance"))


def _read(row: Row) -> _AcceptanceRow:
    try:
        indication = Indication(row.text("indication"))
        sub_word, kind_word = row.text("sub_indication"), row.text("kind")
        sub_indication = None if sub_word == _ANY else SubIndication(sub_word)
        kind = None if kind_word == _ANY else DocumentKind(kind_word)
        uses = frozenset(Use(word) for word in row.texts("uses"))
        validity = Validity(row.day("valid_from"), row.day("valid_to"))
    except DateRefused as error:
        raise row.broken(str(error)) from error
    except ValueError as error:
        raise row.broken(f"unknown word: {error}") from error
    if Use.QUARANTINE in uses and len(uses) > 1:
        raise row.broken("quarantine excludes every other use")
    if Use.REUSE in uses and Use.REUSE_WITH_WARNING in uses:
        raise row.broken("reuse is either with a warning or without")
    if Use.VAULT in uses and kind is not DocumentKind.RESULT and kind is not DocumentKind.COMPONENT:
        raise row.broken("processing records never enter an owner's vault")
    acceptance = Acceptance(uses, row.text("ground"))
    row.end()
    return _AcceptanceRow(indication, sub_indication, kind, validity, acceptance)
