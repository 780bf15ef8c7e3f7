"""The rules that are data: TOML files packaged beside the code, each read once."""

import datetime
import tomllib
from collections.abc import Mapping
from functools import cache
from importlib import resources

from kho_server.rules.errors import RulesDataBroken


@cache
def packaged_rows(file: str, table: str) -> tuple[Mapping[str, object], ...]:
    """Return the rows of one array of tables; raises RulesDataBroken when the file has no such array."""
    source = resources.files("kho_server.rules").joinpath("data", file).read_text(encoding="utf-8")
    rows = tomllib.loads(source).get(table)
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        raise RulesDataBroken(f"{file}: expected [[{table}]] rows")
    return tuple(rows)


class Row:
    """One row under reading: typed access that names the row when a value is missing, wrong or left over."""

    def __init__(self, where: str, values: Mapping[str, object]) -> None:
        """Read `values`; `where` names file and row in errors."""
        self.where = where
        self._values = dict(values)

    def text(self, name: str, default: str | None = None) -> str:
        """Take a string."""
        value = self._values.pop(name, default)
        if not isinstance(value, str) or not value:
            raise self.broken(f"{name} must be a string that is not empty")
        return value

    def number(self, name: str) -> int:
        """Take a positive integer."""
        value = self._values.pop(name, None)
        if not isinstance(value, int) or isinstance(value, bool) or value < 1:
            raise self.broken(f"{name} must be a positive integer")
        return value

    def day(self, name: str) -> datetime.date | None:
        """Take a day written as a TOML local date, or None when the row has none."""
        value = self._values.pop(name, None)
        if value is None:
            return None
        if not isinstance(value, datetime.date) or isinstance(value, datetime.datetime):
            raise self.broken(f"{name} must be a day such as 2025-07-01")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of strings, which may be empty."""
        value = self._values.pop(name, None)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.broken(f"{name} must be a list of strings")
        return tuple(value)

    def end(self) -> None:
        """Refuse whatever nobody took: a misspelt name would otherwise be ignored for ever."""
        if self._values:
            raise self.broken(f"unknown names: {', '.join(sorted(self._values))}")

    def broken(self, why: str) -> RulesDataBroken:
        """Make the error for this row."""
        return RulesDataBroken(f"{self.where}: {why}")
