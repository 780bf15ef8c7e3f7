"""A file told as what is new in it and where the rest stands in pages that were already sent.

A PDF made losslessly of scanned pages carries their compressed bytes word for word; signing appends to it.
So a recipe sends the frame and the signatures, a few per cent of the file, and points to the pages for the
rest. The receiver puts the file together and checks its SHA-256: a recipe can be wasteful, never wrong.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

MIN_COPY_BYTES = 256
"""A shorter match is sent inline: naming it costs a good part of what it would save."""

_PROBE_BYTES = 64
_PROBE_DISTINCT = 12  # white paper is long runs of one byte: such a probe matches everywhere
_PROBE_SHIFTS = 24
_BLOCK_BYTES = 1 << 16
_NEAR_TURNS = 3  # a probe can lie across the seam of two strips
_FAR_TURNS = 4
_MAX_DEPTH = 12
_UNIT = 1_000_000
_GOLDEN = 618_034  # steps of the golden section spread evenly and avoid the seams of strips of equal size
_MIN_RANGE_BYTES = 4096
_SCAN_FACTOR = 24  # bytes searched per byte of output, at most
_NEAR_BYTES = 1 << 16
_CALL_COST = 1 << 14  # a search of a short stretch costs its call: without this, many gaps times many pages


@dataclass(frozen=True, slots=True)
class SentPage:
    """A page whose bytes the server already holds; `number` counts from 1 within the document."""

    number: int
    digest: str
    data: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Inline:
    """Bytes that stand in no page; `offset` is where they go in the output. Never empty."""

    offset: int
    data: bytes = field(repr=False)

    @property
    def length(self) -> int:
        """Return how many bytes of the output this segment gives."""
        return len(self.data)


@dataclass(frozen=True, slots=True)
class Copy:
    """`length` bytes of page `page_number`, from `page_offset` there to `offset` in the output."""

    offset: int
    page_number: int
    page_offset: int
    length: int


Segment = Inline | Copy


@dataclass(frozen=True, slots=True)
class Recipe:
    """Segments in the order of the output; together they cover each of its bytes exactly once."""

    size_bytes: int
    segments: tuple[Segment, ...]

    @property
    def inline_bytes(self) -> int:
        """Return how many bytes must travel, without the cost of naming the segments."""
        return sum(segment.length for segment in self.segments if isinstance(segment, Inline))


def make_recipe(output: bytes, pages: Sequence[SentPage]) -> Recipe:
    """Find the pages inside a file and tell the file as segments.

    Time is bounded by a fixed multiple of the bytes given, whatever they are; what is not found within it
    is sent inline. Pages that stand in the file in their own order are found at once.
    """
    search = _Search(output)
    rest: list[_Range] = []
    # The cheap look around the place where the next page is due comes first for all pages: one page that is
    # not in the file must not use up the search for those that are.
    for page in pages:
        rest += search.look_near(page)
    search.refill()
    for turn in range(_FAR_TURNS):
        rest = [part for tried in rest for part in search.look_far(tried, turn)]
    return Recipe(len(output), tuple(search.segments()))


def apply_recipe(recipe: Recipe, pages: Mapping[int, bytes]) -> bytes:
    """Put the file together from its recipe and the pages by number.

    Raises KeyError for a page that is not given, ValueError when a segment does not fit its page or place.
    """
    parts: list[bytes] = []
    at = 0
    for segment in recipe.segments:
        if segment.offset != at:
            raise ValueError(f"the recipe leaves a gap or overlaps at byte {at}")
        if isinstance(segment, Inline):
            parts.append(segment.data)
        else:
            end = segment.page_offset + segment.length
            page = pages[segment.page_number]
            if segment.page_offset < 0 or segment.length < 1 or end > len(page):
                raise ValueError(f"the recipe asks for bytes that page {segment.page_number} does not have")
            parts.append(page[segment.page_offset : end])
        at += segment.length
    if at != recipe.size_bytes:
        raise ValueError(f"the recipe gives {at} bytes of {recipe.size_bytes}")
    return b"".join(parts)


@dataclass(frozen=True, slots=True)
class _Range:
    """The part of a page that has no place in the output yet."""

    page: SentPage
    low: int
    high: int


class _Search:
    """Places found so far, in the order of the output and without overlap."""

    def __init__(self, output: bytes) -> None:
        """Begin with an output of which nothing is known."""
        self._output = output
        self._starts: list[int] = []
        self._copies: list[Copy] = []
        self._cursor = 0
        self._budget = 0
        self.refill()

    def refill(self) -> None:
        """Grant as many searched bytes as one stage of the search may cost."""
        self._budget = _SCAN_FACTOR * len(self._output)

    def look_near(self, page: SentPage) -> list[_Range]:
        """Look for a page, and then for its pieces, beside what was found last; return what has no place."""
        whole = _Range(page, 0, len(page.data))
        waiting = [(whole, self._cursor, self._cursor + _reach(whole), 0)]
        rest: list[_Range] = []
        while waiting:
            part, start, end, depth = waiting.pop()
            copy = None
            for turn in range(_NEAR_TURNS if depth <= _MAX_DEPTH else 0):
                copy = copy or self._place(part, turn, ((start, end),))
            if copy is None:
                rest.append(part)
                continue
            # What stands before and after the match may be close by: the strips of a TIFF are.
            left, right = _around(part, copy)
            after = copy.offset + copy.length
            waiting += [(piece, copy.offset - _reach(piece), copy.offset, depth + 1) for piece in left]
            waiting += [(piece, after, after + _reach(piece), depth + 1) for piece in right]
        return rest

    def look_far(self, part: _Range, turn: int) -> list[_Range]:
        """Look for a piece of a page wherever nothing has been found yet; return what has no place."""
        copy = self._place(part, turn, self._open_stretches())
        if copy is None:
            return [part]
        left, right = _around(part, copy)
        return left + right

    def segments(self) -> Iterator[Segment]:
        """Yield the places in order and, between them, what must be sent."""
        at = 0
        for copy in self._copies:
            if at < copy.offset:
                yield Inline(at, self._output[at : copy.offset])
            yield copy
            at = copy.offset + copy.length
        if at < len(self._output):
            yield Inline(at, self._output[at:])

    def _place(self, part: _Range, turn: int, stretches: Iterable[tuple[int, int]]) -> Copy | None:
        """Find a probe within stretches of the output, grow the match both ways, and keep it."""
        data, output = part.page.data, self._output
        probe = _probe_of(part, turn)
        if probe is None:
            return None
        at = self._find(data[probe : probe + _PROBE_BYTES], stretches)
        floor, ceiling = self._gap_around(at)
        if at < 0 or at + _PROBE_BYTES > ceiling:
            return None
        before = _shared_before(output, at, data, probe, limit=min(at - floor, probe - part.low))
        after = _shared_after(output, at, data, probe, limit=min(ceiling - at, part.high - probe))
        if before + after < MIN_COPY_BYTES:
            return None
        copy = Copy(at - before, part.page.number, probe - before, before + after)
        where = bisect_left(self._starts, copy.offset)
        self._starts.insert(where, copy.offset)
        self._copies.insert(where, copy)
        self._cursor = max(self._cursor, copy.offset + copy.length)
        return copy

    def _find(self, needle: bytes, stretches: Iterable[tuple[int, int]]) -> int:
        """Look for bytes in stretches as far as the budget reaches; -1 when not found."""
        for low, high in stretches:
            start = max(0, low)
            end = min(len(self._output), high, start + self._budget)
            if end - start < _PROBE_BYTES:
                continue
            at = self._output.find(needle, start, end)
            self._budget -= (end if at < 0 else at) - start + _CALL_COST
            if at >= 0 or self._budget <= 0:
                return at
        return -1

    def _open_stretches(self) -> Iterator[tuple[int, int]]:
        """Yield the stretches of the output that are long enough to hold a match."""
        at = 0
        for copy in self._copies:
            if copy.offset - at >= MIN_COPY_BYTES:
                yield at, copy.offset
            at = copy.offset + copy.length
        yield at, len(self._output)

    def _gap_around(self, at: int) -> tuple[int, int]:
        """Return the open stretch of the output around a byte; it is empty when the byte is taken."""
        where = bisect_right(self._starts, at)
        floor = 0
        if where:
            previous = self._copies[where - 1]
            floor = previous.offset + previous.length
        if floor > at:
            return at, at
        return floor, self._starts[where] if where < len(self._starts) else len(self._output)


def _reach(part: _Range) -> int:
    """Return how far from its due place a piece is looked for."""
    return 2 * (part.high - part.low) + _NEAR_BYTES


def _around(part: _Range, copy: Copy) -> tuple[list[_Range], list[_Range]]:
    """Return what is left of a range before and after a match, as far as it is worth a search."""
    left = _Range(part.page, part.low, copy.page_offset)
    right = _Range(part.page, copy.page_offset + copy.length, part.high)
    pieces = [[piece] if piece.high - piece.low >= _MIN_RANGE_BYTES else [] for piece in (left, right)]
    return pieces[0], pieces[1]


def _probe_of(part: _Range, turn: int) -> int | None:
    """Return where a telling probe stands in a range, or None; each turn tries a place far from the others."""
    room = part.high - part.low - _PROBE_BYTES
    if room < 0:
        return None
    first = part.low + room * ((turn + 1) * _GOLDEN % _UNIT) // _UNIT
    for shift in range(_PROBE_SHIFTS):
        at = first + shift * _PROBE_BYTES
        if at + _PROBE_BYTES > part.high:
            return None
        if len(set(part.page.data[at : at + _PROBE_BYTES])) >= _PROBE_DISTINCT:
            return at
    return None


def _shared_after(a: bytes, a_at: int, b: bytes, b_at: int, *, limit: int) -> int:
    """Return how many bytes two texts share going forward, at most `limit`."""
    shared, block = 0, _BLOCK_BYTES
    while shared < limit and block:
        size = min(block, limit - shared)
        if a.startswith(b[b_at + shared : b_at + shared + size], a_at + shared):
            shared += size
        else:
            block = size // 2
    return shared


def _shared_before(a: bytes, a_at: int, b: bytes, b_at: int, *, limit: int) -> int:
    """Return how many bytes two texts share going backward, at most `limit`."""
    shared, block = 0, _BLOCK_BYTES
    while shared < limit and block:
        size = min(block, limit - shared)
        if a.endswith(b[b_at - shared - size : b_at - shared], 0, a_at - shared):
            shared += size
        else:
            block = size // 2
    return shared
