"""What the rules refuse.

ValueError
└── RuleViolation             something a caller sent breaks a rule
    ├── TextRefused           a text cannot be stored as it is
    ├── CodeRefused           a code is malformed, too long or not in use on that day
    ├── TemplateRefused       the configured template of result codes cannot work
    ├── DateRefused           a day is malformed, impossible, out of range, or two days are crossed
    └── MediaTypeRefused      content is not what is accepted, or not what was declared
RulesDataBroken               the data packaged with Kho contradicts itself: a defect of the build, not of a request
"""

from kho_server.rules.reasons import REFUSALS, Reason


class RuleViolation(ValueError):
    """Something that was sent breaks a rule.

    `field` names the input as the caller knows it, `reason` is an UPPER_SNAKE word for machines, `text_vi` and
    `text_en` say what is wrong and what to do. None of them repeats what was sent: it may be personal data.
    """

    def __init__(self, field: str, reason: Reason, **facts: str | int) -> None:
        """Take the words of the reason and fill in limits and examples."""
        words = REFUSALS[reason]
        self.field = field
        self.reason: str = reason.value
        self.text_vi = words.vi.format(**facts)
        self.text_en = words.en.format(**facts)
        super().__init__(f"{field}: {self.text_en} [{self.reason}]")


class TextRefused(RuleViolation):
    """A text holds what cannot be stored, compared or shown safely."""


class CodeRefused(RuleViolation):
    """A code is malformed, too long, or of a form that is not in use on that day."""


class TemplateRefused(RuleViolation):
    """The configured template of result codes cannot work."""


class DateRefused(RuleViolation):
    """A day is malformed, impossible, out of range, or a first day follows its last day."""


class MediaTypeRefused(RuleViolation):
    """Content is of no accepted kind, or not of the declared one."""


class RulesDataBroken(Exception):
    """The data packaged with Kho contradicts itself; the message names the file and the row."""
