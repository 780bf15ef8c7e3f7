"""What people put on paper by hand: the round red seal and a pen's signature, as masks of ink."""

import math
import random
from functools import lru_cache

import numpy as np
from PIL import Image, ImageDraw

from kho_station.typeface import Weight
from ops.demo.letters import font, tile

SEAL_PX = 290  # 36.8 mm at 200 dpi; agencies' seals are 36 mm (Circular 21/2012/TT-BCA)
_OVERSAMPLING = 2


@lru_cache(maxsize=32)
def seal(agency: str, superior: str, seed: int) -> Image.Image:
    """Return the mask of a round seal with the agency's name along the rim, worn as stamps are."""
    side = SEAL_PX * _OVERSAMPLING
    centre = side / 2
    image = Image.new("L", (side, side))
    draw = ImageDraw.Draw(image)
    for inset, width in ((4, 9), (20, 3), (132, 4)):
        draw.ellipse((inset, inset, side - inset, side - inset), outline=255, width=width)
    points = [
        (
            centre + (72 if corner % 2 == 0 else 28) * math.sin(corner * math.pi / 5),
            centre - 28 - (72 if corner % 2 == 0 else 28) * math.cos(corner * math.pi / 5),
        )
        for corner in range(10)
    ]
    draw.polygon(points, fill=255)
    _along_rim(image, superior or "KHO DỮ LIỆU MẪU", radius=centre - 66, size_px=52, is_top=True)
    _along_rim(image, "* MẪU *", radius=centre - 66, size_px=46, is_top=False)
    words = agency.split()
    half = (len(words) + 1) // 2
    for row, text in enumerate((" ".join(words[:half]), " ".join(words[half:]))):
        letters = tile(text, 34, Weight.BOLD)
        if letters.width > side - 320:
            letters = letters.resize((side - 320, letters.height))
        image.paste(letters, (int(centre - letters.width / 2), int(centre + 48 + 36 * row)), letters)
    image = image.reduce(_OVERSAMPLING)
    noise = np.random.default_rng(seed).random((SEAL_PX // 5, SEAL_PX // 5))
    wear = Image.fromarray((150 + 105 * noise).astype(np.uint8)).resize(image.size, Image.Resampling.BICUBIC)
    worn = np.asarray(image, np.uint16) * np.asarray(wear, np.uint16) // 255
    return Image.fromarray(worn.astype(np.uint8))


def signature(seed: int) -> Image.Image:
    """Return the mask of a signature: a few fast loops and a stroke under them, of nobody's name."""
    pen = random.Random(seed)  # noqa: S311 - a drawing, not a secret
    width, height = 420 * _OVERSAMPLING, 170 * _OVERSAMPLING
    image = Image.new("L", (width, height))
    draw = ImageDraw.Draw(image)
    loops = pen.randint(4, 6)
    at = (width * 0.1, height * 0.6)
    strokes: list[tuple[tuple[float, float], ...]] = []
    for loop in range(loops):
        end = (width * (0.12 + 0.7 * (loop + 1) / loops), height * pen.uniform(0.4, 0.7))
        reach = height * pen.uniform(0.25, 0.75)
        leave = (at[0] + width * 0.12, at[1] - reach)
        arrive = (end[0] - width * 0.16, end[1] + reach / 2)
        strokes.append((at, leave, arrive, end))
        at = end
    strokes.append(
        (
            at,
            (width * 0.95, height * 0.2),
            (width * 0.1, height * 1.05),
            (width * pen.uniform(0.8, 0.95), height * 0.78),
        )
    )
    for p0, p1, p2, p3 in strokes:
        for step in range(240):
            t = step / 240
            a, b, c, d = (1 - t) ** 3, 3 * t * (1 - t) ** 2, 3 * t * t * (1 - t), t**3
            x = a * p0[0] + b * p1[0] + c * p2[0] + d * p3[0]
            y = a * p0[1] + b * p1[1] + c * p2[1] + d * p3[1]
            thick = 2.2 + 2.2 * math.sin(math.pi * t)
            draw.ellipse((x - thick, y - thick, x + thick, y + thick), fill=235)
    return image.reduce(_OVERSAMPLING)


def _along_rim(image: Image.Image, text: str, *, radius: float, size_px: int, is_top: bool) -> None:
    """Write a text along a circle, over the top or under the bottom, pressed together when it is long."""
    face = font(size_px, Weight.BOLD)
    centre = image.width / 2
    angles = [face.getlength(letter) * 1.06 / radius for letter in text]
    room = math.pi * (1.25 if is_top else 0.5)
    press = min(1.0, room / sum(angles))
    at = -sum(angles) * press / 2
    for letter, angle in zip(text, angles, strict=True):
        middle = at + angle * press / 2
        at += angle * press
        glyph = tile(letter, size_px, Weight.BOLD)
        glyph = glyph.resize((max(1, int(glyph.width * press)), glyph.height))
        turn = -math.degrees(middle) if is_top else math.degrees(middle)
        turned = glyph.rotate(turn, Image.Resampling.BICUBIC, expand=True)
        x = centre + radius * math.sin(middle)
        y = centre - radius * math.cos(middle) if is_top else centre + radius * math.cos(middle)
        image.paste(255, (int(x - turned.width / 2), int(y - turned.height / 2)), turned)
