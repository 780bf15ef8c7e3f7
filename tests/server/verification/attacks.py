"""Changes to signed files that an attacker, or a broken tool, would make."""

import re
from collections.abc import Iterable
from io import BytesIO

from asn1crypto import cms, x509
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign import fields

EVIL = b"BT /F1 14 Tf 72 760 Td (Gia mao) Tj ET"


def contents_span(pdf: bytes) -> tuple[int, int]:
    """Return where the last signature's hex string begins and ends, brackets included."""
    start, end = re.findall(rb"/ByteRange\s*\[\s*0 (\d+) (\d+) ", pdf)[-1]
    return int(start), int(end)


def cms_of(pdf: bytes) -> bytes:
    """Return the last signature's CMS, without the zeros that pad it."""
    start, end = contents_span(pdf)
    padded = bytes.fromhex(pdf[start + 1 : end - 1].decode())
    length = int.from_bytes(padded[2:4], "big") + 4  # DER SEQUENCE with two bytes of length
    return padded[:length]


def with_cms(pdf: bytes, der: bytes) -> bytes:
    """Put another CMS into the last signature, padded as before."""
    start, end = contents_span(pdf)
    assert 2 * len(der) <= end - start - 2
    digits = der.hex().encode().ljust(end - start - 2, b"0")
    return pdf[: start + 1] + digits + pdf[end - 1 :]


def with_content(pdf: bytes, content: bytes) -> bytes:
    """Put content into the last signature's CMS, which should be detached; nothing signs its absence."""
    info = cms.ContentInfo.load(cms_of(pdf))
    info["content"]["encap_content_info"] = {"content_type": "data", "content": content}
    return with_cms(pdf, info.dump(force=True))


def with_second_signer(pdf: bytes, *, spoil: bool = False) -> bytes:
    """Enter the one signer of the last signature twice, the second time with a wrong value if told to."""
    info = cms.ContentInfo.load(cms_of(pdf))
    signers = info["content"]["signer_infos"]
    second = signers[0].copy()
    if spoil:
        value = second["signature"].native
        second["signature"] = bytes([value[0] ^ 1]) + value[1:]
    info["content"]["signer_infos"] = cms.SignerInfos([signers[0], second])
    return with_cms(pdf, info.dump(force=True))


def with_certificates(pdf: bytes, certificates: Iterable[bytes]) -> bytes:
    """Add certificates (DER) to the last signature's CMS; nobody signs the set."""
    info = cms.ContentInfo.load(cms_of(pdf))
    present = list(info["content"]["certificates"])
    info["content"]["certificates"] = present + [
        cms.CertificateChoices("certificate", x509.Certificate.load(one)) for one in certificates
    ]
    return with_cms(pdf, info.dump(force=True))


def changed_page(pdf: bytes) -> bytes:
    """Append an orderly update that replaces the content of page 1."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    page, _ = writer.find_page_for_modification(0)
    page.get_object()[pdf_name("/Contents")] = writer.add_object(generic.StreamObject(stream_data=EVIL))
    writer.update_container(page.get_object())
    return _written(writer)


def text_field_added(pdf: bytes) -> bytes:
    """Append an update that lays a filled-in text field over page 1."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    field = generic.DictionaryObject(
        {
            pdf_name("/Type"): pdf_name("/Annot"),
            pdf_name("/Subtype"): pdf_name("/Widget"),
            pdf_name("/FT"): pdf_name("/Tx"),
            pdf_name("/T"): generic.pdf_string("SoTien"),
            pdf_name("/V"): generic.pdf_string("9.000.000.000"),
            pdf_name("/Rect"): generic.ArrayObject(map(generic.NumberObject, (70, 750, 400, 780))),
        }
    )
    _register(writer, writer.add_object(field))
    return _written(writer)


def second_field_for_signature(pdf: bytes) -> bytes:
    """Append an update in which another field points to the first signature."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    first = writer.root["/AcroForm"]["/Fields"][0]
    field = generic.DictionaryObject(
        {
            pdf_name("/FT"): pdf_name("/Sig"),
            pdf_name("/T"): generic.pdf_string("LanhDao"),
            pdf_name("/V"): generic.IndirectObject(first.raw_get("/V").idnum, first.raw_get("/V").generation, writer),
        }
    )
    _register(writer, writer.add_object(field))
    return _written(writer)


def empty_signature_field(pdf: bytes, box: tuple[int, int, int, int] | None) -> bytes:
    """Append an update that adds a signature field nobody has signed."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf))
    fields.append_signature_field(writer, fields.SigFieldSpec("Trong", on_page=0, box=box))
    return _written(writer)


def hidden_update(pdf: bytes) -> bytes:
    """Append page content behind a cross-reference table that lists nothing.

    The library follows the table and sees no change; viewers that rebuild the table show the new page.
    """
    reader = PdfFileReader(BytesIO(pdf))
    page = reader.root["/Pages"]["/Kids"][0]
    number = page.raw_get("/Contents").idnum
    body = b"\n%d 0 obj\n<< /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (number, len(EVIL), EVIL)
    trailer = b"xref\n0 0\ntrailer\n<< /Size %d /Root %d 0 R /Prev %d >>\nstartxref\n%d\n%%%%EOF\n" % (
        int(reader.trailer["/Size"]),
        reader.root_ref.idnum,
        reader.last_startxref or 0,
        len(pdf) + len(body),
    )
    return pdf + body + trailer


def _register(writer: IncrementalPdfFileWriter, field: generic.IndirectObject) -> None:
    form = writer.root["/AcroForm"]
    form["/Fields"].append(field)
    writer.update_container(form["/Fields"])
    writer.register_annotation(writer.find_page_for_modification(0)[0], field)


def _written(writer: IncrementalPdfFileWriter) -> bytes:
    out = BytesIO()
    writer.write(out)
    return out.getvalue()
