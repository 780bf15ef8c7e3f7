"""What a verdict makes of a document and allows for it."""

import datetime
from itertools import product

import pytest

from kho_server.rules.acceptance import AcceptanceTable, Use, acceptance_table
from kho_server.rules.document_kind import DocumentKind
from kho_server.rules.errors import RulesDataBroken
from kho_server.rules.verdict import DocumentState, Indication, SubIndication, document_state

ON = datetime.date(2026, 11, 21)
SUBS = [None, *SubIndication]


@pytest.mark.parametrize(
    ("indication", "state"),
    [
        (Indication.TOTAL_PASSED, DocumentState.VALID),
        (Indication.TOTAL_FAILED, DocumentState.INVALID),
        (Indication.NO_SIGNATURE, DocumentState.INVALID),
        (Indication.INDETERMINATE, DocumentState.PENDING_EVIDENCE),
    ],
)
def test_states(indication: Indication, state: DocumentState) -> None:
    assert {document_state(indication, sub) for sub in SUBS} == {state}


@pytest.mark.parametrize(("indication", "kind"), list(product(Indication, DocumentKind)))
def test_only_what_passed_goes_anywhere(indication: Indication, kind: DocumentKind) -> None:
    for sub in SUBS:
        answer = acceptance_table().decide(indication, sub, kind, ON)
        assert answer.ground
        if indication is not Indication.TOTAL_PASSED:
            assert answer.uses == {Use.QUARANTINE}
        elif kind is DocumentKind.PROCESSING:
            assert answer.uses == frozenset()
        else:
            assert answer.uses == {Use.VAULT, Use.REUSE}


def test_words_of_the_verdict() -> None:
    assert len(SubIndication) == 25
    assert Indication("TOTAL_PASSED") is Indication.TOTAL_PASSED


def row(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = {
        "indication": "INDETERMINATE",
        "sub_indication": "*",
        "kind": "*",
        "uses": ["quarantine"],
        "ground": "g",
    }
    whole.update(changes)
    return {name: value for name, value in whole.items() if value is not None}


def test_the_most_exact_row_answers_on_its_days() -> None:
    table = AcceptanceTable.read(
        (
            row(ground="any"),
            row(kind="result", ground="kind"),
            row(
                sub_indication="NO_POE", uses=["reuse_with_warning"], ground="sub", valid_to=datetime.date(2026, 12, 31)
            ),
            row(sub_indication="NO_POE", ground="later", valid_from=datetime.date(2027, 1, 1)),
        )
    )
    indeterminate, result, component = Indication.INDETERMINATE, DocumentKind.RESULT, DocumentKind.COMPONENT
    assert table.decide(indeterminate, None, component, ON).ground == "any"
    assert table.decide(indeterminate, None, result, ON).ground == "kind"
    assert table.decide(indeterminate, SubIndication.NO_POE, result, ON).allows(Use.REUSE_WITH_WARNING)
    assert table.decide(indeterminate, SubIndication.NO_POE, result, datetime.date(2027, 1, 1)).ground == "later"
    assert table.decide(Indication.TOTAL_PASSED, None, result, ON).uses == {Use.QUARANTINE}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"indication": "PASSED"}, "unknown word"),
        ({"sub_indication": "NO_PEO"}, "unknown word"),
        ({"kind": "draft"}, "unknown word"),
        ({"uses": ["valt"]}, "unknown word"),
        ({"uses": None}, "list of strings"),
        ({"uses": ["vault", "quarantine"], "kind": "result"}, "excludes"),
        ({"uses": ["reuse", "reuse_with_warning"]}, "either with a warning"),
        ({"uses": ["vault"], "kind": "*"}, "never enter"),
        ({"uses": ["vault"], "kind": "processing"}, "never enter"),
        ({"ground": None}, "ground"),
        ({"valid_til": ON}, "unknown names: valid_til"),
        ({"valid_from": datetime.datetime(2026, 1, 1, tzinfo=datetime.UTC)}, "must be a day"),
        ({"valid_from": ON, "valid_to": datetime.date(2020, 1, 1)}, "last day"),
        ({}, "another row"),
        ({"valid_from": datetime.date(2030, 1, 1)}, "another row"),
    ],
)
def test_broken_data_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(RulesDataBroken, match=complaint):
        AcceptanceTable.read((row(), row(**changes)))
