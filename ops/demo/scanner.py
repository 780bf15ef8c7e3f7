"""A scanner for machines without one: draws A4 sheets at 200 dpi as a one-stop desk's scanner gives them.

The same seed, paper and sheet give the same bytes (with the pinned versions). No page shows a real person.
"""

import asyncio
import io
import math
import random
from collections import deque
from collections.abc import AsyncGenerator, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from functools import lru_cache, partial

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from kho_station.typeface import Weight
from ops.demo.letters import advance, crooked_tile, tile, wrap
from ops.demo.marks import seal, signature
from ops.demo.papers import MOTTO, NATION, Paper, Scan, opening_lines, running_text

DPI = 200
WIDTH_PX, HEIGHT_PX = 1654, 2339
JPEG_BYTES = (200_000, 800_000)
TIFF_BYTES = (30_000, 80_000)

_LEFT, _RIGHT, _TOP, _BOTTOM = 236, 1536, 157, 2180  # margins of Decree 30/2020, annex I: 30, 15, 20, 20 mm
_BODY_PX, _LINE_PX = 37, 51  # 13 points, line and a third
_SMALL_PX = 33
_TEXTURES = 3
_SKEWS_DEGREES = (-0.8, -0.5, -0.3, -0.1, 0.1, 0.2, 0.4, 0.7)  # few, so that turned words are reused
_SLACK = 96  # a texture is larger than a page, so that no two pages show the same piece of it
_QUALITIES = (72, 60, 48, 86, 93)


@dataclass(frozen=True, slots=True)
class ScannedPage:
    """One sheet as the scanner hands it over; `number` counts from 1."""

    number: int
    media_type: str
    data: bytes = field(repr=False)


async def feed(paper: Paper, seed: int, executor: Executor, *, ahead: int = 3) -> AsyncGenerator[ScannedPage, None]:
    """Yield the sheets of a paper in order while later ones are still in the scanner.

    At most `ahead` sheets are drawn in advance; what was begun is given up when the caller stops early.
    """
    loop = asyncio.get_running_loop()
    begun: deque[asyncio.Future[ScannedPage]] = deque()
    numbers = iter(range(1, paper.sheets + 1))
    try:
        while True:
            while len(begun) < ahead and (number := next(numbers, None)) is not None:
                begun.append(loop.run_in_executor(executor, partial(scan_sheet, paper, number, seed)))
            if not begun:
                return
            yield await begun.popleft()
    finally:
        for sheet in begun:
            sheet.cancel()


def scan_sheet(paper: Paper, number: int, seed: int) -> ScannedPage:
    """Draw one sheet of a paper as an image file within the sizes of its kind; `number` counts from 1."""
    chance = random.Random(f"{seed}/{paper.title}/{paper.number}/{number}")  # noqa: S311 - not a secret
    sheet = _Sheet(chance)
    _write(sheet, paper, number, chance)
    match paper.scan:
        case Scan.COLOUR:
            data = _jpeg(sheet, chance)
        case Scan.BITONAL:
            data = _tiff(sheet, chance)
    return ScannedPage(number, paper.scan.value, data)


class _Sheet:
    """A sheet being written: black ink as one mask, coloured marks beside it, a little crooked."""

    def __init__(self, chance: random.Random) -> None:
        """Lay an empty sheet on the glass."""
        self.ink = Image.new("L", (WIDTH_PX, HEIGHT_PX))
        self.marks: list[tuple[Image.Image, tuple[int, int], tuple[int, int, int]]] = []
        self.skew_degrees = chance.choice(_SKEWS_DEGREES)
        self.shift = (chance.randint(-10, 10), chance.randint(-10, 10))
        skew = math.radians(self.skew_degrees)
        self.slope, self._cos, self._sin = math.tan(skew), math.cos(skew), math.sin(skew)

    def write(self, x: float, y: float, words: Sequence[str], size_px: int, *, weight: Weight, gap: float) -> None:
        """Write words from x on, y being the top of the line."""
        for word in words:
            width = advance(word, size_px, weight)
            letters = crooked_tile(word, size_px, weight, self.skew_degrees)
            self._put(letters, x + width / 2, y)
            x += width + gap

    def centred(
        self,
        x: int,
        y: int,
        text: str,
        size_px: int,
        *,
        weight: Weight = Weight.BOLD,
        is_italic: bool = False,
    ) -> int:
        """Write one line around x; return its width in pixels."""
        letters = crooked_tile(text, size_px, weight, self.skew_degrees, is_italic=is_italic)
        self._put(letters, x, y - (letters.height - tile(text, size_px, weight).height) / 2)
        return letters.width

    def rule(self, x: int, y: int, width_px: int) -> None:
        """Draw a line around x, as under the motto."""
        ends = [self._on_glass(x + side * width_px / 2, y) for side in (-1, 1)]
        ImageDraw.Draw(self.ink).line(ends, fill=255, width=3)

    def mark(self, mask: Image.Image, x: int, y: int, *, colour: tuple[int, int, int], turn_degrees: float) -> None:
        """Put a coloured mark around a point, turned clockwise on top of the skew."""
        turned = mask.rotate(-turn_degrees - self.skew_degrees, Image.Resampling.BILINEAR, expand=True)
        left, top = self._on_glass(x, y)
        self.marks.append((turned, (left - turned.width // 2, top - turned.height // 2), colour))

    def _put(self, letters: Image.Image, x: float, y: float) -> None:
        """Paste a turned tile; x is its middle, y its top on the straight sheet."""
        left, top = self._on_glass(x, y + letters.height / 2)
        self.ink.paste(255, (left - letters.width // 2, top - letters.height // 2), letters)

    def _on_glass(self, x: float, y: float) -> tuple[int, int]:
        """Return where a point of the sheet lies on the glass."""
        x, y = x - WIDTH_PX / 2, y - HEIGHT_PX / 2
        return (
            round(self._cos * x - self._sin * y + WIDTH_PX / 2 + self.shift[0]),
            round(self._sin * x + self._cos * y + HEIGHT_PX / 2 + self.shift[1]),
        )


def _write(sheet: _Sheet, paper: Paper, number: int, chance: random.Random) -> None:
    """Lay out one sheet: heading on the first, signature and seal on the last, text on all."""
    y, bottom = _TOP, _BOTTOM
    if number == 1:
        y = _heading(sheet, paper)
        for line in opening_lines(paper):
            y = _paragraph(sheet, line, y, bottom, chance)
    else:
        sheet.centred((_LEFT + _RIGHT) // 2, 92, str(number), _BODY_PX, weight=Weight.REGULAR)
    is_last = number == paper.sheets
    if is_last:
        bottom = max(y, min(bottom - 520, y + 15 * _LINE_PX))
    for sentence in running_text(chance):
        rows = len(wrap(sentence, _RIGHT - _LEFT, _BODY_PX, indent_px=80)) if is_last else 1
        if y + rows * _LINE_PX > bottom:
            break
        y = _paragraph(sheet, sentence, y, bottom, chance)
    if is_last:
        _closing(sheet, paper, min(y + 24, _BOTTOM - 480), chance)


def _heading(sheet: _Sheet, paper: Paper) -> int:
    """Write the national heading, the agency, number, place and date, and the title; return the next line."""
    left, right = 452, 1160
    sheet.centred(left, _TOP, paper.superior, _SMALL_PX, weight=Weight.REGULAR)
    wide = sheet.centred(left, _TOP + 44, paper.agency, _SMALL_PX)
    sheet.rule(left, _TOP + 92, wide // 2)
    sheet.centred(left, _TOP + 110, f"Số: {paper.number}", _SMALL_PX, weight=Weight.REGULAR)
    sheet.centred(right, _TOP, NATION, _SMALL_PX)
    wide = sheet.centred(right, _TOP + 44, MOTTO, 36)
    sheet.rule(right, _TOP + 92, wide)
    sheet.centred(right, _TOP + 110, paper.place_and_date, _SMALL_PX, weight=Weight.REGULAR, is_italic=True)
    if paper.code:
        sheet.centred(left, _TOP + 156, f"Mã kết quả: {paper.code}", 26, weight=Weight.REGULAR)
    middle = (_LEFT + _RIGHT) // 2
    sheet.centred(middle, _TOP + 224, paper.title, 48)
    sheet.centred(middle, _TOP + 288, paper.subject, _BODY_PX)
    sheet.rule(middle, _TOP + 342, 240)
    return _TOP + 380


def _paragraph(sheet: _Sheet, text: str, y: int, bottom: int, chance: random.Random) -> int:
    """Write a paragraph in full lines as far as the sheet reaches; return the next line."""
    lines = wrap(text, _RIGHT - _LEFT, _BODY_PX, indent_px=80)
    for row, words in enumerate(lines):
        if y + _LINE_PX > bottom:
            break
        indent = 80 if row == 0 else 0
        used = indent + sum(advance(word, _BODY_PX) for word in words)
        is_full = row < len(lines) - 1 and len(words) > 1
        gap = (_RIGHT - _LEFT - used) / (len(words) - 1) if is_full else advance(" ", _BODY_PX)
        sheet.write(_LEFT + indent, y, words, _BODY_PX, weight=Weight.REGULAR, gap=gap)
        y += _LINE_PX
    return y + chance.randint(6, 12)


def _closing(sheet: _Sheet, paper: Paper, y: int, chance: random.Random) -> None:
    """Write who receives and who signed; put the seal over the left third of the signature."""
    for row, text in enumerate(("Nơi nhận:", "- Như trên;", "- Bộ phận một cửa;", "- Lưu: VT, HS.")):
        weight = Weight.BOLD if row == 0 else Weight.REGULAR
        sheet.write(_LEFT, y + 36 * row, [text], 28 if row else 31, weight=weight, gap=0)
    x = 1200
    sheet.centred(x, y, paper.signer_title, _BODY_PX)
    sheet.centred(x, y + 330, "NGƯỜI KÝ MẪU", _BODY_PX)
    pen = signature(chance.randrange(1 << 30))
    sheet.mark(pen, x + 20, y + 200, colour=(28, 48, 150), turn_degrees=chance.uniform(-6, 6))
    # An agency has one seal: its wear does not change from sheet to sheet.
    stamp = seal(paper.agency, paper.superior, seed=len(paper.agency))
    place = (x - 150 + chance.randint(-20, 20), y + 190 + chance.randint(-20, 20))
    sheet.mark(stamp, *place, colour=(200, 28, 36), turn_degrees=chance.uniform(-14, 14))


def _jpeg(sheet: _Sheet, chance: random.Random) -> bytes:
    """Return the sheet in colour, within the sizes that desks' scanners give."""
    page = _texture(chance.randrange(_TEXTURES))
    left, top = chance.randint(0, _SLACK), chance.randint(0, _SLACK)
    page = page.crop((left, top, left + WIDTH_PX, top + HEIGHT_PX))
    page.paste((46, 44, 50), mask=sheet.ink)
    for mask, place, colour in sheet.marks:
        page.paste(colour, place, mask)
    _specks(page, chance, chance.randint(20, 70), (120, 112, 104))
    _shadow(page, sheet, (96, 96, 98))
    for quality in _QUALITIES:
        target = io.BytesIO()
        page.save(target, "JPEG", quality=quality, dpi=(DPI, DPI))
        if JPEG_BYTES[0] <= target.tell() <= JPEG_BYTES[1]:
            return target.getvalue()
    raise AssertionError("a drawn page fits no quality of the scanner")


def _tiff(sheet: _Sheet, chance: random.Random) -> bytes:
    """Return the sheet in black and white, TIFF Group 4 in one strip, within the usual sizes."""
    page = Image.new("L", (WIDTH_PX, HEIGHT_PX), 255)
    page.paste(0, mask=sheet.ink)
    for mask, place, _ in sheet.marks:
        page.paste(70, place, mask)
    # A threshold that differs from pixel to pixel frays the letters as a real scan does.
    left, top = chance.randint(0, _SLACK), chance.randint(0, _SLACK)
    threshold = _grain()[top : top + HEIGHT_PX, left : left + WIDTH_PX]
    bits = Image.fromarray(np.asarray(page) > threshold)
    _shadow(bits, sheet, 0)
    specks = 900
    for _ in range(6):
        dirty = bits.copy()
        _specks(dirty, random.Random(specks), specks, 0)  # noqa: S311 - not a secret
        target = io.BytesIO()
        dirty.save(target, "TIFF", compression="group4", strip_size=1 << 31, dpi=(DPI, DPI))
        size = target.tell()
        if size < TIFF_BYTES[0] + 1000:
            specks += (TIFF_BYTES[0] + 3000 - size) // 5
        elif size > TIFF_BYTES[1]:
            specks = max(0, specks - (size - TIFF_BYTES[1] + 3000) // 5)
        else:
            return target.getvalue()
    raise AssertionError("a drawn page fits no dirt of the glass")


def _specks(page: Image.Image, chance: random.Random, count: int, colour: int | tuple[int, int, int]) -> None:
    """Put dust on the glass."""
    draw = ImageDraw.Draw(page)
    dots = [(chance.randrange(WIDTH_PX), chance.randrange(HEIGHT_PX)) for _ in range(count)]
    draw.point(dots, fill=colour)
    for x, y in dots[: count // 12]:
        draw.rectangle((x, y, x + chance.randint(1, 2), y + chance.randint(1, 2)), fill=colour)


def _shadow(page: Image.Image, sheet: _Sheet, colour: int | tuple[int, int, int]) -> None:
    """Show the lid beside a crooked sheet: a thin dark wedge along one edge."""
    width = int(abs(sheet.slope) * HEIGHT_PX * 0.45) + 2
    edge = WIDTH_PX if sheet.shift[0] < 0 else 0
    top = (sheet.slope < 0) == (edge == 0)
    inner = edge - width if edge else width
    wedge = [(edge, 0), (edge, HEIGHT_PX), (edge if top else inner, HEIGHT_PX), (inner if top else edge, 0)]
    ImageDraw.Draw(page).polygon(wedge, fill=colour)


@lru_cache(maxsize=_TEXTURES)
def _texture(kind: int) -> Image.Image:
    """Return blank paper a little larger than a page: tint, uneven light, grain and a fold or two."""
    chance = np.random.default_rng(kind)
    width, height = WIDTH_PX + _SLACK, HEIGHT_PX + _SLACK
    tint = np.array([(250, 248, 241), (246, 243, 232), (243, 244, 245)][kind], np.float32)
    light = Image.fromarray(chance.normal(0, 2.4, (12, 9)).astype(np.float32))
    shade = np.asarray(light.resize((width, height), Image.Resampling.BICUBIC)).copy()
    piece = chance.normal(0, 2.3, (787, 811)).astype(np.float32)
    shade += np.tile(piece, (height // 787 + 1, width // 811 + 1))[:height, :width]
    rows = np.arange(height, dtype=np.float32)
    for fold in chance.permutation([height / 3, height / 2, height * 2 / 3])[: kind % 3]:
        distance = rows - fold - chance.uniform(-12, 12)
        bend = 9 * np.exp(-((distance / 5) ** 2)) - 13 * np.exp(-(((distance - 7) / 6) ** 2))
        shade += bend[:, None] * (0.8 + 0.4 * chance.random((1, width), dtype=np.float32))
    page = np.clip(shade[:, :, None] + tint, 0, 255).astype(np.uint8)
    return Image.fromarray(page)


@lru_cache(maxsize=1)
def _grain() -> NDArray[np.uint8]:
    """Return the grey level, pixel by pixel, above which the scanner sees white."""
    chance = np.random.default_rng(0)
    piece = chance.normal(120, 22, (787, 811))
    height, width = HEIGHT_PX + _SLACK, WIDTH_PX + _SLACK
    return np.tile(np.clip(piece, 20, 235).astype(np.uint8), (height // 787 + 1, width // 811 + 1))
