"""Rows 1 to 11: attacks on the document around a signature that is right in itself."""

import re
from functools import cache

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import FieldMDPAction, FieldMDPSpec, MDPPerm

from tests.server.verification import attacks
from tests.server.verification.attacks import EVIL, contents_span
from tests.server.verification.signed_files import unsigned_pdf
from tests.vectors.signatures.pdf_files import (
    annotation,
    filled_in,
    number_of,
    page,
    raw_update,
    signed,
    stream,
    updated,
    with_text_field,
)
from tests.vectors.signatures.pki import world
from tests.vectors.signatures.vector import Vector

FORMAT, HASH, PASSED = "FORMAT_FAILURE", "HASH_FAILURE", "TOTAL_PASSED"


@cache
def base() -> bytes:
    """The file that most attacks start from: one officer's signature over two pages."""
    return signed()


@cache
def both() -> bytes:
    """Officer and agency."""
    return signed(base(), world().agency, "CoQuan", box=(330, 600, 500, 640))


def _renamed(old: bytes, new: bytes) -> bytes:
    assert len(old) == len(new)
    head, tail = base().rsplit(old, 1)
    return head + new + tail


def _contents_token(token: bytes) -> bytes:
    start, end = contents_span(base())
    return base()[:start] + token.ljust(end - start) + base()[end:]


def _byte_range(text: bytes) -> bytes:
    found = list(re.finditer(rb"/ByteRange\s*\[[^\]]*\]\s*", base()))[-1]
    width = len(found[0])
    assert len(b"/ByteRange " + text) <= width, width
    return base()[: found.start()] + (b"/ByteRange " + text).ljust(width) + base()[found.end() :]


def _numbers() -> tuple[int, int, int]:
    found = re.findall(rb"/ByteRange\s*\[\s*0 (\d+) (\d+) (\d+)", base())[-1]
    return int(found[0]), int(found[1]), int(found[2])


def _page_object() -> int:
    return number_of(base(), "/Pages", "/Kids", "0")


def _content_object() -> int:
    return number_of(base(), "/Pages", "/Kids", "0", "/Contents")


def _evil_stream() -> bytes:
    return b"<< /Length %d >>\nstream\n%s\nendstream" % (len(EVIL), EVIL)


def _without_xref() -> bytes:
    return base() + b"\n%d 0 obj\n%s\nendobj\n%%%%EOF\n" % (_content_object(), _evil_stream())


def _only_trailer() -> bytes:
    root = number_of_root(base())
    return base() + b"\n%d 0 obj\n%s\nendobj\ntrailer\n<< /Root %d 0 R /Size 99 >>\n%%%%EOF\n" % (
        _content_object(),
        _evil_stream(),
        root,
    )


def number_of_root(pdf: bytes) -> int:
    """Return the object number of the catalog."""
    return int(re.findall(rb"/Root (\d+) 0 R", pdf)[-1])


def _short_xref() -> bytes:
    body = b"\n%d 0 obj\n%s\nendobj\n" % (_content_object(), _evil_stream())
    return raw_update(base() + body, {900: b"(a listed object)"})


def _in_comment() -> bytes:
    return raw_update(base() + b"\n%% %d 0 obj %s endobj\n" % (_content_object(), b"<< >>"), {900: b"(x)"})


def _stretched() -> bytes:
    """Signature wrapping: the second range is moved behind a second tail."""
    _gap_start, gap_end, rest = _numbers()
    tail = base()[gap_end:]
    filler = b">\n/Injected (" + b"x" * 40 + b")\n"
    moved = base()[:gap_end] + filler + tail
    return moved.replace(b" %d %d" % (gap_end, rest), b" %d %d" % (gap_end + len(filler), rest), 1)


def _wrapped_tail() -> bytes:
    """The signed tail stands behind an attacker's revision that takes its place."""
    _gap_start, gap_end, rest = _numbers()
    tail = base()[gap_end:]
    evil = tail + raw_update(base(), {_content_object(): _evil_stream()})[len(base()) :]
    moved = base()[:gap_end] + evil + tail
    return moved.replace(b" %d %d" % (gap_end, rest), b" %d %d" % (gap_end + len(evil), rest), 1)


def _with_image() -> bytes:
    """A page on which a white form covers a sentence; both are there when it is signed."""

    def update(writer: IncrementalPdfFileWriter) -> None:
        cover = stream(
            writer,
            b"1 1 1 rg 0 0 400 30 re f",
            Type=pdf_name("/XObject"),
            Subtype=pdf_name("/Form"),
            BBox=generic.ArrayObject(map(generic.NumberObject, (0, 0, 400, 30))),
        )
        first = page(writer)
        first["/Resources"][pdf_name("/XObject")] = generic.DictionaryObject({pdf_name("/Che"): cover})
        first[pdf_name("/Contents")] = stream(
            writer, b"BT /F1 14 Tf 72 700 Td (9.000.000.000 dong) Tj ET q 1 0 0 1 60 690 cm /Che Do Q"
        )

    return signed(updated(unsigned_pdf(2), update))


def _cover_object(pdf: bytes) -> int:
    return number_of(pdf, "/Pages", "/Kids", "0", "/Resources", "/XObject", "/Che")


def _freed(generation: int) -> bytes:
    pdf = _with_image()
    number = _cover_object(pdf)
    return raw_update(pdf, {}, listed={number: None}, generations={number: generation})


def _higher_generation() -> bytes:
    pdf = _with_image()
    number = _cover_object(pdf)
    body = b"%d 1 obj\n%s\nendobj\n" % (number, _evil_stream())
    return raw_update(pdf + b"\n" + body, {}, listed={number: len(pdf) + 1}, generations={number: 1})


def _second_catalog() -> tuple[bytes, int]:
    """A file with a second catalog and page tree that nothing refers to."""
    numbers: list[int] = []

    def update(writer: IncrementalPdfFileWriter) -> None:
        content = stream(writer, EVIL)
        font = writer.root["/Pages"]["/Kids"][0].raw_get("/Resources")
        kids = generic.ArrayObject()
        pages = generic.DictionaryObject(
            {
                pdf_name("/Type"): pdf_name("/Pages"),
                pdf_name("/Kids"): kids,
                pdf_name("/Count"): generic.NumberObject(1),
            }
        )
        pages_reference = writer.add_object(pages)
        kids.append(
            writer.add_object(
                generic.DictionaryObject(
                    {
                        pdf_name("/Type"): pdf_name("/Page"),
                        pdf_name("/Parent"): pages_reference,
                        pdf_name("/MediaBox"): generic.ArrayObject(map(generic.NumberObject, (0, 0, 595, 842))),
                        pdf_name("/Resources"): font,
                        pdf_name("/Contents"): content,
                    }
                )
            )
        )
        catalog = writer.add_object(
            generic.DictionaryObject({pdf_name("/Type"): pdf_name("/Catalog"), pdf_name("/Pages"): pages_reference})
        )
        numbers.append(catalog.idnum)

    pdf = updated(unsigned_pdf(2), update)
    return signed(pdf), numbers[0]


def _switched_catalog() -> bytes:
    pdf, catalog = _second_catalog()
    form = number_of(pdf, "/AcroForm")
    offset = [found.start() for found in re.finditer(rb"(?<![0-9])%d 0 obj" % catalog, pdf)][-1]
    body = pdf[offset : pdf.index(b"endobj", offset)].split(b"obj", 1)[1].strip()
    return raw_update(pdf, {catalog: body[:-2] + b"/AcroForm %d 0 R >>" % form}, root=catalog)


def _activated_latent() -> bytes:
    """An object that lies in the signed bytes, inside a stream, is listed later."""
    latent = b"%d 0 obj\r%s\rendobj\r" % (_content_object(), _evil_stream().replace(b"\n", b"\r"))
    pdf = signed(updated(unsigned_pdf(2), lambda writer: _added(writer, latent)))
    return raw_update(pdf, {}, listed={_content_object(): pdf.index(latent)})


def _added(writer: IncrementalPdfFileWriter, content: bytes) -> None:
    stream(writer, content)


def _dangling_defined() -> bytes:
    def update(writer: IncrementalPdfFileWriter) -> None:
        first = page(writer)
        contents = first.raw_get("/Contents")
        first[pdf_name("/Contents")] = generic.ArrayObject([contents, generic.IndirectObject(777, 0, writer)])

    return raw_update(signed(updated(unsigned_pdf(2), update)), {777: _evil_stream()})


def _font_overwritten() -> bytes:
    font = number_of(base(), "/Pages", "/Kids", "0", "/Resources", "/Font", "/F1")
    return raw_update(base(), {font: b"<< /Type /Font /Subtype /Type1 /BaseFont /Symbol >>"})


def _appearance_exchanged() -> bytes:
    look = number_of(base(), "/AcroForm", "/Fields", "0", "/AP", "/N")
    body = b"<< /Type /XObject /Subtype /Form /BBox [0 0 170 40] /Length 2 >>\nstream\nq \nendstream"
    return raw_update(base(), {look: body})


def _with_entry(key: str, value: generic.PdfObject) -> bytes:
    def update(writer: IncrementalPdfFileWriter) -> None:
        page(writer)[pdf_name(key)] = value

    return updated(base(), update)


def _catalog_entry(key: str, value: generic.PdfObject) -> bytes:
    def update(writer: IncrementalPdfFileWriter) -> None:
        writer.root[pdf_name(key)] = value
        writer.update_root()

    return updated(base(), update)


def _page_removed(writer: IncrementalPdfFileWriter) -> None:
    tree = writer.root["/Pages"]
    del tree["/Kids"][1]
    tree[pdf_name("/Count")] = generic.NumberObject(1)
    writer.update_container(tree)


def _covering(pdf: bytes, subtype: str = "FreeText", box: tuple[int, int, int, int] = (60, 300, 540, 500)) -> bytes:
    return updated(pdf, lambda writer: annotation(writer, subtype, box, "9.000.000.000"))


def _locked_field_filled() -> bytes:
    pdf = with_text_field(unsigned_pdf(2), "So", (72, 760, 200, 780))
    pdf = signed(pdf, lock=FieldMDPSpec(FieldMDPAction.INCLUDE, ["So"]))
    return signed(filled_in(pdf, "So", "15/QĐ-UBND"), world().agency, "CoQuan")


def _doubled_key(key: bytes, value: bytes) -> bytes:
    marker = b"/Type /Sig\n" if b"/Type /Sig\n" in base() else b"/Filter /Adobe.PPKLite"
    position = base().rindex(marker)
    injected = key + b" " + value + b" "
    pdf = base()[:position] + injected + base()[position:]
    gap_start, gap_end, rest = _numbers()
    return pdf.replace(
        b"0 %d %d %d" % (gap_start, gap_end, rest),
        b"0 %d %d %d" % (gap_start + len(injected), gap_end + len(injected), rest),
        1,
    )


def _copied_signature() -> bytes:
    other = signed(unsigned_pdf(2, "Don xin cap lai"))
    return attacks.with_cms(other, attacks.cms_of(base()))


def _flipped(old: bytes, new: bytes) -> bytes:
    assert old in base()
    assert len(old) == len(new)
    return base().replace(old, new, 1)


def document_cases() -> list[Vector]:
    """Return the vectors of rows 1 to 11."""
    short_page = generic.ArrayObject(map(generic.NumberObject, (0, 0, 595, 400)))
    upside_down = generic.NumberObject(180)
    script = generic.DictionaryObject(
        {pdf_name("/S"): pdf_name("/JavaScript"), pdf_name("/JS"): generic.pdf_string("this.getField('x')")}
    )
    certified = {level: (lambda level=level: signed(certify=level)) for level in MDPPerm}
    return [
        Vector(1, "contents-empty", FORMAT, lambda: _contents_token(b"<>")),
        Vector(1, "contents-null", FORMAT, lambda: _contents_token(b"null")),
        Vector(1, "contents-missing", FORMAT, lambda: _renamed(b"/Contents <", b"/Kontents <")),
        Vector(1, "contents-zeros", FORMAT, lambda: attacks.with_cms(base(), b"")),
        Vector(1, "byte-range-null", FORMAT, lambda: _byte_range(b"null")),
        Vector(1, "byte-range-missing", FORMAT, lambda: _renamed(b"/ByteRange", b"/KyteRange")),
        Vector(1, "byte-range-negative", FORMAT, lambda: _byte_range(b"[0 -1 5 9]")),
        Vector(1, "byte-range-empty", FORMAT, lambda: _byte_range(b"[]")),
        Vector(2, "update-without-xref", FORMAT, _without_xref),
        Vector(2, "update-with-trailer-only", FORMAT, _only_trailer),
        Vector(2, "update-behind-empty-xref", FORMAT, lambda: attacks.hidden_update(base()), "UNLISTED_BYTES"),
        Vector(2, "update-behind-short-xref", FORMAT, _short_xref, "UNLISTED_BYTES"),
        Vector(2, "update-in-a-comment", FORMAT, _in_comment, "UNLISTED_BYTES"),
        Vector(2, "update-honest-xref", FORMAT, lambda: attacks.changed_page(base()), "CHANGED_AFTER_SIGNING"),
        Vector(3, "second-range-moved", FORMAT, _stretched),
        Vector(3, "tail-wrapped-around-update", FORMAT, _wrapped_tail),
        Vector(4, "hide-cover-freed", FORMAT, lambda: _freed(1), "CHANGED_AFTER_SIGNING"),
        Vector(4, "hide-cover-freed-for-good", FORMAT, lambda: _freed(65535), "CHANGED_AFTER_SIGNING"),
        Vector(4, "hide-cover-freed-generation-0", FORMAT, lambda: _freed(0), "CHANGED_AFTER_SIGNING"),
        Vector(4, "hide-cover-higher-generation", FORMAT, _higher_generation, "CHANGED_AFTER_SIGNING"),
        Vector(4, "replace-catalog-switched", FORMAT, _switched_catalog, "CHANGED_AFTER_SIGNING"),
        Vector(4, "replace-latent-object-listed", FORMAT, _activated_latent),
        Vector(4, "replace-dangling-reference-defined", FORMAT, _dangling_defined, "CHANGED_AFTER_SIGNING"),
        Vector(4, "replace-page-removed", FORMAT, lambda: updated(base(), _page_removed), "CHANGED_AFTER_SIGNING"),
        Vector(
            4,
            "replace-media-box",
            FORMAT,
            lambda: _with_entry("/MediaBox", short_page),
            "CHANGED_AFTER_SIGNING",
        ),
        Vector(
            4,
            "replace-page-turned",
            FORMAT,
            lambda: _with_entry("/Rotate", upside_down),
            "CHANGED_AFTER_SIGNING",
        ),
        Vector(
            4, "replace-open-action", FORMAT, lambda: _catalog_entry("/OpenAction", script), "CHANGED_AFTER_SIGNING"
        ),
        Vector(
            4,
            "hide-optional-content",
            FORMAT,
            lambda: _catalog_entry("/OCProperties", generic.DictionaryObject()),
            "CHANGED_AFTER_SIGNING",
        ),
        Vector(5, "replace-font-overwritten", FORMAT, _font_overwritten, "CHANGED_AFTER_SIGNING"),
        Vector(5, "replace-appearance-exchanged", FORMAT, _appearance_exchanged, "CHANGED_AFTER_SIGNING"),
        Vector(
            5, "replace-text-field-added", FORMAT, lambda: attacks.text_field_added(base()), "CHANGED_AFTER_SIGNING"
        ),
        Vector(
            5,
            "replace-field-refilled",
            FORMAT,
            lambda: filled_in(
                signed(with_text_field(unsigned_pdf(2), "SoTien", (72, 400, 300, 430), "1.000")), "SoTien", "9.000"
            ),
            "CHANGED_AFTER_SIGNING",
        ),
        Vector(
            5,
            "replace-field-refilled-before-agency",
            FORMAT,
            lambda: signed(
                filled_in(
                    signed(with_text_field(unsigned_pdf(2), "SoTien", (72, 760, 300, 780), "1.000")), "SoTien", "9.000"
                ),
                world().agency,
                "CoQuan",
            ),
            "CHANGED_AFTER_SIGNING",
        ),
        Vector(6, "latent-second-catalog", PASSED, lambda: _second_catalog()[0], "HIDDEN_CONTENT"),
        Vector(
            6,
            "latent-hidden-mark",
            PASSED,
            lambda: signed(
                updated(unsigned_pdf(2), lambda writer: annotation(writer, "Stamp", (60, 300, 540, 500), "x", flags=2))
            ),
            "HIDDEN_CONTENT",
        ),
        Vector(7, "annotation-over-annotatable", FORMAT, lambda: _covering(certified[MDPPerm.ANNOTATE]())),
        Vector(7, "annotation-over-fillable", FORMAT, lambda: _covering(certified[MDPPerm.FILL_FORMS](), "Stamp")),
        Vector(7, "annotation-over-approval", FORMAT, lambda: _covering(base(), "Square")),
        Vector(
            7,
            "signature-over-page",
            FORMAT,
            lambda: signed(certified[MDPPerm.FILL_FORMS](), world().agency, "CoQuan", box=(0, 200, 595, 800)),
        ),
        Vector(
            7,
            "empty-signature-field-over-page",
            FORMAT,
            lambda: attacks.empty_signature_field(certified[MDPPerm.FILL_FORMS](), box=(0, 0, 595, 842)),
        ),
        Vector(
            8,
            "signature-after-locked-certification",
            FORMAT,
            lambda: signed(certified[MDPPerm.NO_CHANGES](), world().agency, "CoQuan", unlawful=True),
        ),
        Vector(8, "field-locked-by-signature-filled", FORMAT, _locked_field_filled),
        Vector(
            8,
            "certification-after-approval",
            FORMAT,
            lambda: signed(base(), world().agency, "CoQuan", certify=MDPPerm.FILL_FORMS, unlawful=True),
        ),
        Vector(
            8,
            "two-certifications",
            FORMAT,
            lambda: signed(
                certified[MDPPerm.FILL_FORMS](),
                world().agency,
                "CoQuan",
                certify=MDPPerm.FILL_FORMS,
                unlawful=True,
            ),
        ),
        Vector(9, "two-fields-one-signature", FORMAT, lambda: attacks.second_field_for_signature(base())),
        Vector(9, "byte-range-doubled", "REFUSED", lambda: _doubled_key(b"/ByteRange", b"[0 1 2 3]")),
        Vector(9, "contents-doubled", "REFUSED", lambda: _doubled_key(b"/Contents", b"<00>")),
        Vector(9, "signature-of-another-file", HASH, _copied_signature),
        Vector(10, "gap-wider-than-contents", FORMAT, _wide_gap, "BYTE_RANGE"),
        Vector(10, "three-ranges", FORMAT, lambda: _byte_range(b"[0 9 20 9 40 9]")),
        Vector(10, "range-not-from-start", FORMAT, lambda: _byte_range(b"[9 9 20 99]")),
        Vector(10, "range-beyond-end", FORMAT, lambda: _byte_range(b"[0 9 20 9999999]")),
        Vector(10, "tail-of-garbage", FORMAT, lambda: base() + b"Phu luc kem theo", "UNLISTED_BYTES"),
        Vector(10, "tail-of-another-pdf", FORMAT, lambda: base() + unsigned_pdf(1)),
        Vector(11, "page-byte-changed", HASH, lambda: _flipped(b"trang 2", b"trang 3")),
        Vector(11, "header-changed", HASH, lambda: _flipped(b"%PDF-1.", b"%PDF-2.")),
        Vector(11, "media-box-changed", HASH, lambda: _flipped(b" 842 ]", b" 482 ]")),
    ]


def _wide_gap() -> bytes:
    _, end = contents_span(base())
    hidden = b">/Hidden (abc)"
    return base()[: end - len(hidden)] + hidden + base()[end:]
