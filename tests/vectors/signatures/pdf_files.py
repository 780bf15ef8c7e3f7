"""PDF files for the vectors: signed with pyHanko's writer, with CMS values of our own, and updated by hand."""

import re
from collections.abc import Callable
from datetime import datetime
from io import BytesIO
from typing import Any

from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.fields import FieldMDPSpec, MDPPerm, SigFieldSpec, SigSeedSubFilter
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, PdfTimeStamper
from pyhanko.sign.validation.dss import DocumentSecurityStore

from tests.server.verification.attacks import contents_span, with_cms
from tests.server.verification.signed_files import unsigned_pdf
from tests.vectors.signatures.cms_values import signed_data, signer_info
from tests.vectors.signatures.pki import Holder, world

Update = Callable[[IncrementalPdfFileWriter], None]
Box = tuple[int, int, int, int]


def signed(
    pdf: bytes | None = None,
    holder: Holder | None = None,
    field: str = "CanBo",
    *,
    box: Box | None = (30, 600, 200, 640),
    certify: MDPPerm | None = None,
    lock: FieldMDPSpec | None = None,
    subfilter: SigSeedSubFilter = SigSeedSubFilter.PADES,
    stamped_at: datetime | None = None,
    stamped_by: Holder | None = None,
    reserve: int = 30_000,
    md: str = "sha256",
    unlawful: bool = False,
) -> bytes:
    """Append an orderly signature; without a file, to a new one of two pages.

    `unlawful`: also where an earlier signature forbids it.
    """
    holder = holder or world().officer
    writer = IncrementalPdfFileWriter(BytesIO(pdf if pdf is not None else unsigned_pdf(2)), strict=False)
    meta = PdfSignatureMetadata(
        field_name=field,
        md_algorithm=md,
        subfilter=subfilter,
        certify=certify is not None,
        docmdp_permissions=certify or MDPPerm.FILL_FORMS,
    )
    spec = SigFieldSpec(field, on_page=0, box=box, field_mdp_spec=lock)
    stamper = world().stamper(stamped_at, stamped_by) if stamped_at is not None else None
    out = BytesIO()
    signer_class = _UnlawfulSigner if unlawful else PdfSigner
    signer_class(meta, holder.signer(world().issuing), timestamper=stamper, new_field_spec=spec).sign_pdf(
        writer, output=out, bytes_reserved=reserve
    )
    return out.getvalue()


class _UnlawfulSigner(PdfSigner):
    """Signs whatever earlier signatures say."""

    def _enforce_certification_constraints(self, reader: PdfFileReader) -> None:
        return


def covered(pdf: bytes) -> bytes:
    """Return what the last signature signs."""
    start, end = contents_span(pdf)
    tail = re.findall(rb"/ByteRange\s*\[\s*0 \d+ (\d+) (\d+)", pdf)[-1]
    return pdf[:start] + pdf[end : int(tail[0]) + int(tail[1])]


def with_value(pdf: bytes, holder: Holder, *others: Holder, **changes: object) -> bytes:
    """Put a CMS value of our own over the last signature's bytes; `changes` go to `signer_info`."""
    info = signer_info(covered(pdf), holder, **changes)  # type: ignore[arg-type]
    return with_cms(pdf, signed_data([info], [holder, world().issuing, *others]))


def time_stamped(pdf: bytes, at: datetime, by: Holder | None = None, field: str = "Dau") -> bytes:
    """Append a document time-stamp."""
    out = BytesIO()
    PdfTimeStamper(world().stamper(at, by), field_name=field).timestamp_pdf(
        IncrementalPdfFileWriter(BytesIO(pdf), strict=False), "sha256", output=out
    )
    return out.getvalue()


def with_store(pdf: bytes, cms: bytes, **evidence: Any) -> bytes:
    """Append a document security store; `evidence` are certs, crls, ocsps."""

    def update(writer: IncrementalPdfFileWriter) -> None:
        DocumentSecurityStore.supply_dss_in_writer(writer, cms, **evidence)

    return updated(pdf, update)


def updated(pdf: bytes, update: Update) -> bytes:
    """Append an orderly update."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf), strict=False)
    update(writer)
    out = BytesIO()
    writer.write(out)
    return out.getvalue()


def page(writer: IncrementalPdfFileWriter, index: int = 0) -> generic.DictionaryObject:
    """Return a page for changing; it will be written."""
    found: generic.DictionaryObject = writer.find_page_for_modification(index)[0].get_object()
    writer.update_container(found)
    return found


def stream(writer: IncrementalPdfFileWriter, content: bytes, **entries: generic.PdfObject) -> generic.IndirectObject:
    """Add a stream."""
    dictionary = {pdf_name(f"/{key}"): value for key, value in entries.items()}
    return writer.add_object(generic.StreamObject(dictionary, stream_data=content))


def annotation(
    writer: IncrementalPdfFileWriter, subtype: str, box: Box, text: str, index: int = 0, flags: int = 4
) -> None:
    """Lay an annotation with an appearance over a page."""
    width, height = box[2] - box[0], box[3] - box[1]
    drawn = b"1 1 1 rg 0 0 %d %d re f" % (width, height)
    look = stream(
        writer,
        drawn,
        Type=pdf_name("/XObject"),
        Subtype=pdf_name("/Form"),
        BBox=generic.ArrayObject(map(generic.NumberObject, (0, 0, width, height))),
    )
    added = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name(f"/{subtype}"),
            pdf_name("/Rect"): generic.ArrayObject(map(generic.NumberObject, box)),
            pdf_name("/Contents"): generic.pdf_string(text),
            pdf_name("/F"): generic.NumberObject(flags),
            pdf_name("/AP"): generic.DictionaryObject({pdf_name("/N"): look}),
        }
    )
    writer.register_annotation(writer.find_page_for_modification(index)[0], writer.add_object(added))


def with_text_field(pdf: bytes, field: str, box: Box, value: str | None = None) -> bytes:
    """Append a text field to a file nobody has signed yet."""

    def update(writer: IncrementalPdfFileWriter) -> None:
        entries = {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name("/Widget"),
            pdf_name("/FT"): pdf_name("/Tx"),
            pdf_name("/T"): generic.pdf_string(field),
            pdf_name("/Rect"): generic.ArrayObject(map(generic.NumberObject, box)),
            pdf_name("/F"): generic.NumberObject(4),
            pdf_name("/DA"): generic.pdf_string("/Helv 12 Tf 0 g"),
        }
        if value is not None:
            entries[pdf_name("/V")] = generic.pdf_string(value)
        added = writer.add_object(generic.DictionaryObject(entries))
        form = writer.root.get("/AcroForm")
        if form is None:
            form = generic.DictionaryObject({pdf_name("/Fields"): generic.ArrayObject()})
            writer.root["/AcroForm"] = writer.add_object(form)
            writer.update_root()
        form["/Fields"].append(added)
        writer.update_container(form["/Fields"])
        writer.register_annotation(writer.find_page_for_modification(0)[0], added)

    return updated(pdf, update)


def filled_in(pdf: bytes, field: str, value: str) -> bytes:
    """Append an update that fills in a text field."""

    def update(writer: IncrementalPdfFileWriter) -> None:
        for item in writer.root["/AcroForm"]["/Fields"]:
            found = item.get_object()
            if found.get("/T") == field:
                found["/V"] = generic.pdf_string(value)
                look = stream(
                    writer,
                    b"/Tx BMC EMC",
                    Type=pdf_name("/XObject"),
                    Subtype=pdf_name("/Form"),
                    BBox=generic.ArrayObject(map(generic.NumberObject, (0, 0, 100, 20))),
                )
                found["/AP"] = generic.DictionaryObject({pdf_name("/N"): look})
                writer.update_container(found)

    return updated(pdf, update)


def raw_update(
    pdf: bytes,
    objects: dict[int, bytes],
    *,
    listed: dict[int, int | None] | None = None,
    root: int | None = None,
    generations: dict[int, int] | None = None,
    more: bytes = b"",
) -> bytes:
    """Append an update written by hand.

    `objects` are bodies by number; `listed` are offsets by number for the table, None for a free entry, by
    default where the objects are; `generations` go with them; `more` goes into the trailer.
    """
    reader = PdfFileReader(BytesIO(pdf), strict=False)
    out, offsets = bytearray(pdf if pdf.endswith(b"\n") else pdf + b"\n"), {}
    for number, body in objects.items():
        offsets[number] = len(out)
        out += b"%d 0 obj\n%s\nendobj\n" % (number, body)
    start = len(out)
    entries = dict(offsets) if listed is None else listed
    out += b"xref\n" if entries else b"xref\n0 0\n"
    for number, offset in sorted(entries.items()):
        generation = (generations or {}).get(number, 0 if offset is not None else 1)
        kind = b"n" if offset is not None else b"f"
        out += b"%d 1\n%010d %05d %s \n" % (number, offset or 0, generation, kind)
    size = max(int(reader.trailer["/Size"]), *(number + 1 for number in (*entries, 0)))
    catalog = root if root is not None else reader.root_ref.idnum
    out += b"trailer\n<< /Size %d /Root %d 0 R /Prev %d %s>>\n" % (size, catalog, reader.last_startxref or 0, more)
    out += b"startxref\n%d\n%%%%EOF\n" % start
    return bytes(out)


def number_of(pdf: bytes, *path: str) -> int:
    """Return the object number at the end of a path from the catalog."""
    found: generic.PdfObject = PdfFileReader(BytesIO(pdf), strict=False).root
    for key in path[:-1]:
        assert isinstance(found, generic.DictionaryObject | generic.ArrayObject)
        found = found[int(key)] if isinstance(found, generic.ArrayObject) else found[key]
    last = path[-1]
    assert isinstance(found, generic.DictionaryObject | generic.ArrayObject)
    target = found.raw_get(int(last)) if isinstance(found, generic.ArrayObject) else found.raw_get(last)
    assert isinstance(target, generic.IndirectObject)
    return int(target.idnum)
