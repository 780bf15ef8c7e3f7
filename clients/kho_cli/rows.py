"""Reads registrations from a file: CSV with a header line, or JSON lines."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kho_client.connection import file_unreadable
from kho_client.errors import LocalProblem, Text, local_problem

LARGEST_FILE_BYTES = 64 * 1024 * 1024
"""A province has some thousand agencies; a larger file is a mistake."""


@dataclass(frozen=True, slots=True)
class Row:
    """One registration; `line` counts from 1 as an editor does, values are stripped texts."""

    path: Path
    line: int
    values: Mapping[str, str]

    def get(self, name: str) -> str:
        """Return a value, empty if it is absent."""
        return self.values.get(name, "")

    def required(self, name: str) -> str:
        """Return a value; LocalProblem ROW_MALFORMED if it is absent."""
        value = self.get(name)
        if not value:
            raise self.refused(f"thiếu cột {name!r}", f"{name!r} is missing")
        return value

    def several(self, name: str) -> list[str]:
        """Return the texts between semicolons."""
        return [text for text in (part.strip() for part in self.get(name).split(";")) if text]

    def refused(self, vi: str, en: str) -> LocalProblem:
        """Return the error that names this line."""
        text = Text(f"{self.path}, dòng {self.line}: {vi}.", f"{self.path}, line {self.line}: {en}.")
        return local_problem("ROW_MALFORMED", text, file=str(self.path), line=str(self.line))


def read_rows(path: Path, columns: frozenset[str]) -> list[Row]:
    """Read all rows; LocalProblem FILE_UNREADABLE, FILE_TOO_LARGE or ROW_MALFORMED for an unknown column."""
    try:
        if path.stat().st_size > LARGEST_FILE_BYTES:
            raise local_problem(
                "FILE_TOO_LARGE",
                Text(f"Tệp {path} quá lớn; hãy chia nhỏ.", f"The file {path} is too large; split it."),
                file=str(path),
            )
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise file_unreadable(path, error) from error
    except UnicodeDecodeError as error:
        raise local_problem(
            "FILE_UNREADABLE",
            Text(f"Tệp {path} không phải UTF-8.", f"The file {path} is not UTF-8."),
            file=str(path),
        ) from error
    rows = list(_json_rows(path, text) if path.suffix.lower() == ".jsonl" else _csv_rows(path, text))
    for row in rows:
        unknown = sorted(set(row.values) - columns)
        if unknown:
            known = ", ".join(sorted(columns))
            raise row.refused(
                f"không hiểu cột {unknown[0]!r} (có: {known})", f"unknown column {unknown[0]!r} ({known})"
            )
    return rows


def _csv_rows(path: Path, text: str) -> Iterator[Row]:
    reader = csv.DictReader(text.splitlines(), restkey="", strict=True)
    try:
        for values in reader:
            row = {str(name).strip(): str(value or "").strip() for name, value in values.items()}
            yield Row(path, reader.line_num, row)
    except csv.Error as error:
        raise Row(path, reader.line_num, {}).refused(f"CSV không đọc được ({error})", f"CSV: {error}") from error


def _json_rows(path: Path, text: str) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise Row(path, number, {}).refused("không phải JSON", f"not JSON ({error})") from error
        if not isinstance(value, dict):
            raise Row(path, number, {}).refused("không phải đối tượng JSON", "not a JSON object")
        yield Row(path, number, {str(name): _text(item) for name, item in value.items()})


def _text(value: object) -> str:
    if isinstance(value, list):
        return ";".join(_text(item) for item in value)
    return "" if value is None else str(value).strip()
