"""Who gets what of whom: the one door out, its records, and what does not exist for those who may not know."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import grpc
import pytest

from kho.v1 import (
    access_service_pb2,
    document_pb2,
    document_service_pb2,
    result_service_pb2,
    verdict_pb2,
)
from tests.end_to_end.caller import Caller, new_id, refused
from tests.end_to_end.papers import Paper, pdf, scanned, signed, tampered
from tests.end_to_end.serving import Server
from tests.end_to_end.waiting import until

_MISSING = grpc.StatusCode.NOT_FOUND
_DENIED = grpc.StatusCode.PERMISSION_DENIED


async def test_a_grant_lets_a_result_out_byte_for_byte(server: Server, station: Caller, other: Caller) -> None:
    """Looked up by either code, taken for a dossier, with digest, verdict and a record for the one who gave it."""
    paper = await signed(server.pki)
    own = await station.store_judged(paper)
    found = await other.lookup(own.result_code)
    assert (await other.lookup(own.public_code)).result_code == own.result_code
    assert found.verdict.indication == verdict_pb2.INDICATION_TOTAL_PASSED
    assert found.in_force
    taken = await other.reuse(own.result_code)
    (sheet,) = paper.sheets
    assert taken.content == sheet.content
    assert (taken.header.digest, taken.header.size_bytes) == (sheet.digest, len(sheet.content))
    assert (found.digest, found.size_bytes) == (sheet.digest, len(sheet.content))
    assert taken.result is not None
    assert taken.result.result_code == own.result_code
    request = access_service_pb2.ListAccessRecordsRequest(document_id=paper.document_id)
    records = (await station.access.ListAccessRecords(request)).records
    by_other = [record for record in records if record.agency_id == "agency-b"]
    assert [record.action for record in by_other] == ["REUSE", "LOOKUP", "LOOKUP"]
    assert by_other[0].access_id == taken.header.access_id
    assert by_other[0].dossier_code == "000.00.17.H46-261121-0001"
    assert by_other[0].officer_id == "officer-b"


@pytest.mark.parametrize("offset", [0, 1, 4095, 4096, 5000])
@pytest.mark.parametrize("limit", [0, 1, 1000])
async def test_a_download_begins_anywhere(server: Server, station: Caller, offset: int, limit: int) -> None:
    """Offset and limit cut the same bytes, whose digest is that of the whole."""
    paper = scanned(1)
    await station.store(paper)
    (sheet,) = paper.sheets
    taken = await station.read(paper, sheet, offset=offset, limit=limit)
    assert taken.content == sheet.content[offset : offset + limit if limit else None]
    assert (taken.header.digest, taken.header.size_bytes) == (sheet.digest, len(sheet.content))


async def test_a_download_beyond_the_end_is_refused(station: Caller) -> None:
    """Beyond is out of range, exactly at the end is nothing, negative is malformed."""
    paper = scanned(1)
    await station.store(paper)
    (sheet,) = paper.sheets
    size = len(sheet.content)
    assert (await station.read(paper, sheet, offset=size)).content == b""
    seen = await refused(station.read(paper, sheet, offset=size + 1), grpc.StatusCode.OUT_OF_RANGE, "OFFSET_BEYOND_END")
    assert seen.info.metadata["size_bytes"] == str(size)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    await refused(station.read(paper, sheet, offset=-1), invalid, "FIELD_MALFORMED")
    await refused(station.read(paper, sheet, limit=-1), invalid, "FIELD_MALFORMED")
    absent = scanned(2).sheets[1]
    await refused(station.read(paper, absent), grpc.StatusCode.FAILED_PRECONDITION, "CONTENT_NOT_AVAILABLE")


async def test_absent_and_forbidden_look_the_same(server: Server, station: Caller, stranger: Caller) -> None:
    """Byte for byte, apart from the id of the request: on look-up, in a batch and at the door."""
    own = await station.store_judged(await signed(server.pki))
    absent = own.result_code[:-1] + "999999"
    answers = []
    for code in (own.result_code, own.public_code, absent):
        request_id = new_id()
        seen = [
            await refused(stranger.lookup(code, kho_request_id=request_id), _MISSING, "RESULT_NOT_FOUND"),
            await refused(stranger.reuse(code), _MISSING, "RESULT_NOT_FOUND"),
        ]
        assert seen[0].request_id == request_id
        for each in seen:
            each.info.metadata.pop("request_id")
        line = await stranger.results.BatchLookupResults(result_service_pb2.BatchLookupResultsRequest(codes=[code]))
        answers.append(
            [
                *((s.code, s.text, s.vietnamese, s.info.SerializeToString(deterministic=True)) for s in seen),
                line.SerializeToString(deterministic=True),
            ]
        )
    assert answers[0] == answers[1] == answers[2]


async def test_what_failed_verification_does_not_exist_for_others(
    server: Server, station: Caller, other: Caller
) -> None:
    """Quarantined: its own agency sees state and reason, nobody else sees it by any code or at the door."""
    paper = await tampered(server.pki)
    sealed = await station.store(paper)
    document = await station.judged(paper)
    assert document.state == document_pb2.DOCUMENT_STATE_INVALID
    assert document.verdict.summary.indication == verdict_pb2.INDICATION_TOTAL_FAILED
    assert document.verdict.explanation_vi
    for code in (sealed.result_code, sealed.public_code):
        await refused(other.lookup(code), _MISSING, "RESULT_NOT_FOUND")
        await refused(other.reuse(code), _MISSING, "RESULT_NOT_FOUND")
        await refused(station.reuse(code, dossier="000.00.16.H46-261121-0002"), _MISSING, "RESULT_NOT_FOUND")
    # Kept, never dropped: its own agency reads every byte of it.
    assert (await station.read(paper, paper.sheets[0])).content == paper.sheets[0].content


async def test_what_is_not_judged_is_not_handed_out(station: Caller, other: Caller) -> None:
    """Pages without a signed file have no verdict, so there is nothing to reuse."""
    sealed = await station.store(scanned(1))
    await refused(other.lookup(sealed.result_code), _MISSING, "RESULT_NOT_FOUND")
    await refused(other.reuse(sealed.result_code), _MISSING, "RESULT_NOT_FOUND")


async def test_a_pdf_that_is_none_is_kept_and_never_reused(server: Server, station: Caller, other: Caller) -> None:
    """It begins like a PDF, so it is stored; what verification says of it keeps it in."""
    broken = pdf(b"%PDF-1.7\nnothing that a reader knows")
    paper = Paper((broken,))
    sealed = await station.store(paper)
    document = await station.judged(paper)
    assert document.state in (
        document_pb2.DOCUMENT_STATE_INVALID,
        document_pb2.DOCUMENT_STATE_PENDING_EVIDENCE,
    )
    await refused(other.reuse(sealed.result_code), _MISSING, "RESULT_NOT_FOUND")
    assert (await station.read(paper, broken)).content == broken.content


async def test_validity_is_judged_on_the_day_that_is_asked(server: Server, station: Caller, other: Caller) -> None:
    """Before, on the first day, on the last day, after: for the own agency and for others alike."""
    paper = (await signed(server.pki)).declaring(issued_on="2022-01-10", valid_from="2022-02-01", valid_to="2024-02-29")
    own = await station.store_judged(paper)
    days = {"2022-01-31": False, "2022-02-01": True, "2024-02-29": True, "2024-03-01": False, "": False}
    for caller in (station, other):
        for day, is_in_force in days.items():
            found = await caller.lookup(own.result_code, on=day)
            assert found.in_force is is_in_force, day
            assert (not day) or found.as_of == day
    taken = await other.reuse(own.result_code)
    assert taken.result is not None
    assert not taken.result.in_force
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    await refused(other.lookup(own.result_code, on="2022-02-30"), invalid, "DATE_IMPOSSIBLE")


async def test_the_record_is_there_before_the_answer(server: Server, station: Caller, other: Caller) -> None:
    """At the first message of an answer the database holds its record; the bytes are noted when it ends."""
    own = await station.store_judged(await signed(server.pki))
    async with server.database() as database:
        taken = await other.reuse(own.result_code)
        row = await database.fetchrow(
            "SELECT action, outcome, officer_id, dossier_code FROM kho.access_record WHERE access_id = $1::uuid",
            taken.header.access_id,
        )
        assert tuple(row or ()) == ("REUSE", "DISCLOSED", "officer-b", "000.00.17.H46-261121-0001")
        for what, outcome in ((own.result_code, "DISCLOSED"), ("NO-SUCH-CODE-1", "ABSENT")):
            request_id = new_id()
            asked = result_service_pb2.BatchLookupResultsRequest(codes=[what])
            await other.results.BatchLookupResults(asked, metadata=(("kho-request-id", request_id),))
            rows = await database.fetch(
                "SELECT outcome, asked FROM kho.access_record WHERE request_id = $1", request_id
            )
            assert [row["outcome"] for row in rows] == [outcome]
            assert what.encode() not in rows[0]["asked"]


async def test_bytes_sent_are_noted_when_a_download_ends(server: Server, station: Caller, other: Caller) -> None:
    """The closing record has the bytes that left, also of a part."""
    paper = await signed(server.pki)
    own = await station.store_judged(paper)
    taken = await other.reuse(own.result_code, offset=10, limit=100)
    assert taken.content == paper.sheets[0].content[10:110]

    async def closing() -> int | None:
        request = access_service_pb2.ListAccessRecordsRequest(document_id=paper.document_id)
        records = (await station.access.ListAccessRecords(request)).records
        sent = [record.bytes_sent for record in records if record.access_id == taken.header.access_id]
        return sent[0] if sent and sent[0] >= 0 else None

    assert await until(closing, "the closing record") == 100


async def test_a_revoked_grant_ends_with_its_acknowledgement(server: Server, station: Caller, stranger: Caller) -> None:
    """Given: agency-c sees the result; taken back: the very next question is answered as if it were not there."""
    code = (await station.store_judged(await signed(server.pki))).result_code
    grant = access_service_pb2.Grant(
        grantor_agency_id="agency-a", grantee_agency_id="agency-c", action=access_service_pb2.GRANT_ACTION_REUSE
    )
    grant.ground = "NĐ 107/2021/NĐ-CP"
    async with server.caller("admin") as admin:
        request = access_service_pb2.AddGrantRequest(request_id=new_id(), grant=grant)
        added = (await admin.access.AddGrant(request)).grant
        try:
            assert (await stranger.lookup(code)).result_code == code
        finally:
            revoke = access_service_pb2.RevokeGrantRequest(
                request_id=new_id(), grant_id=added.grant_id, reason="Hết nhiệm vụ"
            )
            await admin.access.RevokeGrant(revoke)
    await refused(stranger.lookup(code), _MISSING, "RESULT_NOT_FOUND")
    await refused(stranger.reuse(code), _MISSING, "RESULT_NOT_FOUND")


Ask = Callable[[Caller, Any, str], Any]
CONTENT_CALLS: dict[str, Ask] = {
    "lookup": lambda c, p, code: c.lookup(code),
    "batch": lambda c, p, code: _call(
        c.results.BatchLookupResults(result_service_pb2.BatchLookupResultsRequest(codes=[code]))
    ),
    "reuse": lambda c, p, code: c.reuse(code),
    "read": lambda c, p, code: c.read(p, p.sheets[0]),
    "document": lambda c, p, code: c.document(p),
    "list": lambda c, p, code: _call(c.documents.ListDocuments(document_service_pb2.ListDocumentsRequest())),
    "wait": lambda c, p, code: c.judged(p),
    "begin": lambda c, p, code: c.begin(p),
    "commit": lambda c, p, code: c.commit(p),
    "stream": lambda c, p, code: c.send(p.messages()[:1]),
    "accesses": lambda c, p, code: _call(
        c.access.ListAccessRecords(access_service_pb2.ListAccessRecordsRequest(document_id=p.document_id))
    ),
}


@pytest.mark.parametrize("kind", ["operator", "admin"])
@pytest.mark.parametrize("name", CONTENT_CALLS)
async def test_operators_and_administrators_never_see_content(
    server: Server, station: Caller, kind: str, name: str
) -> None:
    """Nor metadata, nor who looked: the kind of caller is refused before anything is looked at."""
    paper = scanned(1)
    code = (await station.store(paper)).result_code
    async with server.caller(kind) as caller:
        await refused(CONTENT_CALLS[name](caller, paper, code), _DENIED, "PRINCIPAL_KIND_NOT_ALLOWED")


async def test_a_station_looks_nothing_up_in_another_officers_name(station: Caller) -> None:
    """The acting officer must be one of the caller's own agency."""
    request = result_service_pb2.LookupResultRequest(code="X-1", officer_id="officer-b")
    await refused(_call(station.results.LookupResult(request)), _DENIED, "OFFICER_NOT_ACCEPTED")


async def test_batches_keep_their_order(server: Server, station: Caller) -> None:
    """One line per code, found and not found and unreadable mixed; 501 are too many."""
    codes = [(await station.store(scanned(1))).result_code for _ in range(3)]
    asked = [codes[0], "NO-SUCH-CODE-1", codes[1], "a\x07b", codes[0], codes[2]]
    answer = await station.results.BatchLookupResults(result_service_pb2.BatchLookupResultsRequest(codes=asked))
    told = [line.result.result_code if line.HasField("result") else None for line in answer.lines]
    assert told == [codes[0], None, codes[1], None, codes[0], codes[2]]
    too_many = result_service_pb2.BatchLookupResultsRequest(codes=["X-1"] * 501)
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    await refused(_call(station.results.BatchLookupResults(too_many)), invalid, "BATCH_TOO_LARGE")
    full = result_service_pb2.BatchLookupResultsRequest(codes=["X-1"] * 500)
    assert len((await station.results.BatchLookupResults(full)).lines) == 500


async def test_a_wait_ends_at_once_when_there_is_nothing_to_wait_for(station: Caller) -> None:
    """Pages without a signed file are never judged: a waiting clerk is told so now, not after the whole patience."""
    paper = scanned(1)
    await station.store(paper)
    request = document_service_pb2.WaitForVerdictRequest(document_id=paper.document_id)
    request.timeout.FromTimedelta(timedelta(seconds=20))
    answer = await station.documents.WaitForVerdict(request, timeout=5)
    assert answer.document.state == document_pb2.DOCUMENT_STATE_RECEIVED


async def _call(call: Any) -> Any:
    return await call
