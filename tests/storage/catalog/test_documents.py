"""Uploads, codes, documents and verdicts on real PostgreSQL; their events rebuild them."""

import asyncio
from collections.abc import Coroutine
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest

from kho_storage.catalog.database import Database
from kho_storage.catalog.documents import PostgresDocuments
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.uploads import PostgresUploads
from kho_storage.catalog.verdicts import PostgresVerdicts
from kho_storage.errors import CatalogUnavailable, Conflict
from kho_storage.records.access import KeptAnswer
from kho_storage.records.document import DocumentState, TakenCode, VersionReason
from kho_storage.records.registry import Agency
from tests.storage.catalog.projection_dump import assert_rebuild_changes_nothing
from tests.storage.catalog.sealed_samples import (
    ACTOR,
    NOW,
    code_of,
    declaration,
    nothing,
    open_upload,
    register,
    sealed,
    upload_of,
    verdict_of,
    version_of,
)

SECOND = timedelta(seconds=1)


@pytest.fixture
def uploads(catalog: Database) -> PostgresUploads:
    """Give uploads."""
    return PostgresUploads(catalog)


@pytest.fixture
def documents(catalog: Database) -> PostgresDocuments:
    """Give documents."""
    return PostgresDocuments(catalog)


@pytest.fixture
def verdicts(catalog: Database) -> PostgresVerdicts:
    """Give verdicts."""
    return PostgresVerdicts(catalog)


@pytest.fixture
async def agency(catalog: Database) -> Agency:
    """Give an agency."""
    return await register(PostgresRegistry(catalog))


async def conflict(work: Coroutine[Any, Any, Any]) -> str:
    """Do what is refused, and return by which constraint."""
    with pytest.raises(Conflict) as caught:
        await work
    return caught.value.constraint


async def test_an_upload_is_kept_as_it_was_declared(uploads: PostgresUploads, agency: Agency) -> None:
    document = uuid4()
    declared = declaration(agency, copy_of=uuid4())
    upload = upload_of(agency, document, declared=declared)
    code = code_of(1)
    await uploads.take_code(agency.agency_uuid, document, code, ACTOR, NOW)
    assert await uploads.open(upload, None, nothing) == replace(upload, code=code)
    renewed = replace(upload, pages=3, begun_at=NOW + SECOND, lease_until=NOW + timedelta(days=9))
    assert await uploads.open(renewed, None, nothing) == replace(renewed, begun_at=NOW, code=code)
    assert await uploads.find(agency.agency_uuid, document) == replace(renewed, begun_at=NOW, code=code)
    assert await uploads.find(uuid4(), document) is None
    assert await uploads.count() == 1


async def test_leases(uploads: PostgresUploads, agency: Agency) -> None:
    document = uuid4()
    upload = await uploads.open(upload_of(agency, document), None, nothing)
    name = (agency.agency_uuid, document)
    end = upload.lease_until
    forgotten: list[bool] = []

    async def forget() -> None:
        forgotten.append(True)

    assert await uploads.expired(end, 10) == ()
    assert await uploads.expired(end + SECOND, 10) == (upload,)
    assert await uploads.renew(*name, 1, end + timedelta(days=1))
    assert await uploads.renew(*name, 1, end)
    assert not await uploads.renew(*name, 2, end + timedelta(days=9))
    assert not await uploads.abandon(*name, end + SECOND, forget)
    assert forgotten == []
    assert await uploads.abandon(*name, end + timedelta(days=2), forget)
    assert forgotten == [True]
    assert not await uploads.renew(*name, 1, end)


async def test_an_abandoning_that_fails_forgets_nothing(uploads: PostgresUploads, agency: Agency) -> None:
    document = uuid4()
    upload = await uploads.open(upload_of(agency, document), None, nothing)

    async def fail() -> None:
        raise OSError(5, "I/O error")

    with pytest.raises(CatalogUnavailable):
        await uploads.abandon(agency.agency_uuid, document, upload.lease_until + SECOND, fail)
    assert await uploads.find(agency.agency_uuid, document) == upload


async def test_twenty_who_want_a_code_of_one_series(uploads: PostgresUploads, agency: Agency) -> None:
    async def take(document: UUID) -> TakenCode:
        return await uploads.take_next_code(agency.agency_uuid, document, "0441.KQ.*", code_of, ACTOR, NOW)

    # One that the issuer gave stands in the way of the fourth.
    await uploads.take_code(agency.agency_uuid, uuid4(), replace(code_of(4), sequence=None), ACTOR, NOW)
    taken = await asyncio.gather(*(take(uuid4()) for _ in range(20)))
    assert sorted(code.sequence or 0 for code in taken) == [1, 2, 3, *range(5, 22)]
    document = uuid4()
    assert len({code.key for code in await asyncio.gather(*(take(document) for _ in range(6)))}) == 1


async def test_codes_that_somebody_has(uploads: PostgresUploads, agency: Agency) -> None:
    one, document = code_of(1), uuid4()
    await uploads.take_code(agency.agency_uuid, document, one, ACTOR, NOW)
    again = replace(one, public_code="H46X")
    assert await conflict(uploads.take_code(agency.agency_uuid, uuid4(), again, ACTOR, NOW)) == "result_code_taken"
    other = replace(code_of(2), public_code=one.public_code)
    assert await conflict(uploads.take_code(agency.agency_uuid, uuid4(), other, ACTOR, NOW)) == "public_code_taken"
    assert await uploads.take_code(agency.agency_uuid, document, code_of(9), ACTOR, NOW) == one


async def test_a_sealed_document_is_read_back_whole(
    catalog: Database, uploads: PostgresUploads, documents: PostgresDocuments, agency: Agency
) -> None:
    document, name = uuid4(), uuid4()
    version = await sealed(uploads, documents, upload_of(agency, document), name)
    stored = await documents.document(agency.agency_uuid, document)
    assert stored is not None
    assert stored == await documents.document_by_uuid(name)
    assert stored.versions == (version,)
    assert (stored.dossier_code, stored.dossier_key, stored.procedure_key) == ("d-1", "D-1", "1.000894")
    assert stored.result is not None
    assert stored.result.declaration == declaration(agency).result
    assert stored.result.content == version.parts[1]
    assert await uploads.count() == 0
    assert await documents.commits([version.commit_id, uuid4()]) == {version.commit_id}
    digests = [part.digest.sha256 for part in version.parts]
    assert await documents.is_referenced([*digests, "0" * 64]) == set(digests)
    assert await documents.dossier_procedure(agency.agency_uuid, "D-1") == "1.000894"
    await assert_rebuild_changes_nothing(catalog)


async def test_two_that_seal_at_once(uploads: PostgresUploads, documents: PostgresDocuments, agency: Agency) -> None:
    opened = await open_upload(uploads, upload_of(agency, uuid4()))
    seals = [documents.seal(opened, uuid4(), version_of(opened), True, ACTOR, None) for _ in range(5)]
    done = await asyncio.gather(*seals, return_exceptions=True)
    assert sorted(getattr(each, "constraint", "sealed") for each in done) == ["sealed", *["upload_changed"] * 4]


async def test_only_what_was_declared_last_is_sealed(
    uploads: PostgresUploads, documents: PostgresDocuments, agency: Agency
) -> None:
    opened = await open_upload(uploads, upload_of(agency, uuid4()))
    await uploads.open(replace(opened, sheets=2), None, nothing)
    assert await conflict(documents.seal(opened, uuid4(), version_of(opened), True, ACTOR, None)) == "upload_changed"
    assert await documents.document(agency.agency_uuid, opened.document_id) is None


async def test_versions_follow_each_other(
    catalog: Database, uploads: PostgresUploads, documents: PostgresDocuments, agency: Agency
) -> None:
    document, name = uuid4(), uuid4()
    await sealed(uploads, documents, upload_of(agency, document), name)
    for version in (1, 3):
        assert await conflict(uploads.open(upload_of(agency, document, version), None, nothing)) == (
            "document_version_taken"
        )
    opened = await uploads.open(upload_of(agency, document, 2), None, nothing)
    forgotten: list[bool] = []

    async def forget() -> None:
        forgotten.append(True)

    assert await uploads.open(opened, None, forget)
    assert forgotten == []
    added = replace(opened, reason=VersionReason.RENDITION_ADDED, reason_text=None, first_rendition=2)
    opened = await uploads.open(added, None, forget)
    assert forgotten == [True]
    await documents.seal(opened, name, version_of(opened, NOW + SECOND), True, ACTOR, None)
    stored = await documents.document_by_uuid(name)
    assert stored is not None
    assert (stored.version, [each.version for each in stored.versions]) == (2, [1, 2])
    await assert_rebuild_changes_nothing(catalog)


async def test_a_dossier_has_one_procedure_also_in_a_race(
    catalog: Database, uploads: PostgresUploads, documents: PostgresDocuments, agency: Agency
) -> None:
    opened = []
    for number in range(6):
        declared = replace(declaration(agency), procedure_key=f"1.{number % 2}", procedure_code=f"1.{number % 2}")
        opened.append(await open_upload(uploads, upload_of(agency, uuid4(), declared=declared)))
    done = await asyncio.gather(
        *(documents.seal(each, uuid4(), version_of(each), True, ACTOR, None) for each in opened),
        return_exceptions=True,
    )
    refused = [getattr(each, "constraint", None) for each in done]
    assert set(refused) == {None, "dossier_procedure"}
    assert refused.count(None) == 3
    await assert_rebuild_changes_nothing(catalog)


async def test_copies_come_after_their_originals_whatever_the_clock_said(
    catalog: Database, uploads: PostgresUploads, documents: PostgresDocuments, agency: Agency
) -> None:
    original, copy = uuid4(), uuid4()
    unknown = await open_upload(uploads, upload_of(agency, copy, declared=declaration(agency, copy_of=original)))
    seal = documents.seal(unknown, uuid4(), version_of(unknown), True, ACTOR, None)
    assert await conflict(seal) == "copy_of_unknown"
    await sealed(uploads, documents, upload_of(agency, original), uuid4(), NOW + SECOND)
    await documents.seal(unknown, uuid4(), version_of(unknown, NOW), True, ACTOR, None)
    stored = await documents.document(agency.agency_uuid, copy)
    assert stored is not None
    assert stored.copy_of == original
    await assert_rebuild_changes_nothing(catalog)


async def test_a_request_id_seals_one_document(
    uploads: PostgresUploads, documents: PostgresDocuments, agency: Agency
) -> None:
    keep = KeptAnswer(agency.agency_uuid, uuid4(), "Commit", b"\0" * 32, b"{}", NOW)
    one, other = [await open_upload(uploads, upload_of(agency, uuid4())) for _ in range(2)]
    await documents.seal(one, uuid4(), version_of(one), True, ACTOR, keep)
    assert await conflict(documents.seal(other, uuid4(), version_of(other), True, ACTOR, keep)) == "request_answered"
    assert await uploads.find(agency.agency_uuid, other.document_id) == other


async def test_results_are_found_by_both_codes(
    uploads: PostgresUploads, documents: PostgresDocuments, agency: Agency
) -> None:
    codes = []
    for _ in range(3):
        opened = await open_upload(uploads, upload_of(agency, uuid4()))
        assert opened.code is not None
        codes.append(opened.code)
        await documents.seal(opened, uuid4(), version_of(opened), True, ACTOR, None)
    reserved = await open_upload(uploads, upload_of(agency, uuid4()))
    assert reserved.code is not None
    asked = [codes[0].key, codes[1].public_code, codes[2].key, codes[2].public_code, reserved.code.key, "X"]
    found = await documents.results(asked)
    assert set(found) == set(asked[:4])
    assert found[asked[2]] == found[asked[3]]
    assert found[asked[0]].code == codes[0].code
    assert await documents.results([]) == {}


async def test_lists_page_by_key_also_within_one_instant(
    uploads: PostgresUploads, documents: PostgresDocuments, agency: Agency
) -> None:
    names = [uuid4() for _ in range(9)]
    for number, name in enumerate(names):
        declared = declaration(agency, f"D-{number % 2}")
        await sealed(
            uploads, documents, upload_of(agency, uuid4(), declared=declared), name, NOW + SECOND * (number // 4)
        )
    for dossier, size in ((None, 2), (None, 4), ("D-1", 1), ("D-1", 3)):
        seen: list[UUID] = []
        after: tuple[datetime, UUID] | None = None
        while some := await documents.documents(agency.agency_uuid, dossier, DocumentState.RECEIVED, after, size):
            seen += [each.document_uuid for each in some]
            after = (some[-1].created_at, some[-1].document_uuid)
        assert len(seen) == len(set(seen))
        assert set(seen) == set(names if dossier is None else names[1::2])
    assert await documents.documents(agency.agency_uuid, None, DocumentState.VALID, None, 5) == ()
    assert await documents.documents(uuid4(), None, None, None, 5) == ()


async def test_many_takers_get_each_task_once(
    uploads: PostgresUploads, documents: PostgresDocuments, verdicts: PostgresVerdicts, agency: Agency
) -> None:
    names = [uuid4() for _ in range(12)]
    for number, name in enumerate(names):
        await sealed(uploads, documents, upload_of(agency, uuid4()), name, NOW + SECOND * number)
    tasks = await asyncio.gather(*(verdicts.take_task(NOW + timedelta(minutes=1)) for _ in range(20)))
    taken = [task.document_uuid for task in tasks if task is not None]
    assert sorted(taken) == sorted(names)
    assert await documents.state(names[0]) == (1, DocumentState.VERIFYING)
    await verdicts.postpone(names[0], 1, NOW + timedelta(hours=1))
    assert await verdicts.take_task(NOW + timedelta(minutes=59)) is None
    again = await verdicts.take_task(NOW + timedelta(hours=1))
    assert again is not None
    assert (again.document_uuid, again.attempts) == (names[0], 0)
    assert await verdicts.release_started() == 12


async def test_the_newest_judgement_counts_in_whatever_order_they_come(
    catalog: Database,
    uploads: PostgresUploads,
    documents: PostgresDocuments,
    verdicts: PostgresVerdicts,
    agency: Agency,
) -> None:
    name = uuid4()
    await sealed(uploads, documents, upload_of(agency, uuid4()), name)
    later, earlier = verdict_of(1, NOW + SECOND * 5, "INDETERMINATE"), verdict_of(1, NOW + SECOND * 2)
    due = NOW + timedelta(minutes=5)
    await verdicts.append(name, later, DocumentState.PENDING_EVIDENCE, due, ACTOR)
    await verdicts.append(name, earlier, DocumentState.VALID, None, ACTOR)
    assert await documents.state(name) == (1, DocumentState.PENDING_EVIDENCE)
    task = await verdicts.take_task(due)
    assert task is not None
    assert task.document_uuid == name
    assert await verdicts.verdicts(name, None, 5) == (later, earlier)
    assert await verdicts.verdicts(name, (later.judged_at, later.verdict_id), 5) == (earlier,)
    newest = verdict_of(1, NOW + SECOND * 9)
    await verdicts.append(name, newest, DocumentState.VALID, None, ACTOR)
    assert await documents.state(name) == (1, DocumentState.VALID)
    assert await verdicts.take_task(NOW + timedelta(days=9)) is None
    stored = await documents.document_by_uuid(name)
    assert stored is not None
    assert stored.verdict == newest
    await assert_rebuild_changes_nothing(catalog)
