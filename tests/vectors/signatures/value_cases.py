"""Rows 12 to 15 and 25: the signature value, its attributes, its algorithms, and odd company."""

from datetime import UTC, datetime, timedelta
from io import BytesIO

import pikepdf
from asn1crypto import cms
from cryptography.hazmat.primitives.asymmetric import ec
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.generic import pdf_name
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter

from tests.server.verification import attacks
from tests.server.verification.signed_files import unsigned_pdf
from tests.vectors.signatures.cms_values import attribute, signed_data, signer_info
from tests.vectors.signatures.document_cases import base, both
from tests.vectors.signatures.pdf_files import covered, signed, updated, with_value
from tests.vectors.signatures.pki import AT, LIFE, UNTIL, crl, issue, rsa_key, stamping, world
from tests.vectors.signatures.vector import Material, Vector

PASSED = "TOTAL_PASSED"
OLD = (datetime(2006, 1, 1, tzinfo=UTC), UNTIL)


def _spoilt_value() -> bytes:
    info = cms.ContentInfo.load(attacks.cms_of(base()))
    signer = info["content"]["signer_infos"][0]
    value = bytearray(signer["signature"].native)
    value[17] ^= 1
    signer["signature"] = bytes(value)
    return attacks.with_cms(base(), info.dump(force=True))


def _without_certificates() -> bytes:
    info = signer_info(covered(base()), world().officer)
    return attacks.with_cms(base(), signed_data([info], []))


def _weak(md: str, *, since: tuple[datetime, datetime] = LIFE, stamped: datetime | None = None) -> Material:
    holder = issue("Người ký cũ", world().issuing, key=rsa_key("officer"), valid=since)
    stampers = [world().stamper(stamped)] if stamped is not None else []
    return Material(with_value(base(), holder, md=md, stampers=stampers))


def _weak_key(key: object, *, since: tuple[datetime, datetime] = LIFE, stamped: datetime | None = None) -> Material:
    holder = issue("Khóa ngắn", world().issuing, key=key, valid=since)  # type: ignore[arg-type]
    stampers = [world().stamper(stamped)] if stamped is not None else []
    return Material(with_value(base(), holder, stampers=stampers))


def _two_signers(*, second_is_bad: bool) -> bytes:
    content = covered(base())
    first = signer_info(content, world().officer)
    second = signer_info(b"other" if second_is_bad else content, world().agency)
    return attacks.with_cms(base(), signed_data([first, second], [world().officer, world().agency, world().issuing]))


def _injected_stamp() -> bytes:
    nobody = stamping("Dấu lạ", None)
    return with_value(base(), world().officer, stampers=[world().stamper(AT - timedelta(hours=1), nobody)])


def _injected_attribute() -> bytes:
    odd = attribute("1.2.840.113549.1.9.16.2.21", cms.ContentType("data"))
    return with_value(base(), world().officer, unsigned=[odd])


def _encrypted() -> bytes:
    out = BytesIO()
    with pikepdf.open(BytesIO(base())) as document:
        document.save(out, encryption=pikepdf.Encryption(owner="o", user="u"))
    return out.getvalue()


def _active(key: str, value: generic.PdfObject) -> bytes:
    def update(writer: IncrementalPdfFileWriter) -> None:
        writer.root[pdf_name(key)] = value
        writer.update_root()

    return signed(updated(unsigned_pdf(2), update))


def _dictionary(**entries: generic.PdfObject) -> generic.DictionaryObject:
    return generic.DictionaryObject({pdf_name(f"/{key}"): value for key, value in entries.items()})


def _subfilter(name: bytes) -> bytes:
    old = b"/ETSI.CAdES.detached"
    head, tail = base().rsplit(old, 1)
    return head + name.ljust(len(old)) + tail


def value_cases() -> list[Vector]:
    """Return the vectors of rows 12 to 15 and 25."""
    officer, agency = world().officer, world().agency
    text = generic.pdf_string("app.alert(1)")
    return [
        Vector(12, "value-altered", "SIG_CRYPTO_FAILURE", _spoilt_value),
        Vector(12, "value-by-another-key", "SIG_CRYPTO_FAILURE", lambda: with_value(base(), officer, key=agency)),
        Vector(
            12,
            "value-by-another-family-of-key",
            "SIG_CRYPTO_FAILURE",
            lambda: with_value(base(), officer, key=issue("Khác", world().issuing)),
        ),
        Vector(13, "message-digest-missing", "FORMAT_FAILURE", lambda: with_value(base(), officer, digests=0)),
        Vector(13, "message-digest-doubled", "FORMAT_FAILURE", lambda: with_value(base(), officer, digests=2)),
        Vector(13, "content-type-missing", "FORMAT_FAILURE", lambda: with_value(base(), officer, content_types=())),
        Vector(
            13,
            "content-type-mismatch",
            "FORMAT_FAILURE",
            lambda: with_value(base(), officer, content_types=("enveloped_data",)),
        ),
        Vector(13, "content-inside-detached", "FORMAT_FAILURE", lambda: attacks.with_content(base(), b"x")),
        Vector(
            14,
            "signing-certificate-missing",
            "SIG_CONSTRAINTS_FAILURE",
            lambda: with_value(base(), officer, named=None),
        ),
        Vector(
            14,
            "signing-certificate-of-another",
            "NO_SIGNING_CERTIFICATE_FOUND",
            lambda: with_value(base(), officer, named=agency),
        ),
        Vector(14, "no-certificate-at-all", "NO_SIGNING_CERTIFICATE_FOUND", _without_certificates),
        Vector(15, "sha1-after-its-end", "CRYPTO_CONSTRAINTS_FAILURE", lambda: _weak("sha1")),
        Vector(15, "sha1-without-proof", "CRYPTO_CONSTRAINTS_FAILURE_NO_POE", lambda: _weak("sha1", since=OLD)),
        Vector(
            15,
            "sha1-proven-in-time",
            PASSED,
            lambda: _weak("sha1", since=OLD, stamped=datetime(2016, 5, 1, tzinfo=UTC)),
        ),
        Vector(
            15,
            "sha1-proven-too-late",
            "CRYPTO_CONSTRAINTS_FAILURE",
            lambda: _weak("sha1", since=OLD, stamped=datetime(2020, 5, 1, tzinfo=UTC)),
        ),
        Vector(15, "md5", "CRYPTO_CONSTRAINTS_FAILURE", lambda: _weak("md5")),
        Vector(15, "rsa-1024", "CRYPTO_CONSTRAINTS_FAILURE", lambda: _weak_key(rsa_key("short", 1024))),
        Vector(
            15,
            "rsa-1024-proven-in-time",
            PASSED,
            lambda: _weak_key(rsa_key("short", 1024), since=OLD, stamped=datetime(2012, 1, 1, tzinfo=UTC)),
        ),
        Vector(15, "ec-224", "CRYPTO_CONSTRAINTS_FAILURE", lambda: _weak_key(ec.generate_private_key(ec.SECP224R1()))),
        Vector(15, "ec-192", "CRYPTO_CONSTRAINTS_FAILURE", lambda: _weak_key(ec.generate_private_key(ec.SECP192R1()))),
        Vector(
            25,
            "one-of-two-signatures-untrusted",
            "NO_CERTIFICATE_CHAIN_FOUND",
            lambda: signed(base(), issue("Tự xưng", key=rsa_key("self")), "CoQuan"),
        ),
        Vector(
            25,
            "one-of-two-signatures-revoked",
            "REVOKED_NO_POE",
            lambda: Material(
                both(),
                world().trust(crl(world().root), crl(world().issuing, [(agency, AT - timedelta(days=2))]), fresh=False),
            ),
        ),
        Vector(25, "untrusted-time-stamp-injected", PASSED, _injected_stamp, "TIME_STAMP_NOT_TRUSTED"),
        Vector(25, "unknown-attribute-injected", PASSED, _injected_attribute),
        Vector(25, "encrypted", "SIGNED_DATA_NOT_FOUND", _encrypted, "ENCRYPTED"),
        Vector(
            25,
            "script-on-opening",
            PASSED,
            lambda: _active("/OpenAction", _dictionary(S=pdf_name("/JavaScript"), JS=text)),
            "ACTIVE_CONTENT",
        ),
        Vector(
            25,
            "launch-on-opening",
            PASSED,
            lambda: _active("/OpenAction", _dictionary(S=pdf_name("/Launch"), F=text)),
            "ACTIVE_CONTENT",
        ),
        Vector(
            25,
            "xfa-form",
            PASSED,
            lambda: _active("/AcroForm", _dictionary(Fields=generic.ArrayObject(), XFA=text)),
            "ACTIVE_CONTENT",
        ),
        Vector(
            25,
            "subfilter-pkcs7-sha1",
            "SIG_CONSTRAINTS_FAILURE",
            lambda: _subfilter(b"/adbe.pkcs7.sha1"),
            "UNSUPPORTED_SUBFILTER",
        ),
        Vector(
            25,
            "subfilter-x509-rsa",
            "SIG_CONSTRAINTS_FAILURE",
            lambda: _subfilter(b"/adbe.x509.rsa_sha1"),
            "UNSUPPORTED_SUBFILTER",
        ),
        Vector(
            25,
            "subfilter-of-nobody",
            "SIG_CONSTRAINTS_FAILURE",
            lambda: _subfilter(b"/Kho.own"),
            "UNSUPPORTED_SUBFILTER",
        ),
        Vector(25, "two-signers-one-bad", "HASH_FAILURE", lambda: _two_signers(second_is_bad=True), "SEVERAL_SIGNERS"),
        Vector(0, "two-signers", PASSED, lambda: _two_signers(second_is_bad=False), "SEVERAL_SIGNERS"),
    ]
