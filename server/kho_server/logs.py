"""JSON lines on standard error: one object a line, with the request id that the client also sees.

A line holds `time`, `level`, `logger`, `message`, `request_id` and the facts handed over as `extra={"facts": {...}}`.
Facts name methods, reasons, ids of principals and agencies: never codes, names or content.
"""

import json
import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import TextIO

LEVELS = ("debug", "info", "warning", "error")
_LINE_CHARS = 16_384
_CAUSES = 5
_FRAMES = 30
_OUR_PACKAGES = ("kho_server", "kho_storage")

# Libraries that say at INFO what nobody operates by; their warnings stay.
_QUIET = ("asyncio", "grpc", "grpc._cython", "pyhanko", "pyhanko_certvalidator", "fontTools", "PIL")

request_id: ContextVar[str | None] = ContextVar("kho_request_id", default=None)


class JsonLines(logging.Formatter):
    """Writes a record as one line of JSON."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line, without its end."""
        line: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        current = request_id.get()
        if current is not None:
            line["request_id"] = current
        facts = getattr(record, "facts", None)
        if isinstance(facts, dict):
            line |= facts
        if record.exc_info:
            error = record.exc_info[1]
            line["traceback"] = traceback_of(error, with_words=record.levelno <= logging.DEBUG) if error else None
        return json.dumps(line, ensure_ascii=False, default=str)


def traceback_of(error: BaseException, *, with_words: bool = False) -> str:
    """Return where an error and its causes came from: frames and classes, and the words of our own errors alone.

    The words of a driver or parser repeat what it was given ("Key (owner_key)=(...) already exists"), and that may be
    personal data.
    """
    parts: list[str] = []
    current: BaseException | None = error
    for _ in range(_CAUSES):
        if current is None:
            break
        kind = type(current)
        is_ours = kind.__module__.partition(".")[0] in _OUR_PACKAGES
        words = f": {current}" if is_ours or with_words else ""
        frames = "".join(traceback.format_list(traceback.extract_tb(current.__traceback__, limit=-_FRAMES)))
        parts.append(f"{frames}{kind.__module__}.{kind.__qualname__}{words}")
        current = current.__cause__ or (None if current.__suppress_context__ else current.__context__)
    return "\nbecause of\n".join(parts)[:_LINE_CHARS]


@contextmanager
def json_logs(level: str, stream: TextIO | None = None) -> Iterator[None]:
    """Send all logs of the process as JSON lines to a stream (None: standard error) while the block runs."""
    root = logging.getLogger()
    earlier, earlier_level = list(root.handlers), root.level
    earlier_levels = {name: logging.getLogger(name).level for name in _QUIET}
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(JsonLines())
    root.handlers = [handler]
    root.setLevel(level.upper())
    for name in _QUIET:
        logging.getLogger(name).setLevel(max(logging.WARNING, root.level))
    logging.captureWarnings(capture=True)
    try:
        yield
    finally:
        logging.captureWarnings(capture=False)
        for name, was in earlier_levels.items():
            logging.getLogger(name).setLevel(was)
        root.handlers = earlier
        root.setLevel(earlier_level)
