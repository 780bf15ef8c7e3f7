"""Look-up and reuse: who sees what, what is written down, how much really left."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from kho_server.archive.caller import Caller
from kho_server.archive.handing_out import Parcel
from kho_server.archive.lookup import Found
from kho_server.archive.refusals import Absent, Reason, Refusal
from kho_server.verification.verdict import Indication
from kho_storage.parts import PartId, PartKind
from kho_storage.records.access import AccessAction
from kho_storage.records.document import DocumentKind, DocumentState
from kho_storage.records.registry import PrincipalKind
from tests.server.archive.archive_house import PDF, SAID, ArchiveHouse, page, request_id, signed
from tests.server.archive.people import NOBODY, caller
from tests.server.archive.refused import refused

DOSSIER = "000.00.17.H46-261121-0001"
BIG = PDF + bytes(range(256)) * 2500


async def look_up(house: ArchiveHouse, who: Caller, code: str | None) -> Found:
    """Look one code up."""
    assert code is not None
    officer = await house.lookup.officer(who, "")
    return await house.lookup.one(who, officer, code, AccessAction.LOOKUP)


async def reuse(
    house: ArchiveHouse, who: Caller, code: str | None, offset: int = 0, limit: int = 0, part: PartId | None = None
) -> Parcel:
    """Ask for content."""
    assert code is not None
    return await house.handing_out.reuse(who, request_id(), code, DOSSIER, "", "", part, offset, limit)


async def content(house: ArchiveHouse, parcel: Parcel) -> bytes:
    """Take all of a parcel."""
    async with house.handing_out.sending(parcel) as pieces:
        return b"".join([piece async for piece in pieces])


async def judged(house: ArchiveHouse, indication: Indication = Indication.TOTAL_PASSED) -> str:
    """Store a result with a big signed file, judge it so, and return its code."""
    house.verifier.next.append(indication)
    committed = await house.store(house.a, papers=[page(1), signed(data=BIG)])
    assert await house.judge_due() == 1
    assert committed.result_code is not None
    return committed.result_code


async def test_granted_content_leaves_whole_and_is_written_down(house: ArchiveHouse) -> None:
    code = await judged(house)
    await house.grant()
    parcel = await reuse(house, house.b, code)
    assert parcel.record.dossier_code == DOSSIER
    assert await content(house, parcel) == signed(data=BIG).data
    assert await house.outcomes() == [("REUSE", "DISCLOSED")]
    assert await house.closings() == [len(signed(data=BIG).data)]


async def test_both_codes_find_it_in_any_spelling(house: ArchiveHouse) -> None:
    code = await judged(house)
    public = (await look_up(house, house.a, code)).result.public_code
    for spelling in (code, code.lower(), f" {code} ", public, public.lower(), f"{public[:3]}-{public[3:]}"):
        assert (await look_up(house, house.a, spelling)).result.code == code


async def test_absent_and_forbidden_are_one_answer(house: ArchiveHouse) -> None:
    code = await judged(house)
    answers = []
    for who, asked in ((house.b, code), (house.b, "KHONG-CO-1"), (house.c, code)):
        for act in (look_up, reuse):
            with pytest.raises(Absent) as caught:
                await act(house, who, asked)
            answers.append((caught.value.reason, caught.value.facts, str(caught.value)))
    assert len(set(map(repr, answers))) == 1
    outcomes = [outcome for _, outcome in await house.outcomes()]
    assert outcomes == ["REFUSED", "REFUSED", "ABSENT", "ABSENT", "REFUSED", "REFUSED"]


@pytest.mark.parametrize(
    "indication", [Indication.TOTAL_FAILED, Indication.NO_SIGNATURE, Indication.INDETERMINATE, None]
)
async def test_what_is_not_valid_is_not_there_for_others(house: ArchiveHouse, indication: Indication | None) -> None:
    await house.grant()
    if indication is None:
        code = (await house.store(house.a)).result_code
    else:
        code = await judged(house, indication)
    for act in (look_up, reuse):
        with refused(Reason.RESULT_NOT_FOUND):
            await act(house, house.b, code)
    assert (await look_up(house, house.a, code)).is_own
    with refused(Reason.RESULT_NOT_FOUND):
        await reuse(house, house.a, code)


async def test_a_grant_ends_with_its_last_day_and_with_its_revocation(house: ArchiveHouse) -> None:
    code = await judged(house)
    grant = await house.grant()
    assert not (await look_up(house, house.b, code)).is_own
    house.now += timedelta(days=31)
    with refused(Reason.RESULT_NOT_FOUND):
        await look_up(house, house.b, code)
    house.now -= timedelta(days=31)
    await look_up(house, house.b, code)
    await house.registry.revoke_grant(grant.grant_id, "hết", NOBODY, house.now)
    with refused(Reason.RESULT_NOT_FOUND):
        await reuse(house, house.b, code)


async def test_processing_records_are_never_shown_to_others(house: ArchiveHouse) -> None:
    await house.grant()
    document = uuid4()
    said = replace(SAID, kind=DocumentKind.PROCESSING, result=None)
    await house.store(house.a, document, said)
    await house.judge_due()
    with refused(Reason.DOCUMENT_NOT_FOUND):
        await house.own.get(house.b, "", str(document))
    stored = await house.own.get(house.a, "", str(document))
    assert stored.result is None
    with refused(Reason.DOCUMENT_NOT_FOUND):
        await house.own.get(house.b, "", f"documents/{stored.document_uuid}")
    assert (await house.own.get(house.a, "", f"documents/{stored.document_uuid}")).document_id == document
    with refused(Reason.DOCUMENT_NOT_FOUND):
        await house.handing_out.read(house.b, "", str(document), 0, None, 0, 0)


async def test_a_batch_answers_each_line_in_order(house: ArchiveHouse) -> None:
    code = await judged(house)
    officer = await house.lookup.officer(house.a, "")
    codes = [code, "", "KHONG-CO", "a\x00b", code, "x" * 500]
    answers = await house.lookup.batch(house.a, officer, codes)
    assert [type(answer).__name__ for answer in answers][::2] == ["Found", "Absent", "Found"]
    assert all(isinstance(answers[line], Exception) for line in (1, 3, 5))
    assert len(await house.outcomes()) == 3
    with refused(Reason.BATCH_TOO_LARGE):
        await house.lookup.batch(house.a, officer, [code] * 501)
    with refused(Reason.FIELD_REQUIRED):
        await house.lookup.batch(house.a, officer, [])
    assert len(await house.lookup.batch(house.a, officer, [code] * 500)) == 500


@pytest.mark.parametrize(("offset", "limit"), [(0, 1), (100, 0), (256 * 1024, 10), (5, 10**12), (len(BIG) + 2, 0)])
async def test_ranges(house: ArchiveHouse, offset: int, limit: int) -> None:
    code = await judged(house)
    whole = signed(data=BIG).data
    assert len(whole) == len(BIG) + 2
    parcel = await reuse(house, house.a, code, offset, limit)
    expected = whole[offset : offset + limit] if limit else whole[offset:]
    assert await content(house, parcel) == expected
    assert await house.closings() == [len(expected)]


@pytest.mark.parametrize(
    ("offset", "limit", "reason"),
    [
        (len(BIG) + 3, 0, Reason.OFFSET_BEYOND_END),
        (-1, 0, Reason.FIELD_MALFORMED),
        (0, -1, Reason.FIELD_MALFORMED),
    ],
)
async def test_ranges_that_are_refused_leave_no_open_record(
    house: ArchiveHouse, offset: int, limit: int, reason: Reason
) -> None:
    code = await judged(house)
    with refused(reason):
        await reuse(house, house.a, code, offset, limit)
    records = await house.outcomes()
    assert len(await house.closings()) == len(records)


async def test_a_part_that_is_not_there_closes_its_record(house: ArchiveHouse) -> None:
    code = await judged(house)
    with refused(Reason.CONTENT_NOT_AVAILABLE):
        await reuse(house, house.a, code, part=PartId(PartKind.PAGE, 9))
    assert await house.closings() == [0]


async def test_a_reader_who_stops_is_written_down_with_what_he_was_given(house: ArchiveHouse) -> None:
    code = await judged(house)
    parcel = await reuse(house, house.a, code)
    async with house.handing_out.sending(parcel) as pieces:
        taken = len(await anext(pieces))
    assert taken == 256 * 1024
    # The digest was enough: not a byte was taken.
    async with house.handing_out.sending(await reuse(house, house.a, code)):
        pass
    assert await house.closings() == [taken, 0]


async def test_a_reader_who_is_cancelled_is_written_down(house: ArchiveHouse) -> None:
    code = await judged(house)
    parcel = await reuse(house, house.a, code)
    given = asyncio.Event()

    async def read() -> None:
        async with house.handing_out.sending(parcel) as pieces:
            async for _ in pieces:
                given.set()
                await asyncio.Event().wait()

    reader = asyncio.create_task(read())
    await given.wait()
    reader.cancel()
    await asyncio.wait({reader})
    assert await house.closings() == [256 * 1024]


async def test_damaged_bytes_never_leave_and_the_record_is_closed(house: ArchiveHouse) -> None:
    code = await judged(house)
    parcel = await reuse(house, house.a, code)
    await house.blobs.delete(parcel.part.digest)
    with pytest.raises(Exception, match="no blob"):
        await content(house, parcel)
    assert await house.closings() == [0]


async def test_every_version_of_an_own_document_can_be_read(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    await house.next_version.correct(house.a, request_id(), "", str(document), 1, "quét lệch", 1, 0, 1)
    again = page(1, b"\xff\xd8\xff\xe1 straight")
    await house.bring(house.a, document, [again], 2)
    await house.commit(house.a, document, [again], 2)

    async def read(version: int, part: PartId | None) -> bytes:
        parcel = await house.handing_out.read(house.a, "", str(document), version, part, 0, 0)
        return await content(house, parcel)

    assert await read(0, None) == again.data
    assert await read(1, None) == signed().data
    assert await read(1, PartId(PartKind.PAGE, 1)) == page(1).data
    with refused(Reason.CONTENT_NOT_AVAILABLE):
        await read(3, None)
    assert [outcome for outcome in await house.outcomes() if outcome[0] == "READ"] == [("READ", "DISCLOSED")] * 4


async def test_purposes_are_parsed_before_anything_is_told(house: ArchiveHouse) -> None:
    code = await judged(house)
    await house.grant()
    for dossier, request, reason in (("", request_id(), Reason.FIELD_REQUIRED), (DOSSIER, "", Reason.FIELD_REQUIRED)):
        with refused(reason):
            await house.handing_out.reuse(house.b, request, code, dossier, "", "", None, 0, 0)
    assert await house.outcomes() == []


@pytest.mark.parametrize("kind", [PrincipalKind.OPERATOR, PrincipalKind.ADMINISTRATOR, PrincipalKind.PORTAL])
async def test_who_acts_for_no_agency_sees_nothing(house: ArchiveHouse, kind: PrincipalKind) -> None:
    code = await judged(house)
    with refused(Reason.PRINCIPAL_KIND_NOT_ALLOWED):
        await look_up(house, caller(kind), code)


async def test_who_had_a_document_is_told_to_its_agency(house: ArchiveHouse) -> None:
    document = uuid4()
    code = (await house.store(house.a, document)).result_code
    await house.judge_due()
    await house.grant()
    await content(house, await reuse(house, house.b, code))
    with pytest.raises(Refusal):
        await look_up(house, house.c, code)
    await house.closings()
    seen = await house.own.accesses(house.a, str(document), None, 10)
    assert [(each.agency_id, each.record.outcome.value) for each in seen] == [
        ("agency-c", "REFUSED"),
        ("agency-b", "DISCLOSED"),
    ]
    assert seen[1].bytes_sent == len(signed().data)
    with refused(Reason.DOCUMENT_NOT_FOUND):
        await house.own.accesses(house.b, str(document), None, 10)


async def test_lists_have_no_gaps_and_no_repeats(house: ArchiveHouse) -> None:
    documents = [uuid4() for _ in range(7)]
    for document in documents:
        await house.store(house.a, document)
    await house.store(house.b)
    found: list[UUID] = []
    after = None
    is_more = True
    while is_more:
        some, is_more = await house.own.list(house.a, "", SAID.dossier_code, DocumentState.RECEIVED, after, 3)
        found += [each.document_id for each in some]
        after = (some[-1].created_at, some[-1].document_uuid)
    assert found == documents[::-1]
    of_b, _ = await house.own.list(house.b, "", "", None, None, 10)
    assert [each.document_id for each in of_b] != documents[:1]
    assert await house.own.list(house.a, "", "000.00.16.H46-220905-9999", None, None, 10) == ([], False)


async def test_waiting_ends_with_the_verdict(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    assert (await house.own.wait(house.a, "", str(document), 0)).state is DocumentState.RECEIVED
    waiting = asyncio.create_task(house.own.wait(house.a, "", str(document), 30))
    while not house.standing._waiting:
        await asyncio.sleep(0)
    await house.judge_due()
    stored = await waiting
    assert stored.state is DocumentState.VALID
    assert stored.verdict is not None
    assert not house.standing._waiting
    for timeout in (-1.0, 61.0, float("nan")):
        with refused(Reason.FIELD_MALFORMED):
            await house.own.wait(house.a, "", str(document), timeout)
