"""Public codes: the check character is the standard's, and slips are caught."""

import random
import secrets
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kho_server.rules.errors import CodeRefused
from kho_server.rules.iso7064 import ALPHABET, check_character, passes
from kho_server.rules.public_code import SYMBOLS, PublicCode

VECTORS = Path(__file__).parents[2] / "vectors" / "iso7064" / "mod_37_36.tsv"
REPOSITORIES = ["H46", "H15", "G15", "I05", "HOIUL", "Z9"]
CODES = st.builds(
    lambda repository, seed: PublicCode.draw(repository, random.Random(seed).randbytes),
    st.sampled_from(REPOSITORIES),
    st.integers(0, 2**64),
)


def test_published_example() -> None:
    # The example of the GRid standard (IFPI).
    assert check_character("A12425GABC1234002") == "M"
    assert passes("A12425GABC1234002M")
    assert not passes("A12425GABC1234003M")


def test_vectors_of_another_implementation() -> None:
    lines = [line for line in VECTORS.read_text().splitlines() if not line.startswith("#")]
    assert len(lines) == 240
    for line in lines:
        body, expected = line.split("\t")
        assert check_character(body) == expected


@given(st.text(alphabet=ALPHABET, min_size=1, max_size=20))
def test_every_wrong_character_is_caught(body: str) -> None:
    whole = body + check_character(body)
    for at, right in enumerate(whole):
        for wrong in ALPHABET:
            assert passes(whole[:at] + wrong + whole[at + 1 :]) == (wrong == right)


def test_the_standard_misses_one_exchange_in_each_state() -> None:
    def step(state: int, value: int) -> int:
        return ((state + value) % 36 or 36) * 2 % 37

    missed = [
        (state, first, second)
        for state in range(1, 37)
        for first in range(36)
        for second in range(first + 1, 36)
        if step(step(state, first), second) == step(step(state, second), first)
    ]
    assert len(missed) == 36
    assert len({state for state, _, _ in missed}) == 36


@given(CODES)
def test_drawn_code(code: PublicCode) -> None:
    assert passes(code.key)
    tail = code.key[-14:]
    assert set(tail) <= set(SYMBOLS)
    assert code.text == f"{code.repository_id}-{tail[:5]}-{tail[5:10]}-{tail[10:]}"
    assert PublicCode.parse(code.text) == PublicCode.parse(code.key) == code


@given(CODES, st.data())
def test_code_as_people_type_it(code: PublicCode, data: st.DataObject) -> None:
    typed = code.repository_id + "".join(
        data.draw(st.sampled_from({"1": "1IL", "0": "0O"}.get(char, char))) for char in code.key[-14:]
    )
    typed = data.draw(st.sampled_from([typed, typed.lower()]))
    at = data.draw(st.integers(0, len(typed)))
    typed = typed[:at] + data.draw(st.sampled_from(["", "-", " ", "\u00a0", "–", " - "])) + typed[at:]
    assert PublicCode.parse(f" {typed} ") == code


@given(CODES)
def test_all_slips_are_caught(code: PublicCode) -> None:
    slips = set()
    start = len(code.repository_id)
    for at in range(start, len(code.key)):
        slips |= {code.key[:at] + wrong + code.key[at + 1 :] for wrong in SYMBOLS}
    for at in range(start - 1, len(code.key) - 1):
        slips.add(code.key[:at] + code.key[at + 1] + code.key[at] + code.key[at + 2 :])
    for slip in slips - {code.key}:
        with pytest.raises(CodeRefused):
            PublicCode.parse(slip)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("H46-7Z3K9-Q2M5X-8TR7", "PUBLIC_CODE_CHECK_FAILED"),
        ("H46-7Z3K9-Q2M5X-8TR", "PUBLIC_CODE_CHECK_FAILED"),
        ("7Z3K9-Q2M5X-8TR6", "PUBLIC_CODE_MALFORMED"),
        ("H46-7Z3K9-Q2M5X-8UR6", "PUBLIC_CODE_MALFORMED"),
        ("H46-7Z3K9-Q2M5X-8TR６", "PUBLIC_CODE_MALFORMED"),
        ("146-7Z3K9-Q2M5X-8TR6", "PUBLIC_CODE_MALFORMED"),
        ("-----", "PUBLIC_CODE_MALFORMED"),
        ("", "CODE_EMPTY"),
        ("H" * 10_000, "CODE_TOO_LONG"),
    ],
)
def test_refused(text: str, reason: str) -> None:
    with pytest.raises(CodeRefused) as caught:
        PublicCode.parse(text)
    assert caught.value.reason == reason


def test_the_example_shown_to_people_is_right() -> None:
    assert PublicCode.parse("H46-7Z3K9-Q2M5X-8TR6").text == "H46-7Z3K9-Q2M5X-8TR6"
    with pytest.raises(CodeRefused, match="H46-7Z3K9-Q2M5X-8TR6"):
        PublicCode.parse("H46")


def test_codes_with_forbidden_check_characters_are_drawn_again() -> None:
    checks = {PublicCode.draw("H46", random.Random(seed).randbytes).key[-1] for seed in range(2_000)}
    assert checks == set(SYMBOLS)


def needs_check_in_ilou(drawn: bytes) -> bool:
    return check_character("H46" + "".join(SYMBOLS[byte & 31] for byte in drawn)) in "ILOU"


def test_source_of_randomness_is_used_and_watched() -> None:
    assert PublicCode.draw("H46", secrets.token_bytes) != PublicCode.draw("H46", secrets.token_bytes)
    with pytest.raises(RuntimeError, match="number of bytes"):
        PublicCode.draw("H46", lambda count: b"\x00")
    forbidden = next(drawn for seed in range(1_000) if needs_check_in_ilou(drawn := random.Random(seed).randbytes(13)))
    with pytest.raises(RuntimeError, match="repeating"):
        PublicCode.draw("H46", lambda count: forbidden)


@pytest.mark.parametrize("repository", ["", "H", "h46", "46H", "H46-", "H" * 11, "H46\n", "Đ46"])
def test_repository_id_must_be_right(repository: str) -> None:
    with pytest.raises(CodeRefused, match="REPOSITORY_ID_MALFORMED"):
        PublicCode.draw(repository, secrets.token_bytes)
