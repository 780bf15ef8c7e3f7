"""Page tokens: they open what they were made for, to whom they were made for."""

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from kho_server.archive.caller import Caller
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rpc.page_token import PageTokens
from kho_storage.records.registry import PrincipalKind
from tests.server.archive.people import caller

TOKENS = PageTokens(b"k" * 32)
CALLER, OTHER = caller(PrincipalKind.ADMINISTRATOR), caller(PrincipalKind.ADMINISTRATOR)
_POSITIONS = st.lists(st.text(max_size=40), min_size=1, max_size=3)


def is_refused(tokens: PageTokens, who: Caller, question: str, token: str, length: int) -> bool:
    """Tell whether a token is refused by name."""
    with pytest.raises(Refusal) as refused:
        tokens.read(who, question, token, length)
    return refused.value.reason is Reason.PAGE_TOKEN_INVALID


@given(_POSITIONS, st.text(max_size=40))
def test_a_token_says_where_to_go_on(position: list[str], question: str) -> None:
    assume(all(char.isprintable() for text in position for char in text))
    token = TOKENS.make(CALLER, question, position)
    assert TOKENS.read(CALLER, question, token, len(position)) == tuple(position)
    assert is_refused(TOKENS, OTHER, question, token, len(position))
    assert is_refused(TOKENS, CALLER, question + "?", token, len(position))
    assert is_refused(TOKENS, CALLER, question, token, len(position) + 1)
    assert is_refused(PageTokens(b"j" * 32), CALLER, question, token, len(position))


@given(st.text(min_size=1, max_size=2000))
def test_what_is_no_token_is_refused(text: str) -> None:
    assert is_refused(TOKENS, CALLER, "agencies", text, 1)


@given(st.data())
def test_no_changed_token_is_taken(data: st.DataObject) -> None:
    token = TOKENS.make(CALLER, "agencies", ["agency-a"])
    at = data.draw(st.integers(0, len(token) - 2))
    letter = data.draw(st.sampled_from("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"))
    assume(letter != token[at])
    assert is_refused(TOKENS, CALLER, "agencies", token[:at] + letter + token[at + 1 :], 1)


def test_no_token_is_the_first_page() -> None:
    assert TOKENS.read(CALLER, "agencies", "", 1) is None
