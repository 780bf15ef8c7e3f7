"""A recipe gives the file back whatever the pages; on scans made into a PDF it costs a few per cent."""

import hashlib
import io
import random
import time
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from kho_client.recipe import Copy, Inline, Recipe, SentPage, apply_recipe, make_recipe
from kho_station.assembly import assemble_pdf


def _sent(pages: Sequence[bytes]) -> list[SentPage]:
    return [SentPage(number, hashlib.sha256(data).hexdigest(), data) for number, data in enumerate(pages, start=1)]


def _recipe(output: bytes, pages: Sequence[bytes]) -> Recipe:
    """Make a recipe and hold it to its promises."""
    recipe = make_recipe(output, _sent(pages))
    assert apply_recipe(recipe, dict(enumerate(pages, start=1))) == output
    at = 0
    for segment in recipe.segments:
        assert segment.offset == at
        assert segment.length > 0
        at += segment.length
    assert at == recipe.size_bytes == len(output)
    assert not any(
        isinstance(left, Inline) and isinstance(right, Inline)
        for left, right in zip(recipe.segments, recipe.segments[1:], strict=False)
    )
    return recipe


seeds = st.integers(0, 3)
pieces = st.one_of(
    st.binary(max_size=200),
    st.builds(lambda seed, size: random.Random(seed).randbytes(size), seeds, st.integers(0, 9000)),
    st.builds(lambda byte, size: bytes([byte]) * size, st.integers(0, 255), st.integers(0, 6000)),
    st.builds(lambda unit, times: unit * times, st.binary(min_size=1, max_size=80), st.integers(0, 200)),
)
pages_of = st.lists(st.builds(b"".join, st.lists(pieces, max_size=4)), max_size=5)


@given(pages_of, st.data())
def test_the_file_comes_back_whatever_the_pages(pages: list[bytes], data: st.DataObject) -> None:
    cut = st.builds(
        lambda page, low, high: page[low:high],
        st.sampled_from(pages) if pages else st.just(b""),
        st.integers(0, 9000),
        st.integers(0, 12000),
    )
    output = b"".join(data.draw(st.lists(st.one_of(cut, pieces), max_size=8)))
    _recipe(output, pages)


def _scan(seed: int, kind: str) -> bytes:
    noise = random.Random(seed)
    image = Image.frombytes("L", (414, 585), noise.randbytes(414 * 585)).resize((827, 1170))
    target = io.BytesIO()
    if kind == "JPEG":
        image.convert("RGB").save(target, "JPEG", dpi=(100, 100))
    else:
        image.convert("1").save(target, "TIFF", compression="group4", strip_size=1 << 31, dpi=(100, 100))
    return target.getvalue()


@pytest.mark.parametrize("kinds", [["JPEG"] * 3, ["TIFF"] * 3, ["JPEG", "TIFF", "JPEG"]])
def test_a_pdf_of_scans_costs_less_than_five_per_cent(kinds: list[str]) -> None:
    pages = [_scan(seed, kind) for seed, kind in enumerate(kinds)]
    signed = assemble_pdf(pages) + b"\n9 0 obj\n<< /Type /Sig >>\nendobj\n" + b"0" * 3000
    recipe = _recipe(signed, pages)
    assert recipe.inline_bytes < 0.05 * len(signed)
    assert {segment.page_number for segment in recipe.segments if isinstance(segment, Copy)} == {1, 2, 3}


def test_identical_pages_are_all_found() -> None:
    page = _scan(1, "JPEG")
    pdf = assemble_pdf([page] * 4)
    assert _recipe(pdf, [page] * 4).inline_bytes < 0.05 * len(pdf)


def test_strips_are_found_one_by_one() -> None:
    page = random.Random(1).randbytes(400_000)
    strips = [page[low : low + 30_000] for low in range(0, len(page), 30_000)]
    output = b"".join(b"%d 0 obj stream\n" % number + strip for number, strip in enumerate(strips))
    assert _recipe(output, [page]).inline_bytes < 0.01 * len(output)


def test_another_order_is_found_too() -> None:
    pages = [random.Random(seed).randbytes(50_000) for seed in range(12)]
    assert _recipe(b"-".join(reversed(pages)), pages).inline_bytes < 20


def test_absent_and_tiny_pages_cost_nothing_but_themselves() -> None:
    pages = [random.Random(seed).randbytes(50_000) for seed in range(4)]
    output = pages[1] + pages[3] + b"tail"
    recipe = _recipe(output, [b"", b"x", *pages, bytes(100_000)])
    assert recipe.inline_bytes == 4


def _output(shape: str, pages: list[bytes]) -> bytes:
    match shape:
        case "in order":
            return b"\nendstream\n".join(pages)
        case "reversed":
            return b"\nendstream\n".join(reversed(pages))
        case "absent":
            return random.Random(99).randbytes(32_000_000)
        case _:
            return bytes(range(63)) * 500_000


@pytest.mark.parametrize("shape", ["in order", "reversed", "absent", "almost everywhere"])
def test_time_is_bounded_for_forty_pages_of_800_kilobytes(shape: str) -> None:
    pages = [random.Random(seed).randbytes(800_000) for seed in range(40)]
    if shape == "almost everywhere":
        pages = [(bytes(range(62)) + b"\xff\x3e") * 12_500] * 40
    output = _output(shape, pages)
    begun = time.process_time()
    make_recipe(output, _sent(pages))
    # 15 ms in order, 90 to 160 ms for the others; the bound leaves room for slower machines.
    assert time.process_time() - begun < (0.2 if shape == "in order" else 1.0)


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        (Recipe(3, (Inline(0, b"ab"),)), "2 bytes of 3"),
        (Recipe(2, (Inline(1, b"ab"),)), "gap"),
        (Recipe(9, (Copy(0, 1, 1, 9),)), "page 1 does not have"),
        (Recipe(9, (Copy(0, 1, -1, 9),)), "page 1 does not have"),
    ],
)
def test_recipes_that_do_not_fit_are_refused(recipe: Recipe, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        apply_recipe(recipe, {1: b"123456789"})
