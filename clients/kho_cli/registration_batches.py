"""Splits a long registration into calls that the server takes."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

# The server takes 500 lines; a principal carries a certificate of about 2 KB, and a message is 1 MiB at most.
BATCH_LINES = 200

_T = TypeVar("_T")


def in_batches(items: Sequence[_T]) -> Iterator[Sequence[_T]]:
    """Yield slices in order."""
    for start in range(0, len(items), BATCH_LINES):
        yield items[start : start + BATCH_LINES]
