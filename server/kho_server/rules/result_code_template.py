"""The template by which a repository forms the codes of its results."""

import re
from dataclasses import dataclass

from kho_server.rules.errors import CodeRefused, TemplateRefused
from kho_server.rules.owner_id import MAX_CHARS as MAX_OWNER_CHARS
from kho_server.rules.owner_id import OwnerId
from kho_server.rules.reasons import Reason
from kho_server.rules.result_code import ResultCode
from kho_server.rules.result_type import ResultType

DEFAULT_TEMPLATE = "{owner}.{type}.{sequence}"
"""Owner, type, sequence: TT 01/2023/TT-VPCP art. 10. Its formula is published as an image, hence a template."""

FIELDS = ("owner", "type", "sequence")
MAX_SEQUENCE = 999_999_999_999
MAX_TEMPLATE_CHARS = 60

_FIELD = re.compile(r"\{([a-z_]{1,20})\}")
_LITERAL = re.compile(r"[0-9A-Z./_-]+")
# A separator ends a field because no field contains it right there: see _VALUES. A hyphen would not, owners have it.
_SEPARATORS = "./_"
_OWNER = re.compile(rf"[0-9A-Z-]{{1,{MAX_OWNER_CHARS}}}")
_VALUES = {
    "owner": _OWNER.pattern,
    "type": r"KQ\.[A-Z][0-9]{2}\.[0-9]{6}",
    "sequence": r"[1-9][0-9]{0,11}",
}


@dataclass(frozen=True, slots=True)
class CodeParts:
    """What a rendered code was made of; None for what its template leaves out or was empty."""

    owner_key: str | None
    type_key: str | None
    sequence: int


@dataclass(frozen=True, slots=True)
class ResultCodeTemplate:
    """A template such as {owner}.{type}.{sequence}.

    Every field appears at most once, {sequence} always; between two fields stands some text that begins with one
    of . / _ so that codes can be read back. An owner without an identifier leaves its field empty (TT 01/2023
    art. 10.2) together with the text between it and the next field, or the one before it when it stands last:
    KQ.G15.000031.7 and not .KQ.G15.000031.7, for a mark at the edge is lost in speech and in spreadsheets. The
    fixed shape of the type keeps the two forms apart.
    """

    text: str
    pieces: tuple[str, ...]
    """Literal, field, literal, field, ..., literal; literals may be empty at both ends."""

    @classmethod
    def parse(cls, text: str = DEFAULT_TEMPLATE) -> "ResultCodeTemplate":
        """Read a template from the configuration; raises TemplateRefused naming the field `result_code_template`."""
        if len(text) > MAX_TEMPLATE_CHARS:
            raise _refused(Reason.TEMPLATE_MALFORMED, position=MAX_TEMPLATE_CHARS + 1)
        pieces = tuple(_FIELD.split(text))
        names = pieces[1::2]
        position = 1
        for index, piece in enumerate(pieces):
            is_literal = index % 2 == 0
            if is_literal and (readable := _readable_chars(piece)) < len(piece):
                raise _refused(Reason.TEMPLATE_MALFORMED, position=position + readable)
            position += len(piece) + (0 if is_literal else 2)
        if any(name not in FIELDS for name in names):
            raise _refused(Reason.TEMPLATE_FIELD_UNKNOWN, known=", ".join(f"{{{name}}}" for name in FIELDS))
        if len(set(names)) != len(names):
            raise _refused(Reason.TEMPLATE_FIELD_REPEATED)
        if "sequence" not in names:
            raise _refused(Reason.TEMPLATE_WITHOUT_SEQUENCE)
        if any(not between.startswith(tuple(_SEPARATORS)) for between in pieces[2:-1:2]):
            raise _refused(Reason.TEMPLATE_FIELDS_TOUCH)
        return cls(text, pieces)

    def render(self, owner: OwnerId | None, result_type: ResultType, sequence: int) -> ResultCode:
        """Form the code of one result; raises CodeRefused with SEQUENCE_OUT_OF_RANGE or CODE_TOO_LONG.

        An owner id that holds other characters than A-Z, 0-9 and the hyphen is no registered identifier and
        is left out like a missing one. `sequence` counts from 1 within `series`.
        """
        if not 1 <= sequence <= MAX_SEQUENCE:
            raise CodeRefused("sequence", Reason.SEQUENCE_OUT_OF_RANGE, first=1, last=MAX_SEQUENCE)
        return ResultCode.parse(self._fill(owner, result_type, str(sequence)))

    def series(self, owner: OwnerId | None, result_type: ResultType) -> str:
        """Return the name of the counter from which the sequence must come so that no two codes are equal.

        It is the code with a star for the number; like the code it may hold an owner's identifier.
        """
        return self._fill(owner, result_type, "*")

    def read(self, code: ResultCode) -> CodeParts:
        """Take a code apart; raises CodeRefused with RESULT_CODE_NOT_OF_TEMPLATE when it was formed otherwise."""
        for pieces in (self.pieces, _without_owner(self.pieces)):
            match = _pattern(pieces).fullmatch(code.key)
            if match is not None:
                found = match.groupdict()
                return CodeParts(found.get("owner"), found.get("type"), int(found["sequence"]))
        raise CodeRefused("result_code", Reason.RESULT_CODE_NOT_OF_TEMPLATE, template=self.text)

    def _fill(self, owner: OwnerId | None, result_type: ResultType, sequence: str) -> str:
        owner_key = owner.key if owner is not None and _OWNER.fullmatch(owner.key) else None
        pieces = self.pieces if owner_key is not None else _without_owner(self.pieces)
        values = {"owner": owner_key or "", "type": result_type.key, "sequence": sequence}
        return "".join(values[piece] if index % 2 else piece for index, piece in enumerate(pieces))


def _readable_chars(literal: str) -> int:
    match = _LITERAL.match(literal)
    return match.end() if match is not None else 0


def _without_owner(pieces: tuple[str, ...]) -> tuple[str, ...]:
    if "owner" not in pieces[1::2]:
        return pieces
    at = pieces[1::2].index("owner") * 2 + 1
    is_last = at + 2 == len(pieces)
    # The literals around the owner become one: the one towards the neighbouring field goes with the owner.
    joined = pieces[at + 1] if is_last else pieces[at - 1]
    return (*pieces[: at - 1], joined, *pieces[at + 2 :])


def _pattern(pieces: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile(
        "".join(
            f"(?P<{piece}>{_VALUES[piece]})" if index % 2 else re.escape(piece) for index, piece in enumerate(pieces)
        )
    )


def _refused(reason: Reason, **facts: str | int) -> TemplateRefused:
    return TemplateRefused("result_code_template", reason, **facts)
