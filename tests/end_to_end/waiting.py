"""Waiting on conditions, never on time."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

T = TypeVar("T")
LOOK_EVERY_S = 0.02


async def until(look: Callable[[], Awaitable[T | None]], what: str, timeout_s: float = 20.0) -> T:
    """Look again and again until there is something true, and return it; AssertionError: it never came."""
    deadline = time.monotonic() + timeout_s
    while not (seen := await look()):
        assert time.monotonic() < deadline, f"{what} did not come within {timeout_s:g} s"
        await asyncio.sleep(LOOK_EVERY_S)
    return seen
