"""Text from strangers: made uniform, or refused with the position of what is wrong.

Uniform is NFC (Unicode Annex 15), because Vietnamese keyboards send both composed and decomposed letters.
"""

import unicodedata

from kho_server.rules.errors import CodeRefused, RuleViolation, TextRefused
from kho_server.rules.reasons import Reason

MAX_MARKS = 30
"""Combining marks in a row: the bound of the Stream-Safe Text Format (Unicode Annex 15, section 13).

Without it, ordering the marks is quadratic in CPython: 80,000 alternating marks were measured at 5 seconds.
"""

_MAX_EXPANSION = 4
"""Code points that one NFC code point may occupy before normalising (ụ̈̄ and the like decompose to at most four)."""

_BIDI_CONTROLS = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""Bidi_Control of Unicode Annex 9: with them a text shows in another order than it is stored and compared."""

_HARMLESS_FORMAT = frozenset("\u00ad\u200b\u200c\u200d\u2060")
"""Hyphenation and joining hints: Khmer and Cham names need some, word processors leave the rest."""

_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212\ufe58\ufe63\uff0d", "-"))
_ETH = str.maketrans({"\u00d0": "\u0110", "\u00f0": "\u0111"})


def clean_text(field: str, value: str, max_chars: int, *, required: bool = False) -> str:
    """Return the text in NFC without outer spaces.

    `max_chars` counts code points after normalising. Raises TextRefused for control characters (line breaks and
    tabs among them), characters that reorder text, lone surrogates, code points unassigned in Unicode (their
    normal form is not fixed yet, so a later Python could change it), marks without end, texts over the limit,
    and, if required, empty ones. Private-use characters stay: word processors paste them as bullets.
    """
    text = _normal(
        field, value, max_chars, _HARMLESS_FORMAT, TextRefused(field, Reason.TEXT_TOO_LONG, max_chars=max_chars)
    )
    if required and not text:
        raise TextRefused(field, Reason.TEXT_EMPTY)
    return text


def clean_code(field: str, value: str, max_chars: int) -> str:
    """Return a code in NFC without outer spaces; nothing invisible is allowed inside.

    Raises TextRefused for the characters that clean_text refuses and for every other format character,
    CodeRefused with CODE_EMPTY or CODE_TOO_LONG.
    """
    text = _normal(field, value, max_chars, frozenset(), CodeRefused(field, Reason.CODE_TOO_LONG, max_chars=max_chars))
    if not text:
        raise CodeRefused(field, Reason.CODE_EMPTY)
    return text


def fold_letters(text: str) -> str:
    """Map dash variants to the plain hyphen and eth to the Vietnamese D with stroke; drop spaces; keep the case."""
    mapped = unicodedata.normalize("NFC", text).translate(_DASHES).translate(_ETH)
    return "".join(char for char in mapped if unicodedata.category(char) != "Zs")


def matching_key(code: str) -> str:
    """Return the form in which codes are compared; never refuses, two spellings of one code give one key.

    NFC, upper case, eth and Vietnamese D with stroke alike, every dash as the plain hyphen, spaces dropped and
    nothing else. Only letters whose capital is one code point change case, so that a key is its own key.
    """
    raised = "".join(capital if len(capital := char.upper()) == 1 else char for char in fold_letters(code))
    return unicodedata.normalize("NFC", raised)


def has_dash_variant(text: str) -> bool:
    """Tell whether some dash is not the plain hyphen."""
    return text.translate(_DASHES) != text


def has_eth(text: str) -> bool:
    """Tell whether the letter eth stands where Vietnamese has its D with stroke."""
    return text.translate(_ETH) != text


def has_space(text: str) -> bool:
    """Tell whether any kind of space is left."""
    return any(unicodedata.category(char) == "Zs" for char in text)


def _normal(field: str, value: str, max_chars: int, allowed: frozenset[str], too_long: RuleViolation) -> str:
    if len(value) > max_chars * _MAX_EXPANSION + _MAX_EXPANSION:
        raise too_long
    marks = 0
    for position, char in enumerate(value, start=1):
        _refuse_character(field, char, position, allowed)
        marks = marks + 1 if unicodedata.combining(char) else 0
        if marks > MAX_MARKS:
            raise TextRefused(field, Reason.TOO_MANY_MARKS, position=position)
    text = _trim(unicodedata.normalize("NFC", value))
    if len(text) > max_chars:
        raise too_long
    return text


def _refuse_character(field: str, char: str, position: int, allowed: frozenset[str]) -> None:
    if " " <= char <= "~":
        return
    category = unicodedata.category(char)
    # Zl and Zp are the line and paragraph separators: they break a line of a log as well as \n does.
    if category in {"Cc", "Zl", "Zp"}:
        raise TextRefused(field, Reason.CONTROL_CHARACTER, position=position)
    if char in _BIDI_CONTROLS:
        raise TextRefused(field, Reason.BIDI_CONTROL, position=position)
    if category == "Cf" and char not in allowed:
        raise TextRefused(field, Reason.INVISIBLE_CHARACTER, position=position)
    if category == "Cs":
        raise TextRefused(field, Reason.LONE_SURROGATE, position=position)
    if category == "Cn":
        raise TextRefused(field, Reason.UNASSIGNED_CHARACTER, position=position)


def _trim(text: str) -> str:
    start, end = 0, len(text)
    while start < end and unicodedata.category(text[start]) == "Zs":
        start += 1
    while end > start and unicodedata.category(text[end - 1]) == "Zs":
        end -= 1
    return text[start:end]
