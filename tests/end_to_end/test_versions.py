"""What comes after the first commit: signatures that follow hours later, wrong scans, judgement again."""

from dataclasses import replace

import grpc

from kho.v1 import document_pb2, document_service_pb2, verdict_pb2, verification_service_pb2
from tests.end_to_end.caller import Caller, new_id, refused
from tests.end_to_end.papers import Paper, scanned, signed, tampered
from tests.end_to_end.serving import Server

_ABORTED = grpc.StatusCode.ABORTED


def adding(paper: Paper, base_version: int = 1, request_id: str = "") -> document_service_pb2.AddRenditionRequest:
    """Ask to add one rendition."""
    return document_service_pb2.AddRenditionRequest(
        request_id=request_id or new_id(), document_id=paper.document_id, base_version=base_version, renditions=1
    )


def correcting(paper: Paper, reason: str, base_version: int = 1) -> document_service_pb2.CorrectDocumentRequest:
    """Ask to replace a scan of one page."""
    return document_service_pb2.CorrectDocumentRequest(
        request_id=new_id(), document_id=paper.document_id, base_version=base_version, reason=reason, pages=1
    )


async def test_the_signed_file_may_come_later(server: Server, station: Caller, other: Caller) -> None:
    """Pages first; the signed file makes version 2 and keeps them; only then others find the result."""
    paper = scanned(2)
    code = (await station.store(paper)).result_code
    await refused(other.lookup(code), grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND")
    file = (await signed(server.pki)).sheets[0]
    added = await station.documents.AddRendition(adding(paper))
    assert (added.upload.version, added.first_rendition) == (2, 1)
    await station.send([paper.open(2), *file.messages()])
    whole = replace(paper, sheets=(*paper.sheets, file))
    sealed = await station.commit(whole, version=2)
    assert (sealed.version, sealed.result_code) == (2, code)
    document = await station.judged(whole)
    assert document.state == document_pb2.DOCUMENT_STATE_VALID
    assert [len(version.parts) for version in document.versions] == [2, 3]
    assert (await other.reuse(code)).content == file.content
    assert (await station.read(paper, paper.sheets[1], version=1)).content == paper.sheets[1].content
    assert (await station.commit(whole, version=2)).manifest_digest == sealed.manifest_digest
    assert (await station.document(paper)).version == 2


async def test_a_wrong_scan_is_corrected_and_never_overwritten(station: Caller) -> None:
    """With a reason; the old pages stay readable under their version; nobody corrects what has moved on."""
    paper = scanned(1)
    await station.store(paper)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    await refused(_correct(station, correcting(paper, "")), invalid, "FIELD_REQUIRED")
    opened = await station.documents.CorrectDocument(correcting(paper, "Trang 1 bị mờ"))
    assert opened.upload.version == 2
    assert not opened.upload.parts
    better = replace(paper, sheets=scanned(1).sheets)
    await station.send(better.messages(version=2))
    await station.commit(better, version=2)
    document = await station.document(paper)
    assert [version.reason_text for version in document.versions] == ["", "Trang 1 bị mờ"]
    assert (await station.read(paper, paper.sheets[0], version=1)).content == paper.sheets[0].content
    assert (await station.read(better, better.sheets[0])).content == better.sheets[0].content
    conflict = await refused(_correct(station, correcting(paper, "Lại mờ")), _ABORTED, "VERSION_CONFLICT")
    assert conflict.info.metadata["current_version"] == "2"


async def test_another_agency_adds_and_corrects_nothing(server: Server, station: Caller, other: Caller) -> None:
    """Also with a grant to reuse the result: the document does not exist under its id."""
    paper = await signed(server.pki)
    await station.store_judged(paper)
    missing = grpc.StatusCode.NOT_FOUND
    await refused(_correct(other, correcting(paper, "Sai")), missing, "DOCUMENT_NOT_FOUND")
    await refused(_add(other, adding(paper)), missing, "DOCUMENT_NOT_FOUND")
    verify = verification_service_pb2.VerifyDocumentRequest(request_id=new_id(), document_id=paper.document_id)
    await refused(_verify(other, verify), missing, "DOCUMENT_NOT_FOUND")


async def test_a_correction_that_is_not_valid_takes_the_result_back(
    server: Server, station: Caller, other: Caller
) -> None:
    """The newest version counts: when its signatures fail, nobody reuses the older one any more."""
    paper = await signed(server.pki)
    code = (await station.store_judged(paper)).result_code
    assert (await other.lookup(code)).result_code == code
    request = correcting(paper, "Thay bản ký")
    request.pages, request.renditions = 0, 1
    await station.documents.CorrectDocument(request)
    worse = replace(paper, sheets=(await tampered(server.pki)).sheets)
    await station.send(worse.messages(version=2))
    await station.commit(worse, version=2)
    assert (await station.judged(worse)).state == document_pb2.DOCUMENT_STATE_INVALID
    await refused(other.lookup(code), grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND")
    await refused(other.reuse(code), grpc.StatusCode.NOT_FOUND, "RESULT_NOT_FOUND")


async def test_verdicts_are_a_series(server: Server, station: Caller) -> None:
    """Judged again on demand: the new verdict is appended, the old one stays."""
    paper = await signed(server.pki)
    await station.store_judged(paper)
    request = verification_service_pb2.VerifyDocumentRequest(request_id=new_id(), document_id=paper.document_id)
    verdict = (await station.verification.VerifyDocument(request)).verdict
    assert verdict.summary.indication == verdict_pb2.INDICATION_TOTAL_PASSED
    assert len(verdict.signatures) == 2
    listing = verification_service_pb2.ListVerdictsRequest(document_id=paper.document_id)
    verdicts = (await station.verification.ListVerdicts(listing)).verdicts
    assert len(verdicts) == 2
    assert verdicts[0].judged_at.ToDatetime() >= verdicts[1].judged_at.ToDatetime()


async def test_a_streamed_file_is_judged_and_not_kept(server: Server, station: Caller) -> None:
    """Good and tampered; nothing at all is refused."""
    for paper, indication in (
        (await signed(server.pki), verdict_pb2.INDICATION_TOTAL_PASSED),
        (await tampered(server.pki), verdict_pb2.INDICATION_TOTAL_FAILED),
    ):
        pieces = (piece.data for piece in paper.sheets[0].pieces(piece_bytes=65536))
        requests = [verification_service_pb2.VerifyFileRequest(data=piece) for piece in pieces]
        verdict = (await station.verification.VerifyFile(iter(requests))).verdict
        assert verdict.summary.indication == indication
        assert verdict.digest == paper.sheets[0].digest
    nothing = station.verification.VerifyFile(iter(()))
    await refused(_await(nothing), grpc.StatusCode.INVALID_ARGUMENT, "PART_EMPTY")


async def _correct(caller: Caller, request: document_service_pb2.CorrectDocumentRequest) -> object:
    return await caller.documents.CorrectDocument(request)


async def _add(caller: Caller, request: document_service_pb2.AddRenditionRequest) -> object:
    return await caller.documents.AddRendition(request)


async def _verify(caller: Caller, request: verification_service_pb2.VerifyDocumentRequest) -> object:
    return await caller.verification.VerifyDocument(request)


async def _await(call: object) -> object:
    return await call  # type: ignore[misc]  # every call of grpc.aio can be awaited
