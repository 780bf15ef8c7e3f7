"""One page of a list, and the token for the next."""

from collections.abc import Callable, Sequence
from typing import TypeVar

from kho_server.archive.caller import Caller
from kho_server.rpc.page_token import PageTokens

T = TypeVar("T")


def page_of(
    found: Sequence[T],
    size: int,
    tokens: PageTokens,
    caller: Caller,
    question: str,
    key: Callable[[T], Sequence[str]],
) -> tuple[Sequence[T], str]:
    """Return at most `size` rows and the token for those after them, empty when there are none.

    `found` holds one row more than the page has, if there is one, so that a last page says that it is the last.
    """
    if len(found) <= size:
        return found, ""
    page = found[:size]
    return page, tokens.make(caller, question, key(page[-1]))
