"""SQL statements, each in a named section of a `.sql` file beside the module that runs it."""

import re
from functools import cache
from importlib import resources

_SECTION = re.compile(r"^-- name: ([a-z][a-z0-9_]*)$", re.MULTILINE)


@cache
def statements(file: str) -> dict[str, str]:
    """Return the named statements of `sql/FILE.sql`; a name twice is a ValueError."""
    text = resources.files("kho_storage.catalog").joinpath("sql", f"{file}.sql").read_text("utf-8")
    pieces = _SECTION.split(text)
    found: dict[str, str] = {}
    for name, body in zip(pieces[1::2], pieces[2::2], strict=True):
        if name in found:
            raise ValueError(f"{file}.sql names {name} twice")
        found[name] = body.strip()
    return found
