"""From stored files to verdicts: once, again when evidence is missing, and never in the way of ingest."""

import asyncio
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from kho_server.archive.refusals import Reason
from kho_server.verification.errors import SourceChanged, SourceUnreadable, VerifierBusy, VerifierUnavailable
from kho_server.verification.verdict import Indication
from kho_storage.errors import CatalogUnavailable
from kho_storage.records.document import DocumentState, StoredDocument
from tests.server.archive.archive_house import ArchiveHouse, page, signed
from tests.server.archive.refused import refused


@pytest.fixture(autouse=True)
def _without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the loop look again at once."""
    monkeypatch.setattr("kho_server.archive.judging._IDLE_S", 0.01)


async def stored(house: ArchiveHouse, document: UUID) -> StoredDocument:
    """Return a document of agency-a."""
    found = await house.documents.document(house.a.agency_uuid, document)
    assert found is not None
    return found


async def test_a_version_is_judged_once(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    await house.store(house.a, papers=[page(1)])
    assert await house.judge_due() == 1
    assert await house.judge_due() == 0
    found = await stored(house, document)
    assert found.state is DocumentState.VALID
    assert len(await house.verdicts.verdicts(found.document_uuid, None, 10)) == 1
    assert house.verifier.asked == [signed().claim.sha256]


async def test_missing_evidence_is_asked_for_again_later_and_later(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    for wait in (timedelta(0), timedelta(minutes=5), timedelta(minutes=10), timedelta(minutes=20)):
        house.now += wait - timedelta(seconds=1)
        assert await house.judge_due() == 0 if wait else True
        house.now += timedelta(seconds=1, milliseconds=1)
        house.verifier.next.append(Indication.INDETERMINATE)
        assert await house.judge_due() == 1
        assert (await stored(house, document)).state is DocumentState.PENDING_EVIDENCE
    house.now += timedelta(days=1)
    assert await house.judge_due() == 1
    found = await stored(house, document)
    assert found.state is DocumentState.VALID
    assert [verdict.indication for verdict in await house.verdicts.verdicts(found.document_uuid, None, 10)] == [
        "TOTAL_PASSED",
        *["INDETERMINATE"] * 4,
    ]
    house.now += timedelta(days=2)
    assert await house.judge_due() == 0


@pytest.mark.parametrize(
    ("error", "wait"),
    [
        (VerifierBusy(8, 2.0), timedelta(seconds=31)),
        (VerifierUnavailable("none"), timedelta(seconds=31)),
        (SourceChanged("other bytes"), timedelta(minutes=61)),
        (SourceUnreadable("gone"), timedelta(minutes=61)),
    ],
)
async def test_what_cannot_be_judged_now_waits(house: ArchiveHouse, error: Exception, wait: timedelta) -> None:
    document = uuid4()
    await house.store(house.a, document)
    house.verifier.next.append(error)
    assert await house.judge_due() == 1
    assert (await stored(house, document)).state is DocumentState.RECEIVED
    assert (house.observer.failures == ["damaged_blob"]) == (wait > timedelta(hours=1))
    house.now += wait
    assert await house.judge_due() == 1
    assert (await stored(house, document)).state is DocumentState.VALID


async def test_bytes_that_are_gone_are_damage(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    newest = (await stored(house, document)).versions[-1].parts[-1]
    await house.blobs.delete(newest.digest)
    assert await house.judge_due() == 1
    assert house.observer.failures == ["damaged_blob"]
    assert (await stored(house, document)).state is DocumentState.RECEIVED


async def test_the_loop_survives_every_failure_and_keeps_no_task(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    house.verifier.next.append(RuntimeError("a fault of ours"))
    loop = asyncio.create_task(house.judging.run())
    while not house.observer.failures:
        await house.database.ping()
    while (await stored(house, document)).state is not DocumentState.RECEIVED:
        await house.database.ping()
    house.now += timedelta(seconds=31)
    house.judging.wake()
    while (await stored(house, document)).state is not DocumentState.VALID:
        assert not loop.done()
    loop.cancel()
    await asyncio.wait({loop})


async def test_a_verdict_that_could_not_be_kept_is_made_again(
    house: ArchiveHouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A catalog that is away for a moment must not leave a document in VERIFYING for ever."""
    document = uuid4()
    await house.store(house.a, document)
    append, postpone = house.verdicts.append, house.verdicts.postpone
    away = [True, True]

    async def failing_append(*arguments: object) -> None:
        if away:
            raise CatalogUnavailable("PostgreSQL does not answer")
        await append(*arguments)  # type: ignore[arg-type]  # passed through

    async def failing_postpone(*arguments: object) -> None:
        if away.pop():
            away.clear()
        await postpone(*arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(house.verdicts, "append", failing_append)
    monkeypatch.setattr(house.verdicts, "postpone", failing_postpone)
    loop = asyncio.create_task(house.judging.run())
    while away:
        await house.database.ping()
    while (await stored(house, document)).state is DocumentState.VERIFYING:
        await house.database.ping()
    house.now += timedelta(seconds=31)
    house.judging.wake()
    while (await stored(house, document)).state is not DocumentState.VALID:
        assert not loop.done()
    loop.cancel()
    await asyncio.wait({loop})


async def test_what_a_dead_server_held_is_given_back(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    assert await house.verdicts.take_task(house.clock()) is not None
    assert (await stored(house, document)).state is DocumentState.VERIFYING
    assert await house.verdicts.release_started() == 1
    assert await house.judge_due() == 1


async def test_judging_anew_that_finds_evidence_missing_is_tried_again(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    await house.judge_due()
    house.verifier.next.append(Indication.INDETERMINATE)
    verdict = await house.judging.judge_now(house.a, "", str(document))
    assert verdict.indication == "INDETERMINATE"
    assert (await stored(house, document)).state is DocumentState.PENDING_EVIDENCE
    house.now += timedelta(minutes=6)
    assert await house.judge_due() == 1
    assert (await stored(house, document)).state is DocumentState.VALID


async def test_judging_anew_is_for_ones_own_signed_documents(house: ArchiveHouse) -> None:
    document, unsigned = uuid4(), uuid4()
    await house.store(house.a, document)
    await house.store(house.a, unsigned, papers=[page(1)])
    with refused(Reason.DOCUMENT_NOT_FOUND):
        await house.judging.judge_now(house.b, "", str(document))
    with refused(Reason.CONTENT_NOT_AVAILABLE):
        await house.judging.judge_now(house.a, "", str(unsigned))


async def test_a_new_version_is_judged_and_the_old_ones_task_is_gone(house: ArchiveHouse) -> None:
    document = uuid4()
    await house.store(house.a, document)
    old = await house.verdicts.take_task(house.clock())
    assert old is not None
    await house.next_version.add_rendition(house.a, str(uuid4()), "", str(document), 1, 1)
    await house.bring(house.a, document, [signed(2)], 2)
    await house.commit(house.a, document, [signed(2)], 2)
    # The verdict on the old version comes late: it is kept, and decides nothing.
    house.verifier.next.append(Indication.TOTAL_FAILED)
    await house.judging._judge_task(old)
    assert (await stored(house, document)).state is DocumentState.RECEIVED
    assert await house.judge_due() == 1
    assert house.verifier.asked[-1] == signed(2).claim.sha256
    assert (await stored(house, document)).state is DocumentState.VALID
