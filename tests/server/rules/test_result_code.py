"""Result codes: what is taken, and what a template renders and reads back."""

import datetime
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kho_server.rules.errors import CodeRefused, RuleViolation, TemplateRefused
from kho_server.rules.owner_id import MAX_CHARS as MAX_OWNER_CHARS
from kho_server.rules.owner_id import OwnerId
from kho_server.rules.result_code import MAX_CHARS, ResultCode
from kho_server.rules.result_code_template import MAX_SEQUENCE, CodeParts, ResultCodeTemplate
from kho_server.rules.result_type import ResultType

ON = datetime.date(2026, 11, 21)
BIRTH = ResultType.parse("KQ.G15.000031", ON)
OWNER = OwnerId.parse("044202001234", ON)

TEMPLATES = st.sampled_from(
    [
        "{owner}.{type}.{sequence}",
        "{type}.{owner}.{sequence}",
        "{type}/{sequence}.{owner}",
        "H46-{owner}/{type}_{sequence}-X",
        "{sequence}.{owner}",
        "{owner}.{sequence}",
        "{type}.{sequence}",
        "{sequence}",
    ]
)
OWNERS = st.one_of(
    st.none(),
    st.from_regex(r"\A[0-9A-Z][0-9A-Z-]{0,63}\Z"),
    st.sampled_from(["044202001234", "0100109106-001", "KQ", "Hộ chiếu/7", "A.B", "7"]),
)
SEQUENCES = st.integers(1, MAX_SEQUENCE)
TYPES = st.from_regex(r"\AKQ\.[A-Z][0-9]{2}\.[0-9]{6}\Z")


def test_default_template() -> None:
    template = ResultCodeTemplate.parse()
    code = template.render(OWNER, BIRTH, 7)
    assert code.text == code.key == "044202001234.KQ.G15.000031.7"
    assert template.read(code) == CodeParts("044202001234", "KQ.G15.000031", 7)
    assert template.series(OWNER, BIRTH) == "044202001234.KQ.G15.000031.*"


@pytest.mark.parametrize("owner", [None, OwnerId.parse("Hộ chiếu 7", ON), OwnerId.parse("A.B", ON)])
def test_owner_without_identifier_is_left_empty(owner: OwnerId | None) -> None:
    template = ResultCodeTemplate.parse()
    code = template.render(owner, BIRTH, 7)
    assert code.key == "KQ.G15.000031.7"
    assert template.read(code) == CodeParts(None, "KQ.G15.000031", 7)


@given(TEMPLATES, OWNERS, TYPES, SEQUENCES)
def test_rendered_codes_read_back(text: str, owner_text: str | None, type_text: str, sequence: int) -> None:
    template = ResultCodeTemplate.parse(text)
    owner = None if owner_text is None else OwnerId.parse(owner_text, ON)
    code = template.render(owner, ResultType.parse(type_text, ON), sequence)
    parts = template.read(ResultCode.parse(code.text.lower()))
    assert parts.sequence == sequence
    assert parts.type_key == (type_text if "{type}" in text else None)
    if owner is None or "{owner}" not in text or not set(owner.key) <= set("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ-"):
        assert parts.owner_key is None
    else:
        assert parts.owner_key == owner.key


@given(TEMPLATES, st.tuples(OWNERS, TYPES, SEQUENCES), st.tuples(OWNERS, TYPES, SEQUENCES))
def test_codes_of_one_key_come_from_one_counter(
    text: str, one: tuple[str | None, str, int], other: tuple[str | None, str, int]
) -> None:
    template = ResultCodeTemplate.parse(text)
    made = []
    for owner_text, type_text, sequence in (one, other):
        owner = None if owner_text is None else OwnerId.parse(owner_text, ON)
        result_type = ResultType.parse(type_text, ON)
        made.append((template.render(owner, result_type, sequence).key, template.series(owner, result_type), sequence))
    assert (made[0][0] == made[1][0]) == (made[0][1:] == made[1][1:])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("{owner}.{type}", "TEMPLATE_WITHOUT_SEQUENCE"),
        ("", "TEMPLATE_WITHOUT_SEQUENCE"),
        ("{owner}.{year}.{sequence}", "TEMPLATE_FIELD_UNKNOWN"),
        ("{sequence}.{sequence}", "TEMPLATE_FIELD_REPEATED"),
        ("{type}{sequence}", "TEMPLATE_FIELDS_TOUCH"),
        ("{owner}-{sequence}", "TEMPLATE_FIELDS_TOUCH"),
        ("{owner}7.{sequence}", "TEMPLATE_FIELDS_TOUCH"),
        ("{owner!r}.{sequence}", "TEMPLATE_MALFORMED"),
        ("{owner.text}.{sequence}", "TEMPLATE_MALFORMED"),
        ("{sequence:09d}", "TEMPLATE_MALFORMED"),
        ("{{sequence}}", "TEMPLATE_MALFORMED"),
        ("{}.{sequence}", "TEMPLATE_MALFORMED"),
        ("h46.{sequence}", "TEMPLATE_MALFORMED"),
        ("{sequence}\n", "TEMPLATE_MALFORMED"),
        ("A" * 100 + "{sequence}", "TEMPLATE_MALFORMED"),
    ],
)
def test_refused_templates(text: str, reason: str) -> None:
    with pytest.raises(TemplateRefused) as caught:
        ResultCodeTemplate.parse(text)
    assert (caught.value.field, caught.value.reason) == ("result_code_template", reason)


def test_position_in_a_template() -> None:
    with pytest.raises(TemplateRefused, match="position 9:") as caught:
        ResultCodeTemplate.parse("{type}.Kh.{sequence}")
    assert "vị trí 9" in caught.value.text_vi


@pytest.mark.parametrize("sequence", [0, -1, MAX_SEQUENCE + 1])
def test_sequence_has_bounds(sequence: int) -> None:
    with pytest.raises(CodeRefused, match="SEQUENCE_OUT_OF_RANGE"):
        ResultCodeTemplate.parse().render(OWNER, BIRTH, sequence)


def test_longest_default_code_fits() -> None:
    owner = OwnerId.parse("9" * MAX_OWNER_CHARS, ON)
    assert len(ResultCodeTemplate.parse().render(owner, BIRTH, MAX_SEQUENCE).text) <= MAX_CHARS


@pytest.mark.parametrize(
    "code", ["044202001234.KQ.G15.000031", "044202001234.KQ.G15.000031.0", ".KQ.G15.000031.7", "A.B.KQ.G15.000031.7"]
)
def test_codes_of_another_making_are_not_read(code: str) -> None:
    with pytest.raises(CodeRefused, match="RESULT_CODE_NOT_OF_TEMPLATE"):
        ResultCodeTemplate.parse().read(ResultCode.parse(code))


@pytest.mark.parametrize("code", ["15/GCN-UBND", "01/HĐ-BƯU", "KQ_7:8&9", "a"])
def test_codes_of_other_systems_are_taken(code: str) -> None:
    assert ResultCode.parse(unicodedata.normalize("NFD", code)).text == code


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("KQ;7", "RESULT_CODE_MALFORMED"),
        ("KQ'7", "RESULT_CODE_MALFORMED"),
        ("КQ7", "RESULT_CODE_MALFORMED"),
        ("KQ٧", "RESULT_CODE_MALFORMED"),
        ("KQ\uf0b7", "RESULT_CODE_MALFORMED"),
        ("Q\u0323\u0302", "RESULT_CODE_MALFORMED"),
        ("../..", "RESULT_CODE_MALFORMED"),
        ("A" * 121, "CODE_TOO_LONG"),
        ("KQ\u200b7", "INVISIBLE_CHARACTER"),
        ("KQ\r\n7", "CONTROL_CHARACTER"),
        ("   ", "CODE_EMPTY"),
    ],
)
def test_refused_codes(code: str, reason: str) -> None:
    with pytest.raises(RuleViolation) as caught:
        ResultCode.parse(code)
    assert caught.value.reason == reason


def test_code_stays_out_of_repr() -> None:
    assert "044202001234" not in repr(ResultCodeTemplate.parse().render(OWNER, BIRTH, 7))
