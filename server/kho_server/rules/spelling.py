"""How a code was spelled, and what it is compared by."""

from dataclasses import dataclass

from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.reasons import Doubt
from kho_server.rules.text import clean_code, fold_letters, has_dash_variant, has_eth, has_space, matching_key


@dataclass(frozen=True, slots=True)
class Spelling:
    """A code as it was sent, cleaned but not judged.

    `text` is the original in NFC without outer spaces, `folded` has plain hyphens, Vietnamese letters and no
    spaces but keeps the case, `key` is what codes are compared by. `warnings` name each spelling that was mapped;
    small letters are no cause for one.
    """

    text: str
    folded: str
    key: str
    warnings: tuple[CodeWarning, ...]

    @classmethod
    def of(cls, field: str, text: str, max_chars: int) -> "Spelling":
        """Clean a code of at most `max_chars` code points; raises TextRefused or CodeRefused."""
        clean = clean_code(field, text, max_chars)
        doubts = (
            (Doubt.LETTER_ETH, has_eth(clean)),
            (Doubt.DASH_VARIANT, has_dash_variant(clean)),
            (Doubt.INNER_SPACES, has_space(clean)),
        )
        warnings = tuple(CodeWarning.of(doubt) for doubt, is_so in doubts if is_so)
        return cls(clean, fold_letters(clean), matching_key(clean), warnings)
