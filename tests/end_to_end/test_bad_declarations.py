"""What a station may declare wrongly: each is named at Begin, before the first byte, and leaves nothing behind."""

import unicodedata
from collections.abc import Callable
from dataclasses import replace

import grpc
import pytest

from kho.v1 import document_pb2, upload_service_pb2
from tests.end_to_end.caller import Caller, new_id, refusal, refused
from tests.end_to_end.papers import scanned

Begin = upload_service_pb2.BeginRequest
Change = Callable[[Begin], object]
_INVALID = grpc.StatusCode.INVALID_ARGUMENT
_DENIED = grpc.StatusCode.PERMISSION_DENIED


def _document(name: str, value: object) -> Change:
    return lambda request: setattr(request.document, name, value)


def _result(name: str, value: object) -> Change:
    return lambda request: setattr(request.document.result, name, value)


def _owners(*owners: str) -> Change:
    def change(request: Begin) -> None:
        request.document.result.owner_ids[:] = owners

    return change


CASES: dict[str, tuple[Change, grpc.StatusCode, str, str]] = {
    "no-request-id": (lambda r: r.ClearField("request_id"), _INVALID, "FIELD_REQUIRED", "request_id"),
    "request-id-no-uuid": (lambda r: setattr(r, "request_id", "1"), _INVALID, "FIELD_MALFORMED", "request_id"),
    "no-document-id": (lambda r: r.ClearField("document_id"), _INVALID, "FIELD_REQUIRED", "document_id"),
    "document-id-no-uuid": (
        lambda r: setattr(r, "document_id", "../../etc/passwd"),
        _INVALID,
        "FIELD_MALFORMED",
        "document_id",
    ),
    "no-document": (lambda r: r.ClearField("document"), _INVALID, "FIELD_REQUIRED", "document.kind"),
    "no-dossier": (_document("dossier_code", ""), _INVALID, "FIELD_REQUIRED", "document.dossier_code"),
    "dossier-malformed": (_document("dossier_code", "???"), _INVALID, "CODE_MALFORMED", "document.dossier_code"),
    "dossier-impossible-day": (
        _document("dossier_code", "000.00.16.H46-220230-0001"),
        _INVALID,
        "DATE_IMPOSSIBLE",
        "document.dossier_code",
    ),
    "no-procedure": (_document("procedure_code", ""), _INVALID, "FIELD_REQUIRED", "document.procedure_code"),
    "procedure-malformed": (_document("procedure_code", "xyz"), _INVALID, "CODE_MALFORMED", "document.procedure_code"),
    "no-result": (lambda r: r.document.ClearField("result"), _INVALID, "FIELD_REQUIRED", "document.result"),
    "no-type": (_result("type_code", ""), _INVALID, "FIELD_REQUIRED", "document.result.type_code"),
    "type-malformed": (_result("type_code", "KQ"), _INVALID, "CODE_MALFORMED", "document.result.type_code"),
    "owner-malformed": (_owners("\u200b!"), _INVALID, "", "document.result.owner_ids"),
    "owner-twice": (_owners("038085001234", "038085001234"), _INVALID, "", "document.result.owner_ids"),
    "too-many-owners": (
        _owners(*(f"0380850012{n:02}" for n in range(17))),
        _INVALID,
        "FIELD_TOO_LONG",
        "document.result.owner_ids",
    ),
    "30-february": (_result("issued_on", "2022-02-30"), _INVALID, "DATE_IMPOSSIBLE", "document.result.issued_on"),
    "day-in-words": (_result("valid_to", "tomorrow"), _INVALID, "FIELD_MALFORMED", "document.result.valid_to"),
    "month-13": (_result("valid_from", "2022-13-01"), _INVALID, "DATE_IMPOSSIBLE", ""),
    "validity-crossed": (
        lambda r: (_result("valid_from", "2022-02-02")(r), _result("valid_to", "2022-02-01")(r)),
        _INVALID,
        "DATES_CROSSED",
        "",
    ),
    "ends-before-issue": (
        lambda r: (_result("issued_on", "2022-02-02")(r), _result("valid_to", "2022-02-01")(r)),
        _INVALID,
        "DATES_CROSSED",
        "document.result.valid_to",
    ),
    "control-character": (_result("subject", "Giấy\x07"), _INVALID, "CONTROL_CHARACTER", "document.result.subject"),
    "direction-override": (_result("subject", "a\u202eb"), _INVALID, "CONTROL_CHARACTER", "document.result.subject"),
    "null-in-code": (_document("dossier_code", "000.00.16\0"), _INVALID, "CONTROL_CHARACTER", "document.dossier_code"),
    "subject-too-long": (_result("subject", "ă" * 501), _INVALID, "FIELD_TOO_LONG", "document.result.subject"),
    "number-too-long": (_result("number", "1" * 5000), _INVALID, "", "document.result.number"),
    "10001-pages": (lambda r: setattr(r, "pages", 10_001), _INVALID, "TOO_MANY_PAGES", "pages"),
    "4-thousand-million-pages": (lambda r: setattr(r, "pages", 0xFFFFFFFF), _INVALID, "TOO_MANY_PAGES", "pages"),
    "nothing": (lambda r: setattr(r, "pages", 0), _INVALID, "NOTHING_DECLARED", "pages"),
    "17-renditions": (lambda r: setattr(r, "renditions", 17), _INVALID, "FIELD_TOO_LONG", "renditions"),
    "unknown-officer": (lambda r: setattr(r, "officer_id", "nobody"), _DENIED, "OFFICER_NOT_ACCEPTED", ""),
    "officer-of-another-agency": (
        lambda r: setattr(r, "officer_id", "officer-b"),
        _DENIED,
        "OFFICER_NOT_ACCEPTED",
        "",
    ),
    "foreign-issuer": (_result("issuer_code", "000.00.17.H46"), _DENIED, "ISSUER_NOT_ALLOWED", ""),
    "issuer-that-is-not": (_result("issuer_code", "000.00.99.H46"), _DENIED, "ISSUER_NOT_ALLOWED", ""),
    "copy-of-no-uuid": (_document("copy_of", "x"), _INVALID, "FIELD_MALFORMED", "document.copy_of"),
    "result-on-a-processing-record": (
        _document("kind", document_pb2.DOCUMENT_KIND_PROCESSING),
        _INVALID,
        "FIELD_MALFORMED",
        "document.result",
    ),
}


@pytest.mark.parametrize("case", CASES)
async def test_a_bad_declaration_is_named_and_the_good_one_follows(station: Caller, case: str) -> None:
    """Status, reason and field say what is wrong; mended, the same document goes through."""
    change, code, reason, field = CASES[case]
    paper = scanned(1, 2000)
    request = paper.begin(new_id())
    change(request)
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await station.uploads.Begin(request)
    seen = refusal(caught.value, code, reason)
    if code is _INVALID:
        assert seen.fields, seen.text
    if field:
        assert seen.fields == (field,)
    assert (await station.store(paper)).version == 1


async def test_names_in_nfd_are_kept_in_nfc(station: Caller) -> None:
    """A station on macOS sends decomposed letters; what is kept and shown is composed."""
    subject = "Quyết định về việc cấp giấy chứng nhận quyền sử dụng đất"
    paper = scanned(1).declaring(subject=unicodedata.normalize("NFD", subject), number="15/QĐ-BNV")
    sealed = await station.store(paper)
    found = await station.lookup(sealed.result_code)
    assert (found.subject, found.number) == (subject, "15/QĐ-BNV")


async def test_codes_are_found_in_any_spelling(station: Caller) -> None:
    """Spaces, case and dash variants of result and public code lead to the same result."""
    sealed = await station.store(scanned(1))
    public = sealed.public_code
    spellings = (
        sealed.result_code.lower(),
        f"  {sealed.result_code} ",
        public.lower(),
        public.replace("-", "\u2013"),
        public.replace("-", " "),
    )
    for spelling in spellings:
        assert (await station.lookup(spelling)).document_id == sealed.document_id


async def test_a_public_code_with_one_wrong_letter_is_not_found(station: Caller) -> None:
    """The check character turns a slip of the tongue into "not found", never into another result."""
    public = (await station.store(scanned(1))).public_code
    for place in (5, 8, len(public) - 1):
        wrong = public[:place] + ("7" if public[place] != "7" else "8") + public[place + 1 :]
        await refused(station.lookup(wrong), grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND")


async def test_another_agencys_document_id_is_no_name_here(station: Caller, other: Caller) -> None:
    """Every call that names a document answers as if it had never been."""
    paper = scanned(1)
    await station.store(paper)
    missing = grpc.StatusCode.NOT_FOUND
    await refused(other.document(paper), missing, "DOCUMENT_NOT_FOUND")
    await refused(other.judged(paper), missing, "DOCUMENT_NOT_FOUND")
    await refused(other.read(paper, paper.sheets[0]), missing, "DOCUMENT_NOT_FOUND")
    by_name = replace(paper, document_id=(await station.document(paper)).name)
    await refused(other.document(by_name), missing, "DOCUMENT_NOT_FOUND")
    precondition = grpc.StatusCode.FAILED_PRECONDITION
    await refused(other.commit(paper), precondition, "UPLOAD_NOT_OPEN")
    await refused(other.send([paper.open()]), precondition, "UPLOAD_NOT_OPEN")


async def test_a_request_id_serves_one_request(station: Caller) -> None:
    """The same id for another request is refused; for the same one it answers the same."""
    request_id = new_id()
    first, second = scanned(1), scanned(1)
    answer = await station.begin(first, request_id=request_id)
    again = await station.begin(first, request_id=request_id)
    assert (again.version, again.result_code, again.public_code) == (1, answer.result_code, answer.public_code)
    exists = grpc.StatusCode.ALREADY_EXISTS
    await refused(station.begin(second, request_id=request_id), exists, "REQUEST_ID_REUSED")
    await station.store(second)


async def test_a_dossier_keeps_its_procedure(station: Caller) -> None:
    """The same dossier code under another procedure is a conflict, and the document can be stored rightly."""
    paper = replace(scanned(1), dossier="000.00.16.H46-261121-0777")
    await station.store(paper)
    other = replace(scanned(1), dossier=paper.dossier, procedure="2.000635")
    await refused(station.store(other), grpc.StatusCode.FAILED_PRECONDITION, "DOSSIER_CONFLICT")
    await station.store(replace(other, procedure=paper.procedure))


async def test_a_given_code_is_taken_once(station: Caller, other: Caller) -> None:
    """A code that is in use, visibly or not, is refused in the same words."""
    code = f"GPXD-{new_id()[:8].upper()}"
    paper = scanned(1).declaring(given_code=code)
    assert (await station.store(paper)).result_code == code
    precondition = grpc.StatusCode.FAILED_PRECONDITION
    mine = await refused(station.begin(scanned(1).declaring(given_code=code)), precondition, "CODE_NOT_ACCEPTED")
    theirs = await refused(other.begin(scanned(1).declaring(given_code=code)), precondition, "CODE_NOT_ACCEPTED")
    assert mine.text == theirs.text
    assert (await station.lookup(code)).document_id == paper.document_id
