"""What single codes mean beyond being accepted, and which traps they do not fall into."""

import datetime
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kho_server.rules.agency_code import AgencyCode, AgencySyntax
from kho_server.rules.archive_id import ArchiveId, ArchiveIdKind
from kho_server.rules.code_format import FORMATS, code_formats, read_formats
from kho_server.rules.document_number import DocumentNumber
from kho_server.rules.dossier_code import DossierCode
from kho_server.rules.errors import RulesDataBroken, RuleViolation
from kho_server.rules.owner_id import OwnerId, OwnerIdKind
from kho_server.rules.packaged_data import packaged_rows
from kho_server.rules.procedure_code import ProcedureCode
from kho_server.rules.result_type import ResultType

ON = datetime.date(2026, 11, 21)
DASHES = "-\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d"
SPACES = " \u00a0\u2009\u202f\u3000"


def reason_of(parse: object, *arguments: object) -> str:
    assert callable(parse)
    with pytest.raises(RuleViolation) as caught:
        parse(*arguments)
    return caught.value.reason


def reasons(value: AgencyCode | DossierCode | DocumentNumber | OwnerId) -> tuple[str, ...]:
    return tuple(warning.reason for warning in value.warnings)


def test_agency_levels() -> None:
    old, new = AgencyCode.parse("000.00.16.H46", ON), AgencyCode.parse("H15.50.05.13", ON)
    assert (old.syntax, old.level_one) == (AgencySyntax.OLD, "H46")
    assert (new.syntax, new.level_one) == (AgencySyntax.NEW, "H15")


def test_agency_length() -> None:
    assert AgencyCode.parse("H46." + "A" * 10 + "." + "B" * 10 + "." + "C" * 9, ON).key.endswith("C")
    assert reason_of(AgencyCode.parse, "H46." + "A" * 10 + "." + "B" * 10 + "." + "C" * 10, ON) == "CODE_TOO_LONG"
    assert reason_of(AgencyCode.parse, "H46." + "A" * 500, ON) == "CODE_TOO_LONG"
    assert reason_of(AgencyCode.parse, "H46." + "A" * 11, ON) == "AGENCY_CODE_MALFORMED"


def test_new_agency_syntax_has_a_first_day() -> None:
    assert AgencyCode.parse("H46.01", datetime.date(2020, 9, 15)).key == "H46.01"
    assert reason_of(AgencyCode.parse, "H46.01", datetime.date(2020, 9, 14)) == "CODE_NOT_IN_FORCE"
    assert reason_of(DossierCode.parse, "H46.01-190101-0001", datetime.date(2020, 9, 14)) == "CODE_NOT_IN_FORCE"


def test_dossier_parts() -> None:
    code = DossierCode.parse("h15.50.05.13 – 261008\u00a0–0975", ON)
    assert code.key == "H15.50.05.13-261008-0975"
    assert code.unit.key == "H15.50.05.13"
    assert code.received_on == datetime.date(2026, 10, 8)
    assert code.number == "0975"
    assert reasons(code) == ("DASH_VARIANT", "INNER_SPACES")


@pytest.mark.parametrize("day", ["230229", "220431", "221301", "220900", "000000"])
def test_dossier_day_must_exist(day: str) -> None:
    assert reason_of(DossierCode.parse, f"H46-{day}-0001", ON) == "DATE_IMPOSSIBLE"


def test_dossier_of_a_leap_day_and_of_tomorrow() -> None:
    assert DossierCode.parse("H46-240229-0001", ON).received_on == datetime.date(2024, 2, 29)
    assert reasons(DossierCode.parse("H46-261122-0001", ON)) == ("DOSSIER_DAY_AHEAD",)
    assert reasons(DossierCode.parse("H46-261121-0001", ON)) == ()


@pytest.mark.parametrize("unit", ["46", "H4.6", "000.00.16", "...", "H46.", ".H46", "000.00.16.H46.01", "H46..01"])
def test_dossier_unit_must_be_an_agency(unit: str) -> None:
    assert reason_of(DossierCode.parse, f"{unit}-220905-0001", ON) == "DOSSIER_CODE_MALFORMED"


@pytest.mark.parametrize("code", ["1.000123.000.00.00.H46", "1.000123", "1.000123.01", " 1.000123 "])
def test_procedure_key_is_short(code: str) -> None:
    assert ProcedureCode.parse(code, ON).key == "1.000123"


@pytest.mark.parametrize("broken", ["KQ.G15.00003١", "KQ.G15.000031\n", "KQ.G15.00003１", "KQ.G15.000031\x00", ""])
def test_digits_are_ascii_and_ends_are_ends(broken: str) -> None:
    reason_of(ResultType.parse, broken, ON)


@pytest.mark.parametrize(
    ("text", "kind", "warned"),
    [
        ("044202001234", OwnerIdKind.CITIZEN, ()),
        ("097202001234", OwnerIdKind.CITIZEN, ("CITIZEN_ID_FORM",)),
        ("044227001234", OwnerIdKind.CITIZEN, ("CITIZEN_ID_BIRTH_AHEAD",)),
        ("044226001234", OwnerIdKind.CITIZEN, ()),
        ("0100109106", OwnerIdKind.TAX, ()),
        ("0100109107", OwnerIdKind.TAX, ("TAX_CHECK_DIGIT",)),
        ("0000000000", OwnerIdKind.TAX, ("TAX_CHECK_DIGIT_UNDECIDED",)),
        ("0100109106-000", OwnerIdKind.TAX, ("TAX_BRANCH_ZERO",)),
        ("123456789", OwnerIdKind.OLD_IDENTITY_CARD, ("OLD_IDENTITY_CARD",)),
        ("B1234567", OwnerIdKind.OTHER, ("OWNER_ID_UNKNOWN_FORM",)),
        ("Hộ chiếu số 7", OwnerIdKind.OTHER, ("INNER_SPACES", "OWNER_ID_UNKNOWN_FORM")),
    ],
)
def test_owner_kinds(text: str, kind: OwnerIdKind, warned: tuple[str, ...]) -> None:
    owner = OwnerId.parse(text, ON)
    assert (owner.kind, reasons(owner)) == (kind, warned)


def test_branch_has_one_key() -> None:
    keys = {OwnerId.parse(text, ON).key for text in ("0100109106-001", "0100109106001", "0100109106 – 001")}
    assert keys == {"0100109106-001"}


def test_owner_stays_out_of_repr() -> None:
    assert "044202001234" not in repr(OwnerId.parse("044202001234", ON))


@given(st.text(alphabet=st.characters(exclude_categories=["C", "Zl", "Zp", "Zs", "M"]), min_size=1, max_size=64))
def test_owner_and_number_are_never_refused_for_their_form(text: str) -> None:
    # One code point may become several in NFC, so that even 64 of them may be too many.
    if len(unicodedata.normalize("NFC", text)) <= 64:
        assert OwnerId.parse(text, ON).text == unicodedata.normalize("NFC", text)
        DocumentNumber.parse(text, ON)


def test_owner_and_number_are_refused_for_length_and_unseen_characters() -> None:
    assert reason_of(OwnerId.parse, "1" * 65, ON) == "CODE_TOO_LONG"
    assert reason_of(OwnerId.parse, "  ", ON) == "CODE_EMPTY"
    assert reason_of(OwnerId.parse, "0442\n02001234", ON) == "CONTROL_CHARACTER"
    assert reason_of(OwnerId.parse, "0442\u200b02001234", ON) == "INVISIBLE_CHARACTER"
    assert reason_of(DocumentNumber.parse, "15/QĐ\u202e-BNV", ON) == "BIDI_CONTROL"
    assert reason_of(DocumentNumber.parse, "1" * 101, ON) == "CODE_TOO_LONG"


def test_number_warnings() -> None:
    assert reasons(DocumentNumber.parse("15/QÐ-BNV", ON)) == ("LETTER_ETH",)
    assert reasons(DocumentNumber.parse("15/QĐ–BNV", ON)) == ("DASH_VARIANT",)
    assert reasons(DocumentNumber.parse("5/BNV-VP", ON)) == ("DOCUMENT_NUMBER_FORM",)
    assert DocumentNumber.parse("15/QÐ-BNV", ON).key == DocumentNumber.parse("15/qđ-bnv", ON).key
    assert DocumentNumber.parse("15/QÐ-BNV", ON).text == "15/QÐ-BNV"


def test_number_in_nfd_is_the_same() -> None:
    assert DocumentNumber.parse(unicodedata.normalize("NFD", "01/HĐ-BƯU"), ON) == DocumentNumber.parse("01/HĐ-BƯU", ON)


def test_archive_folder_name() -> None:
    code = "urn:G09:uuid:9C13E70E-08B2-4C54-8BAF-979B35D01B4D"
    package = ArchiveId.parse(code, ON, ArchiveIdKind.ARCHIVAL_PACKAGE)
    assert package.folder_name == "urn_G09_uuid_9C13E70E-08B2-4C54-8BAF-979B35D01B4D"


@st.composite
def respelled(draw: st.DrawFn, code: str) -> str:
    text = draw(st.sampled_from([code, code.lower(), code.swapcase()]))
    text = "".join(draw(st.sampled_from(DASHES)) if char == "-" else char for char in text)
    text = text.replace("Đ", draw(st.sampled_from("ĐÐđð")))
    at = draw(st.integers(0, len(text)))
    text = text[:at] + draw(st.sampled_from(SPACES)) + text[at:]
    return unicodedata.normalize(draw(st.sampled_from(["NFC", "NFD"])), text)


@given(respelled("000.00.16.H46-220905-0001"), respelled("H15.50.05.13"), respelled("15/QĐ-BƯỞNG"))
def test_spellings_of_a_code_have_one_key(dossier: str, agency: str, number: str) -> None:
    assert DossierCode.parse(dossier, ON).key == "000.00.16.H46-220905-0001"
    assert AgencyCode.parse(agency, ON).key == "H15.50.05.13"
    assert DocumentNumber.parse(number, ON).key == "15/QĐ-BƯỞNG"


@given(
    st.sampled_from(["000.00.16.H46", "H15.50.05.13", "G15"]),
    st.dates(datetime.date(2000, 1, 1), datetime.date(2099, 12, 31)),
    st.from_regex(r"\A(?:[0-9]{4}|[0-9]{6,7})\Z"),
)
def test_dossier_round_trip(unit: str, day: datetime.date, number: str) -> None:
    code = DossierCode.parse(f"{unit}-{day:%y%m%d}-{number}", ON)
    assert (code.unit.key, code.received_on, code.number) == (unit, day, number)


@pytest.mark.parametrize("name", sorted(FORMATS))
def test_no_pattern_is_slow(name: str) -> None:
    # Held against the bare pattern, without the bound on length that guards it in service.
    for known in code_formats()[name]:
        for seed in (known.example, "A", "0", ".", "-", "A.", "0.", "A-", "1/A-", "0" * 9 + "A", "A.0000.00."):
            attack = (known.example + seed * (10_000 // len(seed)))[:10_000] + "!"
            started = time.perf_counter()
            assert known.pattern.fullmatch(attack) is None
            assert time.perf_counter() - started < 0.5


def row(**changes: object) -> dict[str, object]:
    whole: dict[str, object] = dict(packaged_rows("code_formats.toml", "format")[0])
    whole.update(changes)
    return {name: value for name, value in whole.items() if value is not None}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"name": "AGENCY"}, "unknown format"),
        ({"pattern": r"\d{3}"}, "spell its characters out"),
        ({"pattern": "[A-Z]+$"}, "spell its characters out"),
        ({"pattern": "(["}, "cannot be read"),
        ({"case": "upper"}, "case must be"),
        ({"example": "H46"}, "example does not fit"),
        ({"max_chars": 0}, "positive integer"),
        ({"source": None}, "source must be"),
        ({"valid_form": "2020-01-01"}, "unknown names: valid_form"),
        ({"valid_from": "2020-01-01"}, "must be a day"),
        ({"valid_from": datetime.date(2021, 1, 1), "valid_to": datetime.date(2020, 1, 1)}, "last day"),
        ({"max_chars": 14}, "repeats a pattern"),
    ],
)
def test_broken_format_data_is_refused(changes: dict[str, object], complaint: str) -> None:
    with pytest.raises(RulesDataBroken, match=complaint):
        read_formats((*packaged_rows("code_formats.toml", "format"), row(**changes)))


def test_missing_format_is_refused() -> None:
    with pytest.raises(RulesDataBroken, match="no rows for"):
        read_formats(packaged_rows("code_formats.toml", "format")[1:])
