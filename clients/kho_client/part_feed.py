"""Parts in the order they are sent, while later pages may still be in the scanner."""

import asyncio
from collections.abc import AsyncIterator, Iterable

from kho_client.errors import Text, local_problem
from kho_client.parts import Part, PartName


class PartFeed:
    """Remembers parts, because a broken link may need them again, and fetches the next one ahead of time.

    One part is fetched ahead and no more, so that a fast scanner waits for a slow link and not in memory.
    """

    def __init__(self, parts: AsyncIterator[Part]) -> None:
        """Take parts from an iterator; it is read once, whatever happens to the link."""
        self._source = parts
        self._known: list[Part] = []
        self._next: asyncio.Task[Part | None] | None = None
        self._is_at_end = False

    @property
    def known(self) -> tuple[Part, ...]:
        """Parts that have come so far."""
        return tuple(self._known)

    def has(self, index: int) -> bool:
        """Tell whether asking for a part would not wait: it is known, ready, or the end is."""
        return index < len(self._known) or self._is_at_end or (self._next is not None and self._next.done())

    async def part(self, index: int) -> Part | None:
        """Return a part by its place, from 0; None after the last one. Errors of the source are raised here."""
        while index >= len(self._known) and not self._is_at_end:
            if self._next is None:
                self._next = asyncio.create_task(self._fetch())
            # A broken link cancels who waits here; the scanner must not notice.
            part = await asyncio.shield(self._next)
            self._next = None
            if part is None:
                self._is_at_end = True
            else:
                self._known.append(part)
                self._next = asyncio.create_task(self._fetch())
        return self._known[index] if index < len(self._known) else None

    async def ready(self, index: int) -> None:
        """Wait until asking for a part would not wait, without taking it."""
        if not self.has(index):
            if self._next is None:
                self._next = asyncio.create_task(self._fetch())
            await asyncio.wait({self._next})

    async def rest(self) -> tuple[Part, ...]:
        """Wait for all parts."""
        while await self.part(len(self._known)) is not None:
            pass
        return self.known

    async def close(self) -> None:
        """Stop fetching."""
        if self._next is not None:
            self._next.cancel()
            await asyncio.wait({self._next})
            if not self._next.cancelled():
                self._next.exception()
            self._next = None

    async def _fetch(self) -> Part | None:
        return await anext(self._source, None)


def require_count(parts: Iterable[Part], declared: set[PartName]) -> None:
    """Refuse to seal other parts than were declared; LocalProblem PAGES_MISSING or PAGES_UNEXPECTED."""
    names = {part.name for part in parts}
    missing, unexpected = len(declared - names), len(names - declared)
    if missing:
        raise local_problem(
            "PAGES_MISSING",
            Text(
                f"Còn thiếu {missing} trang hoặc tệp so với số đã khai. Hãy quét đủ rồi gửi lại cùng mã tài liệu.",
                f"{missing} of the declared pages or files did not come. Scan them and send the same document again.",
            ),
            missing_count=str(missing),
        )
    if unexpected:
        raise local_problem(
            "PAGES_UNEXPECTED",
            Text(
                f"Có thừa {unexpected} trang so với số đã khai. Hãy khai lại số trang.",
                f"{unexpected} pages more than declared came. Declare the right number of pages.",
            ),
            unexpected_count=str(unexpected),
        )
