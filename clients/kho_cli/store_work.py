"""What the commands have in common that work on a store where it lies: on the server's own machine."""

from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from kho_cli.server_extra import server_is_missing
from kho_cli.terminal import Terminal
from kho_client.errors import KhoError, Text

T = TypeVar("T")
_SHOWN = 50


@contextmanager
def store_errors(vietnamese: str, english: str) -> Iterator[None]:
    """Turn what stands in the way into one error with exit status 1; LocalProblem when the server is not installed."""
    try:
        yield
    except ImportError as error:
        raise server_is_missing(error) from error
    except Exception as error:
        if isinstance(error, KhoError) or not _is_expected(error):
            raise
        text = Text(f"{vietnamese}: {error}", f"{english}: {error}")
        raise KhoError("FAILED_PRECONDITION", "STORE_NOT_KEPT", text) from error


async def store_work(vietnamese: str, english: str, work: Callable[[], Awaitable[T]]) -> T:
    """Do it with `store_errors`; imports of the server belong into `work`."""
    with store_errors(vietnamese, english):
        return await work()


def show_findings(terminal: Terminal, findings: Sequence[Any], style: str) -> None:
    """Write findings, one line each, the first of many."""
    for finding in findings[:_SHOWN]:
        terminal.line(f"{finding.kind}\t{finding.name}\t{finding.detail}", style)
    if len(findings) > _SHOWN:
        terminal.line(f"… {len(findings) - _SHOWN} nữa / more (--json: tất cả / all)", style)


def _is_expected(error: Exception) -> bool:
    """Tell whether these are words for people: errors of keeping and of storage, and of files."""
    from kho_server.keeping.errors import KeepingFailed  # noqa: PLC0415 - the server may not be installed
    from kho_storage.errors import StorageError  # noqa: PLC0415

    return isinstance(error, (KeepingFailed, StorageError, OSError))
