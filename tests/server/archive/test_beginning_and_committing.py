"""From Begin to a sealed document: repeated, contradicted, raced."""

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from kho_server.archive.refusals import Reason
from kho_server.rules.errors import RuleViolation
from kho_server.rules.media_type import MediaType
from kho_storage.parts import ManifestName, PartId, PartKind, UploadId
from kho_storage.records.document import DocumentKind, DocumentState, Outcome, RenditionRole
from kho_storage.records.registry import GrantAction
from tests.server.archive.archive_house import PDF, RESULT, SAID, ArchiveHouse, page, request_id, signed
from tests.server.archive.refused import refused

PROCESSING = replace(SAID, kind=DocumentKind.PROCESSING, result=None)


async def test_what_was_brought_is_what_was_sealed(house: ArchiveHouse) -> None:
    document = uuid4()
    begun = await house.begin(house.a, document, pages=2)
    assert begun.code is not None
    assert begun.code.code == "044202001234.KQ.G15.000031.1"
    papers = (page(1), page(2), signed())
    await house.bring(house.a, document, papers)
    committed = await house.commit(house.a, document, papers)
    assert (committed.result_code, committed.public_code) == (begun.code.code, begun.code.public_code)
    stored = await house.documents.document(house.a.agency_uuid, document)
    assert stored is not None
    assert [part.digest.sha256 for part in stored.versions[0].parts] == [paper.claim.sha256 for paper in papers]
    assert await house.spool.uploads() == ()
    name = ManifestName(house.a.agency_uuid, document, 1, stored.versions[0].commit_id)
    manifest = json.loads(await house.manifests.read(name))
    assert manifest["declaration"]["dossier_key"] == SAID.dossier_code
    assert [part["number"] for part in manifest["parts"]] == [1, 2, 1]


async def test_the_same_begin_again_tells_what_is_persisted_and_keeps_the_code(house: ArchiveHouse) -> None:
    document, request = uuid4(), request_id()
    first = await house.beginning.begin(house.a, request, "", str(document), SAID, 2, 0)
    await house.bring(house.a, document, [page(1)])
    again = await house.beginning.begin(house.a, request, "", str(document), SAID, 2, 0)
    assert again.code == first.code
    assert [(part.part.number, part.digest is not None) for part in again.parts] == [(1, True)]
    with refused(Reason.REQUEST_ID_REUSED):
        await house.beginning.begin(house.a, request, "", str(document), SAID, 3, 0)


async def test_the_same_begin_twice_at_once(house: ArchiveHouse) -> None:
    document, request = uuid4(), request_id()
    begin = [house.beginning.begin(house.a, request, "", str(document), SAID, 1, 0) for _ in range(6)]
    begun = await asyncio.gather(*begin)
    assert len({each.code for each in begun}) == 1


async def test_a_later_begin_replaces_the_declaration(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.begin(house.a, document, pages=3, renditions=0)
    await house.bring(house.a, document, [page(1), page(2), page(3)])
    await house.begin(house.a, document, replace(SAID, result=replace(RESULT, number="13/QĐ")), 2, 0)
    committed = await house.commit(house.a, document, [page(1), page(2)])
    stored = await house.documents.document(house.a.agency_uuid, document)
    assert stored is not None
    assert stored.result is not None
    assert stored.result.declaration.number == "13/QĐ"
    assert committed.version == 1
    assert len(stored.versions[0].parts) == 2
    assert await house.spool.uploads() == ()


async def test_a_reserved_code_never_names_another_owner(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.begin(house.a, document)
    other = replace(SAID, result=replace(RESULT, owner_ids=("044202009999",)))
    with refused(Reason.CODE_NOT_ACCEPTED, field="document.result.owner_ids"):
        await house.begin(house.a, document, other)
    # Also when the upload was abandoned meanwhile.
    house.now += timedelta(days=8)
    assert await house.tidying.clean_leases() == 1
    with refused(Reason.CODE_NOT_ACCEPTED):
        await house.begin(house.a, document, other)
    assert (await house.begin(house.a, document)).code is not None


async def test_a_sealed_document_answers_with_state_and_code(house: ArchiveHouse) -> None:
    document = uuid4()
    committed = await house.store(house.a, document)
    begun = await house.begin(house.a, document)
    assert begun.sealed_state is DocumentState.RECEIVED
    assert begun.code is not None
    assert (begun.code.code, begun.parts) == (committed.result_code, ())
    for said in (
        replace(SAID, result=replace(RESULT, number="13/QĐ")),
        replace(SAID, result=replace(RESULT, subject="khác")),
        replace(SAID, result=replace(RESULT, outcome=Outcome.REFUSED)),
        replace(SAID, result=replace(RESULT, given_code="ABC-1")),
        replace(SAID, procedure_code="1.000895"),
        PROCESSING,
    ):
        with refused(Reason.DOCUMENT_SEALED_DIFFERENTLY):
            await house.begin(house.a, document, said)


@pytest.mark.parametrize(
    ("said", "pages", "reason"),
    [
        (replace(SAID, kind=None), 1, Reason.FIELD_REQUIRED),
        (replace(SAID, result=None), 1, Reason.FIELD_REQUIRED),
        (replace(PROCESSING, result=RESULT), 1, Reason.FIELD_MALFORMED),
        (SAID, 10_001, Reason.TOO_MANY_PAGES),
        (SAID, 0, Reason.NOTHING_DECLARED),
        (replace(SAID, sheets=10_001), 1, Reason.TOO_MANY_PAGES),
        (replace(SAID, copy_of=str(UUID(int=7))), 1, Reason.FIELD_MALFORMED),
        (replace(SAID, result=replace(RESULT, owner_ids=("044202001234",) * 2)), 1, Reason.FIELD_MALFORMED),
        (replace(SAID, result=replace(RESULT, owner_ids=("044202001234",) * 17)), 1, Reason.FIELD_TOO_LONG),
        (replace(SAID, result=replace(RESULT, issuer_code="H46.02")), 1, Reason.ISSUER_NOT_ALLOWED),
        (replace(SAID, result=replace(RESULT, issuer_code="agency-b")), 1, Reason.ISSUER_NOT_ALLOWED),
        (replace(SAID, result=replace(RESULT, valid_to="2026-11-19")), 1, Reason.DATES_CROSSED),
    ],
)
async def test_declarations_that_are_refused(house: ArchiveHouse, said: object, pages: int, reason: Reason) -> None:
    with refused(reason):
        await house.begin(house.a, uuid4(), said, pages, 0)  # type: ignore[arg-type]  # parametrised
    assert await house.uploads.count() == 0


@pytest.mark.parametrize(
    "result",
    [
        replace(RESULT, number="12\x00"),
        replace(RESULT, subject="a\nb"),
        replace(RESULT, issued_on="2026-02-30"),
        replace(RESULT, type_code="\x00"),
        replace(RESULT, issuer_code="a\x00"),
        replace(RESULT, given_code="а"),  # Cyrillic
        replace(RESULT, valid_from="2026-11-02", valid_to="2026-11-01"),
        replace(RESULT, territory="x" * 201),
    ],
)
async def test_texts_and_days_that_break_a_rule(house: ArchiveHouse, result: object) -> None:
    with pytest.raises(RuleViolation) as caught:
        await house.begin(house.a, uuid4(), replace(SAID, result=result))  # type: ignore[arg-type]  # parametrised
    assert caught.value.field.startswith("document.result.") or caught.value.field in ("valid_from", "valid_to")


async def test_an_officer_with_a_zero_character_is_no_fault(house: ArchiveHouse) -> None:
    with refused(Reason.OFFICER_NOT_ACCEPTED):
        await house.beginning.begin(house.a, request_id(), "officer-a\x00", str(uuid4()), SAID, 1, 0)


async def test_another_procedure_of_a_dossier_is_refused_before_a_page_is_sent(house: ArchiveHouse) -> None:
    await house.store(house.a)
    with refused(Reason.DOSSIER_CONFLICT):
        await house.begin(house.a, uuid4(), replace(SAID, procedure_code="1.000895"))


async def test_delegation_covers_the_granted_type_only(house: ArchiveHouse) -> None:
    await house.grant(GrantAction.ISSUE, "KQ.G15.000032")
    said = replace(SAID, result=replace(RESULT, issuer_code="H46.01"))
    with refused(Reason.ISSUER_NOT_ALLOWED):
        await house.begin(house.b, uuid4(), said)
    await house.grant(GrantAction.ISSUE, "KQ.G15.000031")
    document = uuid4()
    await house.store(house.b, document, said)
    stored = await house.documents.document(house.b.agency_uuid, document)
    assert stored is not None
    assert stored.result is not None
    assert stored.result.declaration.issuer_uuid == house.province.a.agency_uuid


async def test_a_given_code_is_taken_once(house: ArchiveHouse) -> None:
    given = replace(SAID, result=replace(RESULT, given_code="GCN–2026/7"))
    document = uuid4()
    begun = await house.begin(house.a, document, given)
    assert begun.code is not None
    assert (begun.code.code, begun.code.sequence) == ("GCN–2026/7", None)
    assert [warning.text_en for warning in begun.warnings]
    same = replace(SAID, result=replace(RESULT, given_code="gcn-2026/7"))
    with refused(Reason.CODE_NOT_ACCEPTED, field="document.result.given_code"):
        await house.begin(house.b, uuid4(), same)
    rows = await house.database.fetch("SELECT subject_id FROM kho.event WHERE kind = 'code_clash'")
    assert [row["subject_id"] for row in rows] == [str(house.b.agency_uuid)]
    with refused(Reason.CODE_NOT_ACCEPTED):
        await house.begin(house.a, document, replace(SAID, result=replace(RESULT, given_code="GCN-2026/8")))


async def test_a_result_without_owners_gets_a_code(house: ArchiveHouse) -> None:
    begun = await house.begin(house.a, uuid4(), replace(SAID, result=replace(RESULT, owner_ids=())))
    assert begun.code is not None
    assert begun.code.code == "KQ.G15.000031.1"


async def test_a_lost_answer_is_given_again(house: ArchiveHouse) -> None:
    document, request = uuid4(), request_id()
    await house.begin(house.a, document)
    papers = (page(1), signed())
    await house.bring(house.a, document, papers)
    first = await house.commit(house.a, document, papers, request=request)
    assert await house.commit(house.a, document, papers, request=request) == first
    assert await house.commit(house.a, document, papers) == first
    assert await house.commit(house.a, document, papers, version=0) == first
    with refused(Reason.REQUEST_ID_REUSED):
        await house.commit(house.a, document, papers[:1], request=request)
    with refused(Reason.DOCUMENT_SEALED_DIFFERENTLY):
        await house.commit(house.a, document, papers[:1])
    with refused(Reason.UPLOAD_NOT_OPEN):
        await house.commit(house.a, document, papers, version=2)
    assert len([name async for name in house.manifests.walk()]) == 1


async def test_many_commits_at_once_seal_once(house: ArchiveHouse) -> None:
    document, request = uuid4(), request_id()
    papers = (page(1), signed())
    await house.begin(house.a, document)
    await house.bring(house.a, document, papers)
    commits = [house.commit(house.a, document, papers, request=request if turn % 2 else None) for turn in range(6)]
    assert len({each.document_uuid for each in await asyncio.gather(*commits)}) == 1
    assert len([name async for name in house.manifests.walk()]) == 1


async def test_commits_on_two_servers_at_once_seal_once(house: ArchiveHouse) -> None:
    """Two servers share the catalog only: their turns do not know of each other."""
    document = uuid4()
    papers = (page(1), signed())
    await house.begin(house.a, document)
    await house.bring(house.a, document, papers)
    commits = []
    for _ in range(4):
        house.furnish()
        commits.append(house.commit(house.a, document, papers))
    assert len({each.manifest_sha256 for each in await asyncio.gather(*commits)}) == 1
    assert len([name async for name in house.manifests.walk()]) == 1


async def test_one_request_id_for_two_documents_seals_one(house: ArchiveHouse) -> None:
    request = request_id()
    papers = (page(1), signed())
    documents = uuid4(), uuid4()
    for document in documents:
        await house.begin(house.a, document)
        await house.bring(house.a, document, papers)
    done = await asyncio.gather(
        *(house.commit(house.a, document, papers, request=request) for document in documents), return_exceptions=True
    )
    assert sorted(type(each).__name__ for each in done) == ["Committed", "Refusal"]
    assert [each.reason for each in done if hasattr(each, "reason")] == [Reason.REQUEST_ID_REUSED]


async def test_missing_parts_are_named(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.begin(house.a, document, pages=4)
    await house.bring(house.a, document, [page(1), page(3)])
    papers = [page(1), page(2), page(3), page(4), signed()]
    with refused(Reason.PARTS_MISSING, missing="page 2, page 4, rendition 1", missing_count=3):
        await house.commit(house.a, document, papers)
    assert await house.documents.document(house.a.agency_uuid, document) is None
    await house.bring(house.a, document, [page(2), page(4), signed()])
    await house.commit(house.a, document, papers)


@pytest.mark.parametrize(
    ("papers", "reason"),
    [
        ([page(1), signed(data=PDF + b"!")], Reason.DIGEST_MISMATCH),
        ([page(1)], Reason.FIELD_REQUIRED),
        ([page(1), page(2), signed()], Reason.PART_NOT_DECLARED),
        ([page(1), replace(signed(), role=None)], Reason.FIELD_REQUIRED),
        ([replace(page(1), role=RenditionRole.SIGNED), signed()], Reason.FIELD_MALFORMED),
        ([replace(page(1), media_type=MediaType.PNG), signed()], Reason.MEDIA_TYPE_MISMATCH),
    ],
)
async def test_claims_that_are_not_so(house: ArchiveHouse, papers: list[object], reason: Reason) -> None:
    document = uuid4()
    await house.begin(house.a, document)
    await house.bring(house.a, document, [page(1), signed()])
    with refused(reason):
        await house.commit(house.a, document, papers)  # type: ignore[arg-type]  # parametrised
    await house.commit(house.a, document, [page(1), signed()])


async def test_a_lease_that_ended_is_renewed_by_begin(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.begin(house.a, document)
    await house.bring(house.a, document, [page(1), signed()])
    house.now += timedelta(days=8)
    with refused(Reason.LEASE_EXPIRED):
        await house.commit(house.a, document, [page(1), signed()])
    with refused(Reason.LEASE_EXPIRED):
        await house.bring(house.a, document, [page(1)])
    begun = await house.begin(house.a, document)
    assert len(begun.parts) == 2
    await house.commit(house.a, document, [page(1), signed()])


async def test_the_lease_counts_from_the_last_byte(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.begin(house.a, document)
    session = await house.desk.open(house.a, str(document), 1)
    house.now += timedelta(days=8)
    assert await house.tidying.clean_leases() == 0
    await house.desk.close(session)
    assert await house.tidying.clean_leases() == 0
    await house.bring(house.a, document, [page(1), signed()])
    await house.commit(house.a, document, [page(1), signed()])


async def test_a_begin_that_races_a_commit_leaves_no_upload_behind(house: ArchiveHouse) -> None:
    for _ in range(8):
        document = uuid4()
        papers = (page(1), signed())
        await house.begin(house.a, document)
        await house.bring(house.a, document, papers)
        work = [house.commit(house.a, document, papers), *(house.begin(house.a, document) for _ in range(4))]
        await asyncio.gather(*work)
        assert await house.uploads.count() == 0
        added = await house.next_version.add_rendition(house.a, request_id(), "", str(document), 1, 1)
        assert (added.version, added.first_rendition) == (2, 2)
        house.now += timedelta(days=8)
        assert await house.tidying.clean_leases() == 1


async def test_a_declaration_that_changes_while_it_is_sealed(house: ArchiveHouse) -> None:
    """What is sealed is what the newest Begin that was answered before said, or that Begin finds it sealed."""
    document = uuid4()
    papers = (page(1), signed())
    await house.begin(house.a, document)
    await house.bring(house.a, document, papers)
    put = house.blobs.put

    other = replace(RESULT, number="14/QĐ")
    begun = False

    async def begin_meanwhile(sources: object) -> None:
        nonlocal begun
        if not begun:
            begun = True
            await house.begin(house.a, document, replace(SAID, result=other))
        await put(sources)  # type: ignore[arg-type]  # passed through

    house.blobs.put = begin_meanwhile  # type: ignore[method-assign]  # a point in time to act at
    await house.commit(house.a, document, papers)
    stored = await house.documents.document(house.a.agency_uuid, document)
    assert stored is not None
    assert stored.result is not None
    assert stored.result.declaration.number == "14/QĐ"
    assert len([name async for name in house.manifests.walk()]) == 1


async def test_abandoning_while_sealing_never_takes_bytes_away(house: ArchiveHouse) -> None:
    document = uuid4()
    papers = (page(1), signed())
    await house.begin(house.a, document)
    await house.bring(house.a, document, papers)
    put = house.blobs.put

    async def expire_meanwhile(sources: object) -> None:
        await put(sources)  # type: ignore[arg-type]  # passed through
        house.now += timedelta(days=8)
        assert await house.tidying.clean_leases() == 1

    house.blobs.put = expire_meanwhile  # type: ignore[method-assign]  # a point in time to act at
    with refused(Reason.UPLOAD_NOT_OPEN):
        await house.commit(house.a, document, papers)
    assert [name async for name in house.manifests.walk()] == []
    assert await house.spool.uploads() == ()


async def test_what_comes_while_an_upload_is_abandoned_stays(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.begin(house.a, document)
    await house.bring(house.a, document, [page(1)])
    house.now += timedelta(days=8)
    discard = house.spool.discard
    again: list[asyncio.Task[object]] = []

    async def begin_meanwhile(upload: UploadId) -> None:
        again.append(asyncio.create_task(house.begin(house.a, document)))
        for _ in range(50):
            await house.database.ping()
        await discard(upload)

    house.spool.discard = begin_meanwhile  # type: ignore[method-assign]  # a point in time to act at
    assert await house.tidying.clean_leases() == 1
    begun = await again[0]
    assert begun.parts == ()  # type: ignore[attr-defined]  # a Begun
    await house.bring(house.a, document, [page(1), signed()])
    await house.commit(house.a, document, [page(1), signed()])


async def test_two_agencies_with_the_same_document_id_and_bytes(house: ArchiveHouse) -> None:
    document = uuid4()
    one = await house.store(house.a, document)
    begun = await house.begin(house.b, document)
    assert begun.parts == ()
    assert begun.sealed_state is None
    with refused(Reason.PARTS_MISSING):
        await house.commit(house.b, document, [page(1), signed()])
    await house.bring(house.b, document, [page(1), signed()])
    other = await house.commit(house.b, document, [page(1), signed()])
    assert one.document_uuid != other.document_uuid
    assert one.result_code != other.result_code


async def test_nobody_goes_on_with_another_agencys_upload(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.begin(house.a, document)
    with refused(Reason.UPLOAD_NOT_OPEN):
        await house.desk.open(house.b, str(document), 1)
    with refused(Reason.UPLOAD_NOT_OPEN):
        await house.commit(house.b, document, [page(1), signed()])
    with refused(Reason.UPLOAD_NOT_OPEN):
        await house.desk.open(house.a, str(document), 2)


async def test_a_rendition_is_added_and_told_again(house: ArchiveHouse) -> None:
    document, request = uuid4(), request_id()
    await house.store(house.a, document, papers=[page(1), page(2)])
    begun = await house.next_version.add_rendition(house.a, request, "", str(document), 1, 1)
    assert (begun.version, begun.first_rendition, begun.parts) == (2, 1, ())
    assert await house.next_version.add_rendition(house.a, request, "", str(document), 1, 1) == replace(
        begun, lease_until=begun.lease_until + (house.now - begun.lease_until) + house.limits.lease
    )
    await house.bring(house.a, document, [signed()], 2)
    committed = await house.commit(house.a, document, [signed()], 2)
    assert await house.commit(house.a, document, [signed()], 2) == committed
    again = await house.next_version.add_rendition(house.a, request, "", str(document), 1, 1)
    assert (again.version, again.first_rendition, again.sealed_state) == (2, 1, DocumentState.RECEIVED)
    with refused(Reason.VERSION_CONFLICT, current_version=2):
        await house.next_version.add_rendition(house.a, request_id(), "", str(document), 1, 1)
    with refused(Reason.REQUEST_ID_REUSED):
        await house.next_version.add_rendition(house.a, request, "", str(document), 2, 1)
    stored = await house.documents.document(house.a.agency_uuid, document)
    assert stored is not None
    assert [part.part for part in stored.versions[1].parts] == [
        PartId(PartKind.PAGE, 1),
        PartId(PartKind.PAGE, 2),
        PartId(PartKind.RENDITION, 1),
    ]
    assert stored.versions[1].scanned_at == stored.versions[0].scanned_at
    name = ManifestName(house.a.agency_uuid, document, 2, stored.versions[1].commit_id)
    declared = json.loads(await house.manifests.read(name))["declaration"]
    assert (declared["dossier_key"], declared["procedure_key"]) == (stored.dossier_key, stored.procedure_key)


async def test_a_correction_replaces_all_and_keeps_the_old(house: ArchiveHouse) -> None:
    document = uuid4()
    first = await house.store(house.a, document)
    with refused(Reason.FIELD_REQUIRED, field="reason"):
        await house.next_version.correct(house.a, request_id(), "", str(document), 1, "", 1, 0, 1)
    begun = await house.next_version.correct(house.a, request_id(), "", str(document), 1, "quét lệch", 2, 0, 1)
    assert begun.version == 2
    papers = [page(1, b"\xff\xd8\xff\xe1 again"), page(2)]
    await house.bring(house.a, document, papers, 2)
    committed = await house.commit(house.a, document, papers, 2)
    assert committed.result_code == first.result_code
    stored = await house.documents.document(house.a.agency_uuid, document)
    assert stored is not None
    assert [len(version.parts) for version in stored.versions] == [2, 2]
    assert stored.versions[1].reason_text == "quét lệch"


async def test_a_correction_takes_the_place_of_a_rendition_that_never_came(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    await house.next_version.add_rendition(house.a, request_id(), "", str(document), 1, 1)
    await house.bring(house.a, document, [signed(2)], 2)
    begun = await house.next_version.correct(house.a, request_id(), "", str(document), 1, "quét lệch", 1, 0, 1)
    assert (begun.version, begun.parts) == (2, ())
    await house.bring(house.a, document, [page(1)], 2)
    await house.commit(house.a, document, [page(1)], 2)


async def test_another_agencys_document_has_no_next_version(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    with refused(Reason.DOCUMENT_NOT_FOUND):
        await house.next_version.add_rendition(house.b, request_id(), "", str(document), 1, 1)
    with refused(Reason.DOCUMENT_NOT_FOUND):
        await house.next_version.correct(house.b, request_id(), "", str(document), 1, "x", 1, 0, 1)


async def test_copies_point_to_their_original(house: ArchiveHouse) -> None:
    original, copy = uuid4(), uuid4()
    await house.store(house.a, original)
    await house.store(house.a, copy, replace(SAID, copy_of=str(original)))
    stored = await house.documents.document(house.a.agency_uuid, copy)
    assert stored is not None
    assert stored.copy_of == original
    with refused(Reason.FIELD_MALFORMED, field="document.copy_of"):
        await house.begin(house.b, uuid4(), replace(SAID, copy_of=str(original)))


async def test_ten_thousand_pages_are_sealed_in_bounded_steps(house: ArchiveHouse) -> None:
    document = uuid4()
    papers = [page(number) for number in range(1, 10_001)]
    await house.begin(house.a, document, pages=10_000, renditions=0)
    await house.bring(house.a, document, papers)
    loop = asyncio.get_running_loop()
    started = loop.time()
    await house.commit(house.a, document, papers)
    # Quadratic work over the parts took half a minute here.
    assert loop.time() - started < 10
