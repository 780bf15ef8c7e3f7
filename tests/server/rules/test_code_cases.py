"""Every code of the collected cases is judged as the cases say."""

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

import pytest

from kho_server.rules.agency_code import AgencyCode, AgencySyntax
from kho_server.rules.archive_id import ArchiveId, ArchiveIdKind
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.document_number import DocumentNumber
from kho_server.rules.dossier_code import DossierCode
from kho_server.rules.errors import RuleViolation
from kho_server.rules.field_code import FieldCode
from kho_server.rules.owner_id import OwnerId
from kho_server.rules.procedure_code import ProcedureCode
from kho_server.rules.result_type import ResultType

ON = datetime.date(2026, 11, 21)
CASES = Path(__file__).parents[2] / "vectors" / "codes" / "code_cases.tsv"


class Code(Protocol):
    @property
    def text(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def warnings(self) -> tuple[CodeWarning, ...]: ...


def archive(kind: ArchiveIdKind) -> Callable[[str, datetime.date], Code]:
    return lambda text, on: ArchiveId.parse(text, on, kind)


PARSERS: dict[str, Callable[[str, datetime.date], Code]] = {
    "AGENCY_OLD": AgencyCode.parse,
    "AGENCY_NEW": AgencyCode.parse,
    "DOSSIER": DossierCode.parse,
    "PROCEDURE": ProcedureCode.parse,
    "FIELD": FieldCode.parse,
    "RESULT_TYPE": ResultType.parse,
    "CITIZEN_ID": OwnerId.parse,
    "TAX": OwnerId.parse,
    "DOC_NUMBER": DocumentNumber.parse,
    "SIP_OBJID": archive(ArchiveIdKind.SUBMISSION_PACKAGE),
    "AIP_OBJID": archive(ArchiveIdKind.ARCHIVAL_PACKAGE),
    "ARC_FILE": archive(ArchiveIdKind.FILE),
    "ARC_DOC": archive(ArchiveIdKind.DOCUMENT),
    "DOCCODE": archive(ArchiveIdKind.DOCUMENT_CODE),
}


def cases() -> list[tuple[str, str, str]]:
    rows = []
    for line in CASES.read_text(encoding="utf-8").splitlines():
        if not line.startswith("#"):
            form, code, verdict = line.split("\t")
            rows.append((form, code, verdict))
    return rows


@pytest.mark.parametrize(("form", "code", "verdict"), cases())
def test_case(form: str, code: str, verdict: str) -> None:
    parse = PARSERS[form]
    if verdict == "0":
        with pytest.raises(RuleViolation):
            parse(code, ON)
        return
    value = parse(code, ON)
    assert value.text == code
    assert bool(value.warnings) == (verdict == "w")
    assert all(warning.text_vi and warning.text_en for warning in value.warnings)
    if form in {"AGENCY_OLD", "AGENCY_NEW"}:
        assert isinstance(value, AgencyCode)
        assert value.syntax is AgencySyntax(form)


def test_all_cases_are_here() -> None:
    assert len(cases()) == 42
    assert {form for form, _, _ in cases()} == PARSERS.keys()
