"""A PDF of scans: verbatim, A4 where it was A4, the same bytes each time, and plain words when it cannot be."""

import io
import random
from collections.abc import Callable

import pikepdf
import pytest
from PIL import Image

from kho_station.assembly import PageRefusedError, assemble_pdf

A4 = (595.276, 841.89)


def _image(width: int, height: int, mode: str = "L", seed: int = 1) -> Image.Image:
    channels = len(Image.new(mode, (1, 1)).getbands())
    return Image.frombytes(mode, (width, height), random.Random(seed).randbytes(width * height * channels))


def _bytes(image: Image.Image, kind: str, **options: object) -> bytes:
    target = io.BytesIO()
    image.save(target, kind, **options)
    return target.getvalue()


def _jpeg(width: int = 1654, height: int = 2339, dpi: int | None = 200) -> bytes:
    small = _image(width // 8, height // 8).resize((width, height))
    return _bytes(small, "JPEG", **({"dpi": (dpi, dpi)} if dpi else {}))


def _group4() -> bytes:
    bits = _image(1654 // 8, 2339 // 8).resize((1654, 2339)).convert("1")
    return _bytes(bits, "TIFF", compression="group4", strip_size=1 << 31, dpi=(200, 200))


def _strip_of(tiff: bytes) -> bytes:
    with Image.open(io.BytesIO(tiff)) as image:
        (offset,), (length,) = image.tag_v2[273], image.tag_v2[279]  # type: ignore[attr-defined]  # TIFF only
    return tiff[offset : offset + length]


def _boxes(pdf: bytes) -> list[tuple[float, float]]:
    with pikepdf.open(io.BytesIO(pdf)) as document:
        return [(float(page.mediabox[2]), float(page.mediabox[3])) for page in document.pages]


def test_jpeg_and_group4_stand_in_the_pdf_byte_for_byte() -> None:
    jpeg, tiff = _jpeg(), _group4()
    pdf = assemble_pdf([jpeg, tiff])
    assert jpeg in pdf
    assert _strip_of(tiff) in pdf


def test_the_same_pages_give_the_same_bytes_and_no_date() -> None:
    pages = [_jpeg(), _group4()]
    pdf = assemble_pdf(pages)
    assert pdf == assemble_pdf(pages)
    assert pdf.startswith(b"%PDF-1.4")
    assert b"Date" not in pdf


def test_png_keeps_every_pixel() -> None:
    image = _image(300, 400, "RGB")
    with pikepdf.open(io.BytesIO(assemble_pdf([_bytes(image, "PNG", dpi=(200, 200))]))) as document:
        (found,) = document.pages[0].get_images().values()
        assert isinstance(found, pikepdf.Stream)
        assert pikepdf.PdfImage(found).as_pil_image().convert("RGB").tobytes() == image.tobytes()


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        pytest.param(_jpeg(), A4, id="A4 at 200 dpi"),
        pytest.param(_jpeg(2339, 1654), A4[::-1], id="A4 lying"),
        pytest.param(_jpeg(1640, 2300), A4, id="A4 that the feeder cut"),
        pytest.param(_jpeg(dpi=None), A4, id="dpi not stated"),
        pytest.param(_jpeg(674, 425), (674 / 200 * 72, 425 / 200 * 72), id="card at true scale"),
        pytest.param(_jpeg(2339, 3307), (2339 / 200 * 72, 3307 / 200 * 72), id="A3 at true scale"),
    ],
)
def test_boxes(page: bytes, wanted: tuple[float, float]) -> None:
    assert _boxes(assemble_pdf([page])) == [pytest.approx(wanted, abs=0.05)]


def test_a4_keeps_at_least_200_dots_per_inch() -> None:
    with pikepdf.open(io.BytesIO(assemble_pdf([_jpeg()]))) as document:
        width = next(
            float(step.operands[0])
            for step in pikepdf.parse_content_stream(document.pages[0])
            if isinstance(step, pikepdf.ContentStreamInstruction) and str(step.operator) == "cm"
        )
        assert 1654 / (width / 72) >= 200


def _two_frames() -> bytes:
    return _bytes(_image(64, 64), "TIFF", save_all=True, append_images=[_image(64, 64, seed=2)])


@pytest.mark.parametrize(
    ("make", "words"),
    [
        pytest.param(lambda: b"", "not an image", id="empty"),
        pytest.param(lambda: b"/etc/hostname", "not an image", id="a file name is data, not a file"),
        pytest.param(lambda: _jpeg()[:200], "page 2", id="truncated"),
        pytest.param(lambda: _jpeg()[:-9000], "cut off", id="cut off in the middle of the picture"),
    ],
)
def test_the_bad_page_is_named(make: Callable[[], bytes], words: str) -> None:
    with pytest.raises(PageRefusedError, match=words) as caught:
        assemble_pdf([_jpeg(), make(), _jpeg()])
    assert caught.value.page_number == 2


def test_frames_are_not_sheets() -> None:
    with pytest.raises(PageRefusedError, match="several pages"):
        assemble_pdf([_two_frames()])


@pytest.mark.parametrize("count", [0, 10_001])
def test_page_count_is_bounded(count: int) -> None:
    with pytest.raises(PageRefusedError, match="10000"):
        assemble_pdf([b""] * count)
