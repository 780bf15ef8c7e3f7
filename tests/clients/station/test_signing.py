"""Two signatures in a row: both good, the first untouched by the second, each where the rules want it."""

import io
import random
import re
import shutil
import subprocess
import time
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pypdfium2
import pytest
from PIL import Image
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import ValidationContext

from kho_station.assembly import assemble_pdf
from kho_station.signing import (
    Corner,
    KeyFileError,
    Mark,
    SigningError,
    load_p12,
    sign_pdf,
    sign_pdf_in_thread,
)
from tests.clients.station.throwaway_pki import ThrowawayPki

HANOI = timezone(timedelta(hours=7))


@pytest.fixture(scope="module")
def pki(tmp_path_factory: pytest.TempPathFactory) -> ThrowawayPki:
    return ThrowawayPki.make(tmp_path_factory.mktemp("pki"))


@pytest.fixture(scope="module")
def pdf() -> bytes:
    return assemble_pdf([_page(seed) for seed in (1, 2)])


def _page(seed: int) -> bytes:
    target = io.BytesIO()
    noise = random.Random(seed).randbytes(207 * 293)
    Image.frombytes("L", (207, 293), noise).resize((827, 1170)).save(target, "JPEG", dpi=(100, 100))
    return target.getvalue()


def _officer(at: datetime | None = None) -> Mark:
    return Mark(
        field_name="CanBo",
        corner=Corner.OFFICER,
        lines=("NGƯỜI MẪU 01",),
        at=at or datetime.now(HANOI),
        reason="Số hóa giấy tờ",
        location="Bộ phận một cửa xã Mẫu",
    )


def _agency(at: datetime | None = None) -> Mark:
    return Mark(
        field_name="CoQuan",
        corner=Corner.AGENCY,
        lines=("SAO Y", "ỦY BAN NHÂN DÂN XÃ MẪU"),
        at=at or datetime.now(HANOI),
        reason="Sao y",
        location="Xã Mẫu",
    )


def _corner_text(data: bytes, folder: Path, *, x: int) -> list[str]:
    """Return what a reader shows in the top 60 points of the first page, half a page wide from x on."""
    document = pypdfium2.PdfDocument(data)  # type: ignore[no-untyped-call]  # the library has no types
    document.init_forms()  # type: ignore[no-untyped-call]  # same
    document[0].flatten()
    document.save(folder / "flat.pdf")  # type: ignore[no-untyped-call]  # same
    pdftotext = shutil.which("pdftotext")
    assert pdftotext, "install poppler-utils (make setup does)"
    area = ["-r", "72", "-x", str(x), "-y", "0", "-W", "297", "-H", "60", "-l", "1"]
    shown = subprocess.run([pdftotext, *area, folder / "flat.pdf", "-"], capture_output=True, check=True)
    return shown.stdout.decode().split("\n")[:-2]


@pytest.fixture(scope="module")
def signed(pki: ThrowawayPki, pdf: bytes) -> bytes:
    once = sign_pdf(pdf, load_p12(pki.p12("NGƯỜI MẪU 01")), _officer())
    return sign_pdf(once, load_p12(pki.p12("ỦY BAN NHÂN DÂN XÃ MẪU")), _agency())


async def _statuses(data: bytes, pki: ThrowawayPki) -> list[PdfSignatureStatus]:
    reader = PdfFileReader(io.BytesIO(data))
    trust = ValidationContext(trust_roots=[pki.anchor], allow_fetching=False, revocation_mode="soft-fail")
    return [
        await async_validate_pdf_signature(found, signer_validation_context=trust)
        for found in reader.embedded_signatures
    ]


async def test_both_signatures_hold(signed: bytes, pki: ThrowawayPki) -> None:
    officer, agency = await _statuses(signed, pki)
    assert officer.bottom_line, officer.pretty_print_details()
    assert agency.bottom_line, agency.pretty_print_details()
    assert officer.modification_level is ModificationLevel.FORM_FILLING
    assert agency.coverage is SignatureCoverageLevel.ENTIRE_FILE
    assert officer.md_algorithm == agency.md_algorithm == "sha256"


def test_signing_only_appends(signed: bytes, pdf: bytes) -> None:
    assert signed.startswith(pdf)
    assert signed.count(b"/ETSI.CAdES.detached") == 2


async def test_a_changed_page_breaks_both(signed: bytes, pki: ThrowawayPki) -> None:
    at = signed.index(b"\xff\xda") + 500
    broken = signed[:at] + bytes([signed[at] ^ 1]) + signed[at + 1 :]
    assert [status.intact for status in await _statuses(broken, pki)] == [False, False]


def test_marks_show_name_and_time_in_their_corners(pki: ThrowawayPki, pdf: bytes, tmp_path: Path) -> None:
    at = datetime(2026, 11, 21, 8, 30, 5, tzinfo=HANOI)
    signer = load_p12(pki.p12("NGƯỜI MẪU 01"))
    once = sign_pdf(pdf, signer, _officer(at))
    twice = sign_pdf(once, signer, _agency(at))
    assert _corner_text(twice, tmp_path, x=0) == ["NGƯỜI MẪU 01", "2026-11-21T08:30:05+07:00"]
    assert _corner_text(twice, tmp_path, x=298) == [
        "SAO Y",
        "ỦY BAN NHÂN DÂN XÃ MẪU",
        "2026-11-21T08:30:05+07:00",
    ]
    reader = PdfFileReader(io.BytesIO(twice))
    assert [found.self_reported_timestamp for found in reader.embedded_signatures] == [at, at]


def test_another_reader_finds_both_signatures_good(signed: bytes, tmp_path: Path) -> None:
    path = tmp_path / "signed.pdf"
    path.write_bytes(signed)
    pdfsig = shutil.which("pdfsig")
    assert pdfsig, "install poppler-utils (make setup does)"
    told = subprocess.run([pdfsig, "-nocert", str(path)], capture_output=True, text=True, check=False).stdout
    assert told.count("Signature is Valid.") == 2
    assert re.search(r"Signature #2.*Total document signed", told, re.DOTALL)


async def test_forty_pages_sign_well_under_a_second(pki: ThrowawayPki) -> None:
    noise = random.Random(5)
    sheets = []
    for _ in range(40):
        # Grain that JPEG cannot press together: some 600 KB a page.
        target = io.BytesIO()
        Image.frombytes("L", (827, 1170), noise.randbytes(827 * 1170)).save(target, "JPEG", quality=70, dpi=(100, 100))
        sheets.append(target.getvalue())
    document = assemble_pdf(sheets)
    assert len(document) > 20_000_000
    signer = load_p12(pki.p12("NGƯỜI MẪU 01"))
    begun = time.perf_counter()
    result = await sign_pdf_in_thread(document, signer, _officer())
    assert time.perf_counter() - begun < 1.5  # 0.1 s measured; the rest is for a loaded machine
    assert len(result) - len(document) < 60_000


def test_a_taken_field_name_is_refused(signed: bytes, pki: ThrowawayPki) -> None:
    with pytest.raises(SigningError, match="CanBo"):
        sign_pdf(signed, load_p12(pki.p12("NGƯỜI MẪU 01")), _officer())


@pytest.mark.parametrize("data", [b"", b"%PDF-1.4\n", b"\x00" * 4096])
def test_what_is_no_pdf_is_refused(data: bytes, pki: ThrowawayPki) -> None:
    with pytest.raises(SigningError, match="assemble it anew"):
        sign_pdf(data, load_p12(pki.p12("NGƯỜI MẪU 01")), _officer())


def test_key_files_that_do_not_open_say_why(pki: ThrowawayPki, tmp_path: Path) -> None:
    locked = pki.p12("NGƯỜI MẪU 01", passphrase="đúng")
    assert load_p12(locked, "đúng").subject_name
    with pytest.raises(KeyFileError, match="passphrase"):
        load_p12(locked, "sai")
    with pytest.raises(KeyFileError, match="cannot be read"):
        load_p12(tmp_path / "absent.p12")


@pytest.mark.parametrize(
    "change", [{"at": datetime(2026, 11, 21)}, {"field_name": "a.b"}, {"field_name": ""}, {"lines": ()}]
)
def test_marks_that_the_rules_forbid_do_not_exist(change: dict[str, object]) -> None:
    wanted: dict[str, object] = {
        "field_name": "CanBo",
        "corner": Corner.OFFICER,
        "lines": ("NGƯỜI MẪU 01",),
        "at": datetime.now(HANOI),
        "reason": "",
        "location": "",
    }
    with pytest.raises(ValueError):
        Mark(**{**wanted, **change})  # type: ignore[arg-type]  # one field is wrong on purpose
