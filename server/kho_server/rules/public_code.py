"""The code of a result for telephone and QR: short, random, and caught when misheard."""

import re
from collections.abc import Callable
from dataclasses import dataclass

from kho_server.rules.errors import CodeRefused
from kho_server.rules.iso7064 import check_character, passes
from kho_server.rules.reasons import Reason
from kho_server.rules.text import clean_code, matching_key

SYMBOLS = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
"""Crockford's base 32: no I, L, O, U, which are misread or make words."""

RANDOM_SYMBOLS = 13
"""65 bits: a code cannot be guessed, and two billion of them clash with a chance of one in sixteen."""

_TAIL = RANDOM_SYMBOLS + 1
_GROUP = 5
_REPOSITORY_ID = re.compile(r"[A-Z][0-9A-Z]{1,9}")
_TAIL_FORM = re.compile(f"[{SYMBOLS}]{{{_TAIL}}}")
_MISREAD = str.maketrans("ILO", "110")
_MAX_SENT = 64
# One draw in about eight is refused; this many refusals in a row mean that the source is not random.
_MAX_DRAWS = 200
_EXAMPLE = "H46-7Z3K9-Q2M5X-8TR6"


def check_repository_id(field: str, repository_id: str) -> str:
    """Return a repository id such as H46: a capital, then 1 to 9 capitals or digits; raises CodeRefused."""
    if _REPOSITORY_ID.fullmatch(repository_id) is None:
        raise CodeRefused(field, Reason.REPOSITORY_ID_MALFORMED, example="H46")
    return repository_id


@dataclass(frozen=True, slots=True)
class PublicCode:
    """A public code; `key` holds repository id, random part and check character without dashes."""

    key: str

    @property
    def repository_id(self) -> str:
        """The repository that gave the code."""
        return self.key[:-_TAIL]

    @property
    def text(self) -> str:
        """The code as it is printed and read aloud, in groups: H46-XXXXX-XXXXX-XXXC."""
        tail = self.key[-_TAIL:]
        groups = (tail[start : start + _GROUP] for start in range(0, _TAIL, _GROUP))
        return "-".join((self.repository_id, *groups))

    @classmethod
    def draw(cls, repository_id: str, random_bytes: Callable[[int], bytes]) -> "PublicCode":
        """Draw a new code; `random_bytes(n)` returns n bytes nobody can foresee (secrets.token_bytes).

        Drawn again when the check character would be I, L, O or U, and when exchanging two neighbours of which
        one at least is random would go unnoticed, so that for codes drawn here no such slip does.
        Raises CodeRefused for a malformed repository id, RuntimeError when the source is not random.
        """
        check_repository_id("repository_id", repository_id)
        for _ in range(_MAX_DRAWS):
            drawn = random_bytes(RANDOM_SYMBOLS)
            if len(drawn) != RANDOM_SYMBOLS:
                raise RuntimeError("the source of randomness returned another number of bytes than asked for")
            # 256 is a multiple of 32, so the low five bits of a random byte are a fair symbol.
            body = repository_id + "".join(SYMBOLS[byte & 31] for byte in drawn)
            key = body + check_character(body)
            if key[-1] in SYMBOLS and not _hides_exchange(key, len(repository_id)):
                return cls(key)
        raise RuntimeError("the source of randomness keeps repeating itself")

    @classmethod
    def parse(cls, text: str, *, field: str = "public_code") -> "PublicCode":
        """Read a code as people type it: any case, any dashes and spaces, I and L for 1, O for 0.

        Raises TextRefused, CodeRefused with PUBLIC_CODE_MALFORMED or, for a slip, PUBLIC_CODE_CHECK_FAILED.
        The repository id is not folded: letters and digits both occur in it.
        """
        compact = matching_key(clean_code(field, text, _MAX_SENT)).replace("-", "")
        repository_id, tail = compact[:-_TAIL], compact[-_TAIL:].translate(_MISREAD)
        if _REPOSITORY_ID.fullmatch(repository_id) is None or _TAIL_FORM.fullmatch(tail) is None:
            raise CodeRefused(field, Reason.PUBLIC_CODE_MALFORMED, example=_EXAMPLE)
        key = repository_id + tail
        if not passes(key):
            raise CodeRefused(field, Reason.PUBLIC_CODE_CHECK_FAILED)
        return cls(key)


def _hides_exchange(key: str, repository_chars: int) -> bool:
    for left in range(repository_chars - 1, len(key) - 1):
        first, second = key[left], key[left + 1]
        exchanged = key[:left] + second + first + key[left + 2 :]
        # Read as parse would: a last letter I, L or O of the repository id becomes a digit in the random part.
        read = exchanged[:repository_chars] + exchanged[repository_chars:].translate(_MISREAD)
        if read != key and passes(read):
            return True
    return False
