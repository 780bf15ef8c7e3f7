"""Scanned pages put into one PDF without touching a pixel of them.

The rules: PDF 1.4 or later, at least 200 dpi, scale 100 % (Decree 30/2020, annex I, part II, I.2); as many
pages as sheets, in order (Circular 01/2023/TT-VPCP, art. 8.2c). Needs the extra `kho[station]`.
"""

import io
from collections.abc import Sequence

import img2pdf
import pikepdf

MAX_PAGES = 10_000
_A4_POINTS = (210 / 25.4 * 72, 297 / 25.4 * 72)
_A4_TOLERANCE = 0.03  # feeders cut or add some millimetres; the sheet is still A4
_UNSTATED_DPI = 96  # img2pdf reports 96 and cameras write 72 when nobody measured
_PDF_VERSION = "1.4"
_JPEG_START, _JPEG_END = b"\xff\xd8", b"\xff\xd9"  # SOI and EOI, ITU-T T.81 table B.1
_JPEG_TAIL_BYTES = 4096  # some scanners write filling or a thumbnail after the end


class PageRefusedError(Exception):
    """A page cannot go into a PDF as it is; `page_number` counts from 1, or None for the whole document."""

    def __init__(self, page_number: int | None, reason: str) -> None:
        """Say which page and why."""
        super().__init__(reason if page_number is None else f"page {page_number}: {reason}")
        self.page_number = page_number
        self.reason = reason


def assemble_pdf(pages: Sequence[bytes]) -> bytes:
    """Return a PDF whose pages are the given images (JPEG, PNG or TIFF), in order, losslessly.

    JPEG streams and TIFF Group 4 data of one strip stand in it byte for byte; other images are packed anew
    without loss. The same pages give the same bytes: no date and no random identifier is written. It runs
    for some milliseconds per page, so asynchronous callers use a thread.

    Raises PageRefusedError for no pages, too many, an image of several frames, or one that cannot be kept
    as it is (not an image, cut off, of colours that a PDF lacks).
    """
    if not 1 <= len(pages) <= MAX_PAGES:
        raise PageRefusedError(None, f"a document has 1 to {MAX_PAGES} pages, not {len(pages)}")
    for number, page in enumerate(pages, start=1):
        if page.startswith(_JPEG_START) and _JPEG_END not in page[-_JPEG_TAIL_BYTES:]:
            raise PageRefusedError(number, "the image was cut off; scan it again")
    try:
        writer = _document(pages)
    except Exception as problem:
        # The library stops at the first bad image without saying which; ask it again page by page.
        for number, page in enumerate(pages, start=1):
            try:
                _document([page])
            except Exception as of_page:
                raise PageRefusedError(number, f"{_plain(of_page)}; scan it again") from of_page
        raise PageRefusedError(None, _plain(problem)) from problem
    if len(writer.pages) != len(pages):
        raise PageRefusedError(None, "an image holds several pages; scan each sheet into an image of its own")
    target = io.BytesIO()
    # Not linearized: a signature is appended anyway, and the pages then stand in their order.
    writer.save(target, min_version=_PDF_VERSION, deterministic_id=True, linearize=False)
    return target.getvalue()


def _document(pages: Sequence[bytes]) -> pikepdf.Pdf:
    """Lay the images out; they go in as streams, because plain bytes could be taken for a file name."""
    document = img2pdf.convert_to_docobject(  # type: ignore[no-untyped-call]  # the library has no types
        [io.BytesIO(page) for page in pages],
        engine=img2pdf.Engine.pikepdf,
        layout_fun=_layout,
        nodate=True,
        producer="Kho",
    )
    writer: pikepdf.Pdf = document.writer
    return writer


def _layout(width_px: int, height_px: int, dpi: tuple[float, float]) -> tuple[float, float, float, float]:
    """Return page width and height, then image width and height, in points of 1/72 inch."""
    a4 = _A4_POINTS if width_px <= height_px else _A4_POINTS[::-1]
    own = (width_px / dpi[0] * 72, height_px / dpi[1] * 72)
    is_unstated = max(dpi) <= _UNSTATED_DPI
    is_a4 = all(abs(side - wanted) <= _A4_TOLERANCE * wanted for side, wanted in zip(own, a4, strict=True))
    if not (is_unstated or is_a4):
        return (*own, *own)
    scale = min(a4[0] / width_px, a4[1] / height_px)
    return (*a4, width_px * scale, height_px * scale)


def _plain(problem: Exception) -> str:
    """Say in words what an image library refused; its own text can quote bytes of the page."""
    match problem:
        case img2pdf.ImageOpenError():
            return "this is not an image that can be read"
        case img2pdf.JpegColorspaceError():
            return "the colours of the image cannot be kept as they are"
        case img2pdf.ExifOrientationError():
            return "the image carries an impossible orientation"
        case _:
            return f"the image cannot be put into a PDF ({type(problem).__name__})"
