"""What a check found, one line each, named so that it can be looked for."""

from dataclasses import asdict, dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be; a note is allowed to be so and only said.

    `kind` is one of a few words, `name` says which thing (a digest, a path, a position), `detail` what is wrong. No
    codes, owners or texts of documents are in it.
    """

    kind: str
    name: str
    detail: str
    is_note: bool = False

    def json(self) -> dict[str, Any]:
        """Return this as JSON values."""
        return asdict(self)
