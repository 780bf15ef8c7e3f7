"""Text is made uniform or refused, and keys do not move."""

import sys
import time
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kho_server.rules.errors import CodeRefused, RuleViolation, TextRefused
from kho_server.rules.reasons import DOUBTS, REFUSALS, Doubt, Reason
from kho_server.rules.text import clean_code, clean_text, matching_key

VIETNAMESE = st.text(alphabet="aăâbcdđeêghiklmnoôơpqrstuưvxyáàảãạấầẩẫậỳýỵÁẶĐƯỞ0123456789 .-/\u00a0\u2013")


@given(VIETNAMESE)
def test_cleaning_is_idempotent_and_blind_to_normal_form(text: str) -> None:
    once = clean_text("name", text, 10_000)
    assert clean_text("name", once, 10_000) == once
    assert clean_text("name", unicodedata.normalize("NFD", text), 10_000) == once


@given(st.text(max_size=200))
def test_cleaning_of_anything_is_nfc_or_refused(text: str) -> None:
    try:
        once = clean_text("name", text, 200)
    except TextRefused:
        return
    assert unicodedata.is_normalized("NFC", once)
    assert len(once) <= 200
    assert clean_text("name", once, 200) == once


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a\tb", "CONTROL_CHARACTER"),
        ("a\n", "CONTROL_CHARACTER"),
        ("a\x00", "CONTROL_CHARACTER"),
        ("a\x7f", "CONTROL_CHARACTER"),
        ("a\x85b", "CONTROL_CHARACTER"),
        ("a\u2028b", "CONTROL_CHARACTER"),
        ("a\u202eb", "BIDI_CONTROL"),
        ("a\u2067b", "BIDI_CONTROL"),
        ("a\u200fb", "BIDI_CONTROL"),
        ("\ufeffa", "INVISIBLE_CHARACTER"),
        ("a\U000e0041", "INVISIBLE_CHARACTER"),
        ("a\ud800", "LONE_SURROGATE"),
        ("a\uffff", "UNASSIGNED_CHARACTER"),
        ("a\u0378", "UNASSIGNED_CHARACTER"),
        ("a" + "\u0301" * 31, "TOO_MANY_MARKS"),
        ("a" * 101, "TEXT_TOO_LONG"),
        ("a" * 1_000_000, "TEXT_TOO_LONG"),
        (" ", "TEXT_EMPTY"),
    ],
)
def test_refused_text(text: str, reason: str) -> None:
    with pytest.raises(TextRefused) as caught:
        clean_text("owner_name", text, 100, required=True)
    assert (caught.value.field, caught.value.reason) == ("owner_name", reason)


def test_kept_text() -> None:
    assert clean_text("name", "\u00a0 Nguyê\u0303n Văn  A \u3000", 100) == "Nguyễn Văn  A"
    assert clean_text("name", "soft\u00adhyphen \uf0b7 bullet", 100) == "soft\u00adhyphen \uf0b7 bullet"
    assert clean_text("name", "", 100) == ""


def test_limit_counts_composed_letters() -> None:
    assert clean_text("name", unicodedata.normalize("NFD", "ậ" * 100), 100) == "ậ" * 100


def test_codes_allow_nothing_invisible() -> None:
    for hidden in "\u00ad\u200b\u200d\u2060":
        with pytest.raises(TextRefused, match="INVISIBLE_CHARACTER"):
            clean_code("code", f"H46{hidden}.01", 20)
    with pytest.raises(CodeRefused, match="CODE_EMPTY"):
        clean_code("code", "\u00a0", 20)
    with pytest.raises(CodeRefused, match="CODE_TOO_LONG"):
        clean_code("code", "1" * 21, 20)


def test_marks_do_not_take_long() -> None:
    started = time.perf_counter()
    with pytest.raises(TextRefused):
        clean_text("name", "a" + "\u0301\u0323" * 20_000, 100_000)
    assert time.perf_counter() - started < 0.5


@given(VIETNAMESE)
def test_key_is_blind_to_form_and_case(text: str) -> None:
    key = matching_key(text)
    assert matching_key(unicodedata.normalize("NFD", text)) == key
    assert matching_key(text.upper()) == matching_key(text.lower()) == key
    assert matching_key(text.replace("-", "\u2212")) == key
    assert matching_key(text.replace("Đ", "Ð").replace("đ", "ð")) == key
    assert " " not in key


@given(st.text(max_size=50))
def test_key_of_a_key_is_itself(text: str) -> None:
    assert matching_key(matching_key(text)) == matching_key(text)


def test_key_of_every_character_is_stable() -> None:
    moved = [
        hex(point)
        for point in range(sys.maxunicode + 1)
        if not 0xD800 <= point < 0xE000 and matching_key(key := matching_key(chr(point))) != key
    ]
    assert moved == []


def test_key_drops_only_spaces() -> None:
    assert matching_key(" a.b/c_d&e:f ‑ ð ") == "A.B/C_D&E:F-Đ"


@pytest.mark.parametrize("reason", list(Reason))
def test_every_refusal_has_words(reason: Reason) -> None:
    words = REFUSALS[reason]
    assert words.vi
    assert words.en
    assert words.vi != words.en


@pytest.mark.parametrize("doubt", list(Doubt))
def test_every_doubt_has_words(doubt: Doubt) -> None:
    assert DOUBTS[doubt].vi
    assert DOUBTS[doubt].en


def test_a_violation_says_what_and_where_and_not_what_was_sent() -> None:
    with pytest.raises(RuleViolation) as caught:
        clean_text("owner_name", "Nguyễn Văn A\x07", 100)
    violation = caught.value
    assert isinstance(violation, ValueError)
    assert "vị trí 13" in violation.text_vi
    assert "position 13" in violation.text_en
    assert "Nguyễn" not in str(violation) + violation.text_vi
