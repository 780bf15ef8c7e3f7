"""What a dead server left behind: removed when nobody can miss it, kept whenever in doubt."""

from collections.abc import Sequence
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from kho_server.archive.manifest import manifest_bytes
from kho_storage.digest import Digest
from kho_storage.parts import BlobSource, ManifestName, PartId, PartKind, UploadId
from kho_storage.records.access import KeptAnswer
from kho_storage.records.document import StoredPart
from tests.server.archive.archive_house import ArchiveHouse, Paper, page, signed


async def die_before_the_rows(house: ArchiveHouse, document: UUID, papers: Sequence[Paper]) -> ManifestName:
    """Leave what a server leaves that dies between manifest and rows."""
    upload = await house.uploads.find(house.a.agency_uuid, document)
    assert upload is not None
    upload_id = UploadId(house.a.agency_uuid, document, 1)
    sources: list[BlobSource] = [await house.spool.source(upload_id, paper.part) for paper in papers]
    await house.blobs.put(sources)
    parts = tuple(
        StoredPart(paper.part, Digest.of(paper.data), paper.media_type.mime, None, paper.role) for paper in papers
    )
    name = ManifestName(house.a.agency_uuid, document, 1, uuid4())
    data = manifest_bytes(
        repository_id="H46",
        agency=house.province.a,
        upload=upload,
        document_uuid=str(uuid4()),
        sealed={},
        parts=parts,
    )
    await house.manifests.seal(name, data)
    return name


async def manifests(house: ArchiveHouse) -> list[ManifestName]:
    """Return all manifests."""
    return [name async for name in house.manifests.walk()]


async def blobs(house: ArchiveHouse) -> set[str]:
    """Return all stored digests."""
    return {digest.sha256 async for digest in house.blobs.walk()}


async def test_an_attempt_that_never_happened_is_removed_and_can_be_repeated(house: ArchiveHouse) -> None:
    kept, document = uuid4(), uuid4()
    await house.store(house.a, kept, papers=[page(1), signed()])
    papers = [page(1), page(2)]
    await house.begin(house.a, document, pages=2, renditions=0)
    await house.bring(house.a, document, papers)
    dead = await die_before_the_rows(house, document, papers)
    assert await house.tidying.settle() == 1
    assert dead not in await manifests(house)
    # Page 1 is needed by the other document, page 2 by nobody.
    assert await blobs(house) == {page(1).claim.sha256, signed().claim.sha256}
    await house.commit(house.a, document, papers)
    assert len(await manifests(house)) == 2
    assert await house.tidying.settle() == 0


async def test_bytes_that_lie_nowhere_else_are_never_removed(house: ArchiveHouse) -> None:
    """An older database put back over this folder knows nothing of what was sealed since."""
    document = uuid4()
    await house.store(house.a, document)
    await house.database.execute(
        "TRUNCATE kho.verdict, kho.verification_task, kho.blob_reference, kho.result_owner, kho.result,"
        " kho.document_version, kho.document"
    )
    assert await house.tidying.settle() == 0
    assert len(await manifests(house)) == 1
    assert await blobs(house) == {page(1).claim.sha256, signed().claim.sha256}


@pytest.mark.parametrize("data", [b"", b"\xff", b"{}", b"[1]", b'{"parts": [{"sha256": 1}]}'])
async def test_a_manifest_that_cannot_be_read_stops_nothing(house: ArchiveHouse, data: bytes) -> None:
    await house.manifests.seal(ManifestName(house.a.agency_uuid, uuid4(), 1, uuid4()), data)
    assert await house.tidying.settle() == 0
    assert len(await manifests(house)) == 1


async def test_leases_that_ended(house: ArchiveHouse) -> None:
    over, under_way = uuid4(), uuid4()
    await house.begin(house.a, over)
    await house.bring(house.a, over, [page(1)])
    house.now += timedelta(days=4)
    await house.begin(house.a, under_way)
    await house.bring(house.a, under_way, [page(1)])
    house.now += timedelta(days=4)
    assert await house.tidying.clean_leases() == 1
    assert await house.spool.uploads() == (UploadId(house.a.agency_uuid, under_way, 1),)
    assert await house.uploads.count() == 1


async def test_spooled_parts_of_nothing_are_removed(house: ArchiveHouse) -> None:
    document, gone = uuid4(), uuid4()
    await house.begin(house.a, document)
    await house.bring(house.a, document, [page(1)])
    writer = await house.spool.writer(UploadId(house.a.agency_uuid, gone, 1), PartId(PartKind.PAGE, 1))
    await writer.append([b"left"])
    await writer.close()
    assert await house.tidying.clean_spool() == 1
    assert await house.spool.uploads() == (UploadId(house.a.agency_uuid, document, 1),)


async def test_answers_are_forgotten_after_thirty_days(house: ArchiveHouse) -> None:
    answer = KeptAnswer(house.a.scope, uuid4(), "Begin", b"\0" * 32, b"", house.now)
    await house.answers.keep(answer)
    house.now += timedelta(days=29)
    assert await house.tidying.forget_answers() == 0
    house.now += timedelta(days=2)
    assert await house.tidying.forget_answers() == 1
