"""Signatures that a station puts on the PDF of a document: PAdES baseline B, appended and never rewriting.

Where and what they show: the officer who digitised, name and time, top-left of the first page (Circular
01/2023/TT-VPCP, art. 8.1); the agency, form of copy, name and time in ISO 8601 with the zone, top-right, in
upright black letters of size 10 and no image (Decree 30/2020, annex I, part II, I.3). The decree names Times
New Roman, which may not be embedded freely: a serif of the same kind is. Needs the extra `kho[station]`.
"""

import asyncio
import enum
import io
import textwrap
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from unicodedata import normalize

from fontTools.ttLib import TTFont
from pyhanko.pdf_utils import layout
from pyhanko.pdf_utils.font.api import FontEngineFactory
from pyhanko.pdf_utils.font.opentype import GlyphAccumulator
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.text import TextBoxStyle
from pyhanko.pdf_utils.writer import BasePdfFileWriter
from pyhanko.pdf_utils.xref import ObjectStream
from pyhanko.sign import fields, signers
from pyhanko.sign.signers.pdf_cms import PdfCMSSignedAttributes
from pyhanko.stamp import TextStampStyle

from kho_station.typeface import typeface

_FONT_POINTS = 10
_LEADING_POINTS = 12
_MARGIN_POINTS = 8  # three lines then end above the 20 mm margin, where the paper's own heading begins
_BOX_WIDTH_POINTS = 250
_MAX_LINE_LETTERS = 36  # of capitals; what is still too wide is pressed together by the layout
_MAX_LINES = 6
_MAX_TREE_DEPTH = 32  # of the page tree above the first page


class Corner(enum.Enum):
    """Where on the first page a signature shows; the place says what the signature means."""

    OFFICER = "top-left"
    AGENCY = "top-right"


class SigningError(Exception):
    """The document could not be signed; nothing was changed. The message says what to do."""


class KeyFileError(SigningError):
    """The PKCS#12 file cannot be opened: it is not one, or the passphrase is another."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What a signature shows and records.

    `lines` stand above the time (the agency's: form of copy, then its name); `at` needs a time zone.
    `field_name` must not be taken in the document yet.
    """

    field_name: str
    corner: Corner
    lines: tuple[str, ...]
    at: datetime
    reason: str
    location: str

    def __post_init__(self) -> None:
        """Refuse a mark that the rules forbid."""
        if self.at.utcoffset() is None:
            raise ValueError("the time of a signature needs a time zone")
        if not self.field_name or "." in self.field_name:
            raise ValueError("the name of a signature field is not empty and has no dot")
        if not self.lines:
            raise ValueError("a signature shows who signed")


def load_p12(path: Path, passphrase: str | None = None) -> signers.Signer:
    """Read a key with its certificates from a PKCS#12 file; raises KeyFileError."""
    secret = passphrase.encode() if passphrase else None
    try:
        signer: signers.Signer = signers.SimpleSigner.load_pkcs12_data(
            path.read_bytes(), other_certs=[], passphrase=secret
        )
    except OSError as problem:
        raise KeyFileError(f"the key file cannot be read ({problem.strerror}); name another file") from problem
    except ValueError as problem:
        raise KeyFileError("the key file does not open; check the file and the passphrase") from problem
    return signer


def sign_pdf(pdf: bytes, signer: signers.Signer, mark: Mark) -> bytes:
    """Return the PDF with one more signature; its first bytes are the given ones, unchanged.

    Earlier signatures stay valid: a field and its signature are appended, nothing else. It computes for some
    tens of milliseconds and runs a loop of its own, so asynchronous callers use `sign_pdf_in_thread`. Raises
    SigningError, or TypefaceMissingError when the station has no typeface.
    """
    target = io.BytesIO()
    asyncio.run(_sign_into(target, pdf, signer, mark, style=_style()))
    return target.getvalue()


async def sign_pdf_in_thread(pdf: bytes, signer: signers.Signer, mark: Mark) -> bytes:
    """Sign like `sign_pdf` without holding up the event loop."""
    return await asyncio.to_thread(sign_pdf, pdf, signer, mark)


async def _sign_into(
    target: io.BytesIO, pdf: bytes, signer: signers.Signer, mark: Mark, *, style: TextStampStyle
) -> None:
    """Append field, appearance and signature.

    The document is not returned: asyncio.run writes the whole result of its task as text (0.5 s for 25 MB).
    """
    try:
        writer = IncrementalPdfFileWriter(io.BytesIO(pdf))
        if any(name == mark.field_name for name, _, _ in fields.enumerate_sig_fields(writer)):
            raise SigningError(f"the document already has the signature field {mark.field_name}; name another")
        text = _text(mark)
        session = signers.PdfSigner(
            signers.PdfSignatureMetadata(
                field_name=mark.field_name,
                md_algorithm="sha256",
                subfilter=fields.SigSeedSubFilter.PADES,
                reason=mark.reason,
                location=mark.location,
            ),
            signer=signer,
            stamp_style=style,
            new_field_spec=fields.SigFieldSpec(
                mark.field_name, on_page=0, box=_box(writer, mark.corner, lines=text.count("\n") + 1)
            ),
        ).init_signing_session(writer)
        session.system_time = mark.at  # the claimed time /M: PAdES forbids the signing-time attribute
        reserved = await session.estimate_signature_container_size(None)
        unsigned = session.prepare_tbs_document(None, reserved, appearance_text_params={"text": text})
        digest, _ = unsigned.digest_tbs_document(output=target)
        await unsigned.perform_signature(digest.document_digest, PdfCMSSignedAttributes(signing_time=mark.at))
    except SigningError:
        raise
    except Exception as problem:
        # A damaged file makes the library raise almost anything; the given bytes are untouched in every case.
        raise SigningError(
            f"the PDF cannot be signed ({type(problem).__name__}); assemble it anew from its pages"
        ) from problem


def _text(mark: Mark) -> str:
    """Return what the signature shows, long names broken at their spaces."""
    lines = [piece for line in mark.lines for piece in textwrap.wrap(normalize("NFC", line), _MAX_LINE_LETTERS)]
    return "\n".join([*lines[: _MAX_LINES - 1], mark.at.isoformat(timespec="seconds")])


class _Letters(FontEngineFactory):
    """The typeface from memory: pyHanko's own factory leaves the file open."""

    def __init__(self, data: bytes) -> None:
        """Take the bytes of a TrueType file."""
        self._data = data

    def create_font_engine(self, writer: BasePdfFileWriter, obj_stream: ObjectStream | None = None) -> GlyphAccumulator:
        """Return an engine that embeds the letters used, and no others."""
        return GlyphAccumulator(writer, io.BytesIO(self._data), _FONT_POINTS, obj_stream=obj_stream)


@lru_cache(maxsize=1)
def _plain_typeface(path: Path) -> bytes:
    """Return the typeface without its layout tables.

    Vietnamese in composed form needs none of them, and picking the used letters out of a font that has them
    takes 0.36 s of each signature instead of 0.02 s.
    """
    target = io.BytesIO()
    with TTFont(path, lazy=True) as whole:
        for table in ("GPOS", "GSUB", "GDEF", "kern"):
            if table in whole:
                del whole[table]
        whole.save(target)
    return target.getvalue()


def _style() -> TextStampStyle:
    """Return upright black text without frame or image, set from the upper left."""
    corner = layout.SimpleBoxLayoutRule(x_align=layout.AxisAlignment.ALIGN_MIN, y_align=layout.AxisAlignment.ALIGN_MAX)
    return TextStampStyle(
        stamp_text="%(text)s",
        border_width=0,
        text_box_style=TextBoxStyle(
            font=_Letters(_plain_typeface(typeface())),
            font_size=_FONT_POINTS,
            leading=_LEADING_POINTS,
            box_layout_rule=corner,
        ),
        inner_content_layout=corner,
    )


def _box(writer: IncrementalPdfFileWriter, corner: Corner, *, lines: int) -> tuple[int, int, int, int]:
    """Return lower left and upper right of a signature on the first page, in points."""
    page = writer.find_page_for_modification(0)[0].get_object()
    for _ in range(_MAX_TREE_DEPTH):
        if "/MediaBox" in page:
            break
        page = page["/Parent"]
    left, bottom, right, top = (float(side) for side in page["/MediaBox"])
    left, right, top = min(left, right), max(left, right), max(bottom, top)
    width = min(_BOX_WIDTH_POINTS, (right - left) * 0.46)
    start = left + _MARGIN_POINTS if corner is Corner.OFFICER else right - _MARGIN_POINTS - width
    upper = top - _MARGIN_POINTS
    return int(start), int(upper - lines * _LEADING_POINTS - 4), int(start + width), int(upper)
