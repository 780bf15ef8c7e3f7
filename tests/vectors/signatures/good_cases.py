"""Row 0: files that are odd and right; and both sides of the line between officer and agency."""

import re
from collections.abc import Callable
from datetime import timedelta
from io import BytesIO
from typing import Any

import pikepdf
from asn1crypto import cms, core, keys, pdf
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign.fields import SigSeedSubFilter
from pyhanko.sign.signers.pdf_byterange import DocumentTimestamp

from tests.server.verification import attacks
from tests.server.verification.signed_files import unsigned_pdf
from tests.vectors.signatures.cms_values import attribute, signed_data, signer_info
from tests.vectors.signatures.document_cases import base, both
from tests.vectors.signatures.pdf_files import (
    annotation,
    covered,
    filled_in,
    number_of,
    page,
    raw_update,
    signed,
    stream,
    time_stamped,
    updated,
    with_store,
    with_text_field,
    with_value,
)
from tests.vectors.signatures.pki import AT, SINCE, Holder, crl, issue, rsa_key, world
from tests.vectors.signatures.vector import Material, Vector

PASSED, FORMAT = "TOTAL_PASSED", "FORMAT_FAILURE"
DAY = timedelta(days=1)
STAMPED = AT - 30 * DAY
TOP_LEFT, TOP_RIGHT, MIDDLE = (40, 720, 220, 745), (320, 720, 540, 745), (40, 400, 220, 425)


def _stored(change: Callable[[generic.DictionaryObject, IncrementalPdfFileWriter], None]) -> bytes:
    """Officer and agency, then a security store that another tool wrote."""
    pdf = with_store(both(), attacks.cms_of(both()), crls=[crl(world().issuing)], certs=[world().issuing.asn1])

    def update(writer: IncrementalPdfFileWriter) -> None:
        store = writer.root["/DSS"]
        change(store, writer)
        writer.update_container(store)

    return updated(pdf, update)


def _odd_record(store: generic.DictionaryObject, writer: IncrementalPdfFileWriter) -> None:
    for key in store["/VRI"]:
        record = store["/VRI"][key]
        record[pdf_name("/Type")] = pdf_name("/Whatever")
        record[pdf_name("/TU")] = generic.pdf_string("D:20261121")
        writer.update_container(record)


def _extra_entries(store: generic.DictionaryObject, writer: IncrementalPdfFileWriter) -> None:
    store[pdf_name("/Tool")] = generic.pdf_string("another")
    store[pdf_name("/Certs")].append(writer.add_object(generic.StreamObject(stream_data=b"not a certificate")))


def _dangling(store: generic.DictionaryObject, writer: IncrementalPdfFileWriter) -> None:
    store["/CRLs"].append(generic.IndirectObject(4321, 0, writer))
    writer.update_container(store["/CRLs"])


def _resources_copied() -> bytes:
    """The page points to an equal copy, and the object that held the old one is freed."""

    def prepare(writer: IncrementalPdfFileWriter) -> None:
        first = page(writer)
        first[pdf_name("/Resources")] = writer.add_object(first["/Resources"])

    pdf = signed(updated(unsigned_pdf(2), prepare))
    number = number_of(pdf, "/Pages", "/Kids", "0", "/Resources")

    def update(writer: IncrementalPdfFileWriter) -> None:
        first = page(writer)
        copy = generic.DictionaryObject({key: first["/Resources"].raw_get(key) for key in first["/Resources"]})
        first[pdf_name("/Resources")] = writer.add_object(copy)

    return raw_update(updated(pdf, update), {}, listed={number: None})


def _content_repacked() -> bytes:
    def update(writer: IncrementalPdfFileWriter) -> None:
        first = page(writer)
        repacked = generic.StreamObject(stream_data=first["/Contents"].data)
        repacked.compress()
        first[pdf_name("/Contents")] = writer.add_object(repacked)

    return updated(base(), update)


def _unused_freed() -> bytes:
    numbers: list[int] = []

    def prepare(writer: IncrementalPdfFileWriter) -> None:
        numbers.append(writer.add_object(generic.pdf_string("scratch")).idnum)

    pdf = signed(updated(unsigned_pdf(2), prepare))
    return raw_update(pdf, {}, listed={numbers[0]: None})


def _stamp_type(new: bytes) -> bytes:
    """A document time-stamp whose dictionary says another type, or none; signed like that."""
    original: Any = DocumentTimestamp.__init__

    def changed(self: DocumentTimestamp, *arguments: Any, **named: Any) -> None:
        original(self, *arguments, **named)
        del self[pdf_name("/Type")]
        if new:
            self[pdf_name("/Type")] = generic.NullObject() if new == b"null" else pdf_name(new.decode())

    DocumentTimestamp.__init__ = changed  # type: ignore[method-assign]
    try:
        return time_stamped(base(), STAMPED)
    finally:
        DocumentTimestamp.__init__ = original  # type: ignore[method-assign]


def _hybrid() -> bytes:
    """A hybrid cross-reference file as office software writes it: a table, and a stream for what it hides."""
    blank = unsigned_pdf(2)
    size = int(re.findall(rb"/Size (\d+)", blank)[-1])
    pdf = bytearray(blank if blank.endswith(b"\n") else blank + b"\n")
    inner = b"<< /Producer (office) >>"
    packed = b"%d 0 " % size + inner
    object_stream = len(pdf)
    pdf += b"%d 0 obj\n<< /Type /ObjStm /N 1 /First %d /Length %d >>\nstream\n%s\nendstream\nendobj\n" % (
        size + 1,
        len(b"%d 0 " % size),
        len(packed),
        packed,
    )
    section = len(pdf)
    entries = b"\x02" + (size + 1).to_bytes(4, "big") + b"\x00"
    pdf += (
        b"%d 0 obj\n<< /Type /XRef /Size %d /Index [%d 1] /W [1 4 1] /Length %d >>\nstream\n%s\nendstream\nendobj\n"
        % (
            size + 2,
            size + 3,
            size,
            len(entries),
            entries,
        )
    )
    table = len(pdf)
    root = re.findall(rb"/Root (\d+ 0 R)", blank)[-1]
    previous = int(blank.rsplit(b"startxref", 1)[1].split()[0])
    pdf += b"xref\n%d 3\n0000000000 65535 f \n%010d 00000 n \n%010d 00000 n \n" % (size, object_stream, section)
    pdf += b"trailer\n<< /Size %d /Root %s /Prev %d /XRefStm %d >>\nstartxref\n%d\n%%%%EOF\n" % (
        size + 3,
        root,
        previous,
        section,
        table,
    )
    return signed(signed(bytes(pdf)), world().agency, "CoQuan", box=(330, 600, 500, 640))


def _negative_modulus() -> Material:
    """An RSA key whose modulus lacks its leading zero byte, as on a whole generation of ID cards."""
    holder = issue("Thẻ cũ", world().issuing, key=rsa_key("officer"))
    assert isinstance(holder.key, rsa.RSAPrivateKey)
    numbers = holder.key.public_key().public_numbers()
    modulus = numbers.n - (1 << numbers.n.bit_length())
    wrong = keys.RSAPublicKey({"modulus": modulus, "public_exponent": numbers.e})
    certificate = holder.asn1
    certificate["tbs_certificate"]["subject_public_key_info"]["public_key"] = core.ParsableOctetBitString(wrong.dump())
    issuing_key = world().issuing.key
    assert isinstance(issuing_key, ec.EllipticCurvePrivateKey)
    body = certificate["tbs_certificate"].dump(force=True)
    certificate["signature_value"] = issuing_key.sign(body, ec.ECDSA(hashes.SHA256()))
    content = covered(base())
    info = signer_info(content, holder, named=None, more=[])
    value = cms.ContentInfo.load(signed_data([info], [world().issuing]))
    value["content"]["certificates"] = [certificate, world().issuing.asn1]
    old = base().replace(b"/ETSI.CAdES.detached", b"/adbe.pkcs7.detached")
    info = signer_info(covered(old), holder, named=None)
    value["content"]["signer_infos"] = cms.SignerInfos([info])
    return Material(attacks.with_cms(old, value.dump(force=True)))


def _archived_revocation() -> Material:
    archive = pdf.RevocationInfoArchival({"crl": [crl(world().issuing), crl(world().root)]})
    old = base().replace(b"/ETSI.CAdES.detached", b"/adbe.pkcs7.detached")
    data = with_value(old, world().officer, named=None, more=[attribute("adobe_revocation_info_archival", archive)])
    return Material(data, world().trust(fresh=False))


def _archive(*, expired: bool) -> Material:
    """Signed, time-stamped, stored and time-stamped again; judged when everything but the archive has run out."""
    holder = issue(
        "Lưu trữ", world().issuing, key=rsa_key("officer"), valid=(SINCE, AT - 10 * DAY if expired else AT + DAY)
    )
    data = with_value(base(), holder, stampers=[world().stamper(STAMPED)])
    lists = [crl(one, window=(STAMPED, STAMPED + 2 * DAY)) for one in (world().issuing, world().root)]
    data = with_store(data, attacks.cms_of(data), crls=lists, certs=[world().issuing.asn1])
    data = time_stamped(data, STAMPED + DAY)
    return Material(data, world().trust(fresh=not expired) if not expired else world().trust())


def _layout(**how: object) -> bytes:
    out = BytesIO()
    with pikepdf.open(BytesIO(unsigned_pdf(3))) as document:
        document.save(out, **how)  # type: ignore[arg-type]
    return signed(signed(out.getvalue()), world().agency, "CoQuan", box=None)


def _odd_fields() -> bytes:
    def update(writer: IncrementalPdfFileWriter) -> None:
        form = writer.root["/AcroForm"]
        empty = generic.DictionaryObject(
            {pdf_name("/T"): generic.pdf_string("rong"), pdf_name("/Kids"): generic.ArrayObject()}
        )
        form["/Fields"].append(writer.add_object(empty))
        writer.update_container(form["/Fields"])

    return signed(updated(with_text_field(unsigned_pdf(2), "ghi chu", MIDDLE), update))


def _agency_signs(pdf_bytes: bytes) -> bytes:
    return signed(pdf_bytes, world().agency, "CoQuan", box=(330, 600, 500, 640))


def _entered(box: tuple[int, int, int, int], value: str | None = None) -> bytes:
    prepared = with_text_field(unsigned_pdf(2), "So", box, value)
    return filled_in(signed(prepared), "So", "15/QĐ-UBND")


def _marked(subtype: str, box: tuple[int, int, int, int], index: int = 0) -> bytes:
    return updated(base(), lambda writer: annotation(writer, subtype, box, "15/QĐ-UBND", index))


def _content_appended() -> bytes:
    def update(writer: IncrementalPdfFileWriter) -> None:
        first = page(writer)
        more = stream(writer, b"BT /F1 12 Tf 60 740 Td (So: 15) Tj ET")
        first[pdf_name("/Contents")] = generic.ArrayObject([first.raw_get("/Contents"), more])

    return updated(base(), update)


def _metadata() -> bytes:
    def update(writer: IncrementalPdfFileWriter) -> None:
        writer.root[pdf_name("/Metadata")] = stream(
            writer, b"<x/>", Type=pdf_name("/Metadata"), Subtype=pdf_name("/XML")
        )
        writer.update_root()

    return updated(base(), update)


def good_cases() -> list[Vector]:
    """Return the vectors of row 0, and row 26: the line between officer and agency."""
    officer, agency = world().officer, world().agency
    content = b"Noi dung cua tep ban ky"

    def detached(*who: Holder) -> bytes:
        return signed_data([signer_info(content, one) for one in who], [*who, world().issuing])

    def attached(*who: Holder) -> bytes:
        infos = [signer_info(content, one) for one in who]
        return signed_data(infos, [*who, world().issuing], content=content)

    return [
        Vector(0, "officer", PASSED, base),
        Vector(0, "officer-and-agency", PASSED, both),
        Vector(0, "pkcs7-detached", PASSED, lambda: signed(subfilter=SigSeedSubFilter.ADOBE_PKCS7_DETACHED)),
        Vector(0, "with-time-stamp", PASSED, lambda: signed(stamped_at=STAMPED)),
        Vector(0, "with-document-time-stamp", PASSED, lambda: time_stamped(base(), STAMPED)),
        Vector(0, "archived", PASSED, lambda: _archive(expired=False)),
        Vector(0, "archived-and-expired", PASSED, lambda: _archive(expired=True)),
        Vector(0, "store-odd-record", PASSED, lambda: _stored(_odd_record)),
        Vector(0, "store-extra-entries", PASSED, lambda: _stored(_extra_entries)),
        Vector(0, "store-dangling-reference", PASSED, lambda: _stored(_dangling)),
        Vector(0, "resources-copied-and-freed", PASSED, _resources_copied),
        Vector(0, "content-repacked", PASSED, _content_repacked),
        Vector(0, "unused-object-freed", PASSED, _unused_freed),
        Vector(0, "metadata-added", PASSED, _metadata),
        Vector(0, "document-time-stamp-type-sig", PASSED, lambda: _stamp_type(b"/Sig")),
        Vector(0, "document-time-stamp-type-null", PASSED, lambda: _stamp_type(b"null")),
        Vector(0, "document-time-stamp-without-type", PASSED, lambda: _stamp_type(b"")),
        Vector(0, "hybrid-cross-references", PASSED, _hybrid, "PARSED_LENIENTLY"),
        Vector(0, "negative-rsa-modulus", PASSED, _negative_modulus),
        Vector(0, "empty-content-inside", PASSED, lambda: attacks.with_content(base(), b"")),
        Vector(0, "adobe-revocation-archive", PASSED, _archived_revocation),
        Vector(0, "object-streams", PASSED, lambda: _layout(object_stream_mode=pikepdf.ObjectStreamMode.generate)),
        Vector(0, "linearized", PASSED, lambda: _layout(linearize=True)),
        Vector(0, "odd-form-fields", PASSED, _odd_fields),
        Vector(0, "white-space-at-the-end", PASSED, lambda: base() + b"\r\n\n"),
        Vector(0, "cms-detached", PASSED, lambda: Material(detached(officer), content=content)),
        Vector(0, "cms-detached-two-signers", PASSED, lambda: Material(detached(officer, agency), content=content)),
        Vector(0, "cms-attached", PASSED, lambda: attached(officer)),
        Vector(11, "cms-detached-other-content", "HASH_FAILURE", lambda: Material(detached(officer), content=b"other")),
        Vector(
            11, "cms-detached-without-content", "SIGNED_DATA_NOT_FOUND", lambda: detached(officer), "CONTENT_MISSING"
        ),
        Vector(
            25,
            "xml-signature",
            "SIG_CONSTRAINTS_FAILURE",
            lambda: b"<?xml version='1.0'?><ds:Signature/>",
            "UNSUPPORTED_FORMAT",
        ),
        Vector(
            25, "asic-container", "SIG_CONSTRAINTS_FAILURE", lambda: b"PK\x03\x04" + bytes(60), "UNSUPPORTED_FORMAT"
        ),
        Vector(26, "number-entered-before-agency", PASSED, lambda: _agency_signs(_entered(TOP_LEFT))),
        Vector(26, "date-marked-before-agency", PASSED, lambda: _agency_signs(_marked("FreeText", TOP_RIGHT))),
        Vector(26, "number-marked-before-agency", PASSED, lambda: _agency_signs(_marked("FreeText", TOP_LEFT))),
        Vector(26, "seal-before-agency", PASSED, lambda: _agency_signs(_marked("Stamp", (320, 150, 440, 260)))),
        Vector(26, "number-entered-and-nobody-signs", FORMAT, lambda: _entered(TOP_LEFT), "CHANGED_AFTER_SIGNING"),
        Vector(
            26, "date-marked-and-nobody-signs", FORMAT, lambda: _marked("FreeText", TOP_RIGHT), "CHANGED_AFTER_SIGNING"
        ),
        Vector(26, "number-changed-before-agency", FORMAT, lambda: _agency_signs(_entered(TOP_LEFT, "14/QĐ-UBND"))),
        Vector(26, "entry-outside-declared-areas", FORMAT, lambda: _agency_signs(_entered(MIDDLE))),
        Vector(26, "mark-outside-declared-areas", FORMAT, lambda: _agency_signs(_marked("FreeText", MIDDLE))),
        Vector(26, "mark-on-another-page", FORMAT, lambda: _agency_signs(_marked("FreeText", TOP_RIGHT, 1))),
        Vector(26, "seal-far-too-large", FORMAT, lambda: _agency_signs(_marked("Stamp", (250, 10, 590, 400)))),
        Vector(26, "link-in-declared-area", FORMAT, lambda: _agency_signs(_marked("Link", TOP_LEFT))),
        Vector(
            26,
            "number-entered-after-agency",
            FORMAT,
            lambda: filled_in(_agency_signs(signed(with_text_field(unsigned_pdf(2), "So", TOP_LEFT))), "So", "15"),
        ),
        Vector(26, "content-appended-before-agency", FORMAT, lambda: _agency_signs(_content_appended())),
        Vector(26, "page-exchanged-before-agency", FORMAT, lambda: _agency_signs(attacks.changed_page(base()))),
    ]
