"""A doubt about a code that is accepted all the same."""

from dataclasses import dataclass

from kho_server.rules.reasons import DOUBTS, Doubt


@dataclass(frozen=True, slots=True)
class CodeWarning:
    """A doubt for a person to look at; `reason` is an UPPER_SNAKE word, the texts never repeat the code."""

    reason: str
    text_vi: str
    text_en: str

    @classmethod
    def of(cls, doubt: Doubt, **facts: str) -> "CodeWarning":
        """Take the words of the doubt and fill in the facts."""
        words = DOUBTS[doubt]
        return cls(doubt.value, words.vi.format(**facts), words.en.format(**facts))
