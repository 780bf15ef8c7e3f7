"""What people and programs see: plain lines in Vietnamese and English, tables on a terminal, or JSON."""

import json
import sys
from collections.abc import Mapping, Sequence
from typing import Any, Literal, TextIO

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, SpinnerColumn, TextColumn, TransferSpeedColumn
from rich.table import Table
from rich.text import Text as StyledText

from kho_client.errors import KhoError, Text

Language = Literal["vi", "en", "both"]
LANGUAGES: tuple[Language, ...] = ("vi", "en", "both")
JsonObject = Mapping[str, Any]


class Terminal:
    """Writes results to standard output, and everything else to standard error."""

    def __init__(self, *, is_json: bool, language: Language) -> None:
        """Take the streams as they are now."""
        self.is_json = is_json
        self.language = language
        for stream in (sys.stdout, sys.stderr):
            # Windows gives pipes a code page without Vietnamese letters.
            reconfigure = getattr(stream, "reconfigure", None)
            if reconfigure is not None:
                reconfigure(encoding="utf-8", errors="replace")
        self._out = _console(sys.stdout)
        self._err = _console(sys.stderr)

    def json_line(self, value: JsonObject) -> None:
        """Write one JSON object on one line."""
        print(json.dumps(value, ensure_ascii=False), flush=True)

    def line(self, text: str, style: str = "") -> None:
        """Write one line of a result for people."""
        self._out.print(StyledText(text, style=style))

    def facts(self, title: str, facts: Sequence[tuple[str, object]]) -> None:
        """Write names and values under a title; what is absent is shown as a dash."""
        self.line(title, "bold")
        width = max((len(name) for name, _ in facts), default=0)
        for name, value in facts:
            self._out.print(StyledText(f"  {name:<{width}}  ", style="dim"), StyledText(shown(value)), end="\n", sep="")

    def table(self, columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
        """Write a table; cells wrap on a terminal and stay whole in a pipe."""
        if not self._out.is_terminal:
            for row in (columns, *rows):
                print("\t".join(shown(cell) for cell in row), flush=True)
            return
        table = Table(box=None, header_style="bold", pad_edge=False)
        for number, column in enumerate(columns):
            # The first column names the row: people copy it, so it must stay in one piece.
            table.add_column(column, overflow="fold", no_wrap=number == 0)
        for row in rows:
            table.add_row(*(StyledText(shown(cell)) for cell in row))
        self._out.print(table)

    def say(self, text: Text, style: str = "") -> None:
        """Write a message in the chosen language or both, as part of the result."""
        for line in self._lines(text):
            self._out.print(StyledText(line, style=style))

    def hint(self, text: Text) -> None:
        """Write what to do next, to standard error; nothing with JSON."""
        if not self.is_json:
            for line in self._lines(text):
                self._err.print(StyledText(line, style="dim"))

    def error(self, error: KhoError) -> None:
        """Write an error to standard error: one line in each language, or JSON in its fixed shape."""
        if self.is_json:
            print(json.dumps(error_json(error), ensure_ascii=False), file=sys.stderr, flush=True)
            return
        facts = [error.reason or error.code]
        if error.request_id:
            facts.append(f"request {error.request_id}")
        lines = self._lines(Text(f"Lỗi: {error.message_vi}", f"Error: {error.message_en}"))
        lines[-1] += f" [{', '.join(facts)}]"
        for line in lines:
            self._err.print(StyledText(line, style="red"))

    def progress(self) -> Progress:
        """Return a progress display on standard error; it stays silent when nobody watches."""
        return Progress(
            SpinnerColumn(),
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            console=self._err,
            transient=True,
            disable=self.is_json or not self._err.is_terminal,
        )

    def _lines(self, text: Text) -> list[str]:
        if self.language == "both" and text.vi != text.en:
            return [text.vi, text.en]
        return [text.en if self.language == "en" else text.vi]


def error_json(error: KhoError) -> JsonObject:
    """Return an error in the shape that programs rely on; absent values are null."""
    return {
        "error": {
            "code": error.code,
            "reason": error.reason,
            "message": {"vi": error.message_vi, "en": error.message_en},
            "retryable": error.retryable,
            "retry_after_s": error.retry_after_s,
            "metadata": error.metadata,
            "request_id": error.request_id,
        }
    }


def shown(value: object) -> str:
    """Return a value as a person reads it."""
    if value is None or value == "":
        return "–"
    if isinstance(value, bool):
        return "có / yes" if value else "không / no"
    if isinstance(value, list | tuple):
        return ", ".join(shown(item) for item in value) or "–"
    return str(value)


def language_of(word: str | None) -> Language:
    """Return the language that a setting names; anything unknown means both."""
    return word if word in LANGUAGES else "both"


def _console(stream: TextIO) -> Console:
    # In a pipe a line must stay a line: width is that of nobody's screen.
    return Console(file=stream, highlight=False, soft_wrap=True)
