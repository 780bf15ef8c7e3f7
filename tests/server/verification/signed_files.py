"""Files that the tests sign, with pikepdf and pyHanko's writer side."""

from datetime import UTC, datetime
from io import BytesIO

import pikepdf
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, pkcs12
from cryptography.x509.oid import ExtendedKeyUsageOID
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields
from pyhanko.sign.signers import PdfSignatureMetadata, PdfSigner, SimpleSigner
from pyhanko.sign.timestamps import DummyTimeStamper, TimeStamper
from pyhanko_certvalidator.registry import SimpleCertificateStore

from kho_server.dev_certificates import Holder, distinguished_name, issue, signing_key, tls_key
from kho_server.dev_pki import DevPki, authority, pkcs12_of

SIGNER_USAGES = ("digital_signature", "content_commitment")


def unsigned_pdf(pages: int = 1, text: str = "Quyet dinh cap giay phep") -> bytes:
    """Draw a small PDF with Vietnamese metadata and uncompressed page contents."""
    document = pikepdf.new()
    font = document.make_indirect(pikepdf.Dictionary(Type=pikepdf.Name.Font, Subtype=pikepdf.Name.Type1))
    font.BaseFont = pikepdf.Name.Helvetica
    for number in range(1, pages + 1):
        page = document.add_blank_page(page_size=(595, 842))
        page.Resources = pikepdf.Dictionary(Font=pikepdf.Dictionary(F1=font))
        content = f"BT /F1 14 Tf 72 760 Td ({text}, trang {number}) Tj ET".encode("ascii")
        page.Contents = document.make_stream(content)
    document.docinfo["/Title"] = "Giấy chứng nhận quyền sử dụng đất của bà Nguyễn Thị Đào"
    out = BytesIO()
    document.save(out, compress_streams=False, object_stream_mode=pikepdf.ObjectStreamMode.disable)
    return out.getvalue()


def dev_signer(pki: DevPki, name: str) -> SimpleSigner:
    """Load a signer of the development PKI."""
    signer: SimpleSigner = SimpleSigner.load_pkcs12_data(pki.signer(name).read_bytes(), other_certs=[])
    return signer


def signer_with(
    pki: DevPki,
    *,
    usages: tuple[str, ...] = SIGNER_USAGES,
    valid: tuple[datetime, datetime] = (datetime(2025, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)),
    name: str = "Lê Thị Bưởi",
) -> tuple[SimpleSigner, Holder]:
    """Issue one more signer from the development PKI's issuing authority."""
    issuing = authority(pki, "issuing-ca")
    holder = issue(distinguished_name(name, "TEST"), signing_key(), issuing, usages=usages, valid=valid)
    packed = pkcs12_of(holder, "test", (issuing,))
    assert pkcs12.load_key_and_certificates(packed, None)[1] is not None
    return SimpleSigner.load_pkcs12_data(packed, other_certs=[]), holder


def namesake(name: x509.Name) -> bytes:
    """Make the certificate (DER) of an authority that calls itself, and its issuer, `name`, without key identifiers."""
    key = tls_key()
    builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number())
    builder = builder.not_valid_before(datetime(2025, 1, 1)).not_valid_after(datetime(2036, 1, 1))
    builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
    return builder.sign(key, hashes.SHA256()).public_bytes(Encoding.DER)


def time_stamper(pki: DevPki, at: datetime) -> DummyTimeStamper:
    """Make a time-stamp authority under the development PKI's issuing authority, whose clock stands at `at`."""
    issuing = authority(pki, "issuing-ca")
    holder = issue(
        distinguished_name("Dấu thời gian", "TEST"),
        signing_key(),
        issuing,
        usages=("digital_signature",),
        valid=(datetime(2025, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)),
        purposes=(ExtendedKeyUsageOID.TIME_STAMPING,),
    )
    signer = SimpleSigner.load_pkcs12_data(pkcs12_of(holder, "tsa", (issuing,)), other_certs=[])
    store = SimpleCertificateStore()
    store.register_multiple(signer.cert_registry)
    return DummyTimeStamper(signer.signing_cert, signer.signing_key, certs_to_embed=store, fixed_dt=at)


def sign(
    pdf: bytes,
    signer: SimpleSigner,
    field: str,
    *,
    box: tuple[int, int, int, int] | None = (30, 700, 230, 780),
    md: str = "sha256",
    subfilter: fields.SigSeedSubFilter = fields.SigSeedSubFilter.PADES,
    certify: bool = False,
    strict: bool = True,
    reserve: int | None = None,
    time_stamper: TimeStamper | None = None,
) -> bytes:
    """Append one signature, visible on page 1 if it has a box."""
    writer = IncrementalPdfFileWriter(BytesIO(pdf), strict=strict)
    spec = fields.SigFieldSpec(field, on_page=0, box=box)
    meta = PdfSignatureMetadata(
        field_name=field,
        md_algorithm=md,
        subfilter=subfilter,
        name="Nguyễn Văn Ổi",
        reason="Ký số văn bản",
        certify=certify,
    )
    out = BytesIO()
    PdfSigner(meta, signer, timestamper=time_stamper, new_field_spec=spec).sign_pdf(
        writer, output=out, bytes_reserved=reserve
    )
    return out.getvalue()
