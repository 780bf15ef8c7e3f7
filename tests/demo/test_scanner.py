"""The demo's scanner: the promised sizes, the same bytes for a seed, every Vietnamese letter, nobody's name."""

import io
import unicodedata
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from kho_station.assembly import assemble_pdf
from kho_station.typeface import Weight
from ops.demo.letters import tile
from ops.demo.papers import MOTTO, NATION, SENTENCES, TITLES, Paper, Scan, opening_lines, placeholder
from ops.demo.scanner import HEIGHT_PX, JPEG_BYTES, TIFF_BYTES, WIDTH_PX, feed, scan_sheet

PAPER = Paper(
    title="QUYẾT ĐỊNH",
    subject="Về việc công nhận kết quả giải quyết thủ tục hành chính",
    superior="TỈNH MẪU",
    agency="ỦY BAN NHÂN DÂN XÃ MẪU",
    number="45/QĐ-UBND",
    place_and_date="Xã Mẫu, ngày 21 tháng 11 năm 2026",
    signer_title="TM. ỦY BAN NHÂN DÂN",
    sheets=3,
    code="000000000000.KQ.G15.000031.0001",
)
BOUNDS = {Scan.COLOUR: JPEG_BYTES, Scan.BITONAL: TIFF_BYTES}
TONES = ("", "\u0300", "\u0301", "\u0303", "\u0309", "\u0323")
LETTERS = {unicodedata.normalize("NFC", vowel + tone) for vowel in "aăâeêioôơuưy" for tone in TONES} | {"đ"}


@pytest.mark.parametrize("scan", Scan)
@pytest.mark.parametrize("title", TITLES)
def test_every_sheet_is_an_a4_image_of_the_promised_size(title: str, scan: Scan) -> None:
    low, high = BOUNDS[scan]
    for sheets in (1, 3):
        paper = replace(PAPER, title=title, scan=scan, sheets=sheets)
        for number in range(1, sheets + 1):
            page = scan_sheet(paper, number, seed=len(title))
            assert low <= len(page.data) <= high
            with Image.open(io.BytesIO(page.data)) as image:
                assert image.size == (WIDTH_PX, HEIGHT_PX)
                assert (image.format, image.mode) == (("JPEG", "RGB") if scan is Scan.COLOUR else ("TIFF", "1"))
                assert image.info["dpi"] == (200, 200)
                assert scan is Scan.COLOUR or image.info["compression"] == "group4"


@pytest.mark.parametrize("scan", Scan)
def test_a_seed_gives_its_bytes_again_and_another_seed_others(scan: Scan) -> None:
    paper = replace(PAPER, scan=scan)
    first = scan_sheet(paper, 3, seed=5)
    assert first == scan_sheet(paper, 3, seed=5)
    assert first.data != scan_sheet(paper, 3, seed=6).data
    assert first.data != scan_sheet(paper, 2, seed=5).data


def test_seal_is_red_and_signature_blue_on_the_last_sheet_only() -> None:
    def coloured(number: int) -> tuple[int, int]:
        with Image.open(io.BytesIO(scan_sheet(PAPER, number, seed=1).data)) as image:
            red, _, blue = np.asarray(image, np.int16).transpose(2, 0, 1)
        return int((red - blue > 70).sum()), int((blue - red > 50).sum())

    assert coloured(1) == (0, 0)
    red, blue = coloured(3)
    assert red > 5000
    assert blue > 800


def test_the_text_has_every_vietnamese_letter_and_the_typeface_draws_each() -> None:
    text = " ".join((*SENTENCES, *(line for title in TITLES for line in opening_lines(_titled(title)))))
    assert not LETTERS - set(text.lower()), "letters that no page would show"
    missing = tile("\uffff", 40).tobytes()
    wanted = sorted(LETTERS | {letter.upper() for letter in LETTERS} | set(NATION + MOTTO + text))
    for weight in Weight:
        assert not [letter for letter in wanted if tile(letter, 40, weight).tobytes() == missing]


def _titled(title: str) -> Paper:
    return replace(PAPER, title=title)


def test_people_are_placeholders() -> None:
    people = [line for title in TITLES for line in opening_lines(_titled(title)) if "Họ, chữ đệm" in line]
    assert people
    assert all("NGƯỜI MẪU" in line for line in people)
    assert placeholder(1) == "NGƯỜI MẪU 01"


async def test_sheets_flow_in_order_while_later_ones_are_in_the_scanner() -> None:
    with ThreadPoolExecutor(2) as pool:
        pages = [page async for page in feed(replace(PAPER, sheets=5), seed=2, executor=pool)]
        assert [page.number for page in pages] == [1, 2, 3, 4, 5]
        assert pages[3] == scan_sheet(replace(PAPER, sheets=5), 4, seed=2)


async def test_stopping_early_leaves_nothing_behind() -> None:
    with ThreadPoolExecutor(1) as pool:
        sheets = feed(replace(PAPER, sheets=40), seed=2, executor=pool)
        assert (await anext(sheets)).number == 1
        await sheets.aclose()


def test_scans_go_into_a_pdf_verbatim() -> None:
    page = scan_sheet(PAPER, 1, seed=1).data
    assert page in assemble_pdf([page])


def test_a_paper_without_sheets_does_not_exist() -> None:
    with pytest.raises(ValueError):
        replace(PAPER, sheets=0)
