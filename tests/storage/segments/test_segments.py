"""Segments: chained, erasable, continued, never forked."""

from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from kho_storage.catalog.database import Database
from kho_storage.catalog.ledger import NewEvent, record, record_between
from kho_storage.catalog.sequencer import Sequencer
from kho_storage.errors import StoreMismatch
from kho_storage.records.registry import Actor
from kho_storage.segments.folder import SegmentFolder
from kho_storage.segments.keeper import SegmentKeeper
from kho_storage.segments.segment import NO_SEGMENT, SegmentDamaged, facts_file, read_facts, strangers

STORE = UUID("0198b1f0-0000-7000-8000-000000000001")
NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


async def happen(catalog: Database, count: int, reason: str | None = "vì ông A xin") -> None:
    """Let so many events happen and give them positions."""
    for number in range(count):
        async with catalog.transaction() as connection:
            event = NewEvent(
                "paper", str(number), "paper_folded", Actor(uuid4(), "officer-a"), NOW, {"số": number}, reason
            )
            await record(connection, event)
    await Sequencer(catalog, lambda: NOW).give()


@pytest.fixture
def folder(tmp_path: Path) -> SegmentFolder:
    """Name a folder that is not there yet."""
    return SegmentFolder(tmp_path / "events")


async def test_segments_start_where_the_last_one_ends_and_name_it(catalog: Database, folder: SegmentFolder) -> None:
    keeper = SegmentKeeper(folder, catalog, STORE, most_events=3)
    await happen(catalog, 7)
    assert await keeper.keep() == 7
    assert await keeper.keep() == 0
    await happen(catalog, 1)
    # Another process goes on after the first one.
    assert await SegmentKeeper(folder, catalog, STORE).keep() == 1
    stored = [folder.read(first) for first in folder.firsts()]
    assert [(each.segment.first, each.segment.last) for each in stored] == [(1, 3), (4, 6), (7, 7), (8, 8)]
    assert [each.segment.previous for each in stored] == [NO_SEGMENT, *(each.sha256 for each in stored[:-1])]
    assert [one.payload for one in folder.said(4).values()] == [{"số": 3}, {"số": 4}, {"số": 5}]


async def test_what_is_erased_is_gone_and_the_chain_whole(catalog: Database, folder: SegmentFolder) -> None:
    await happen(catalog, 3)
    await SegmentKeeper(folder, catalog, STORE).keep()
    before = folder.read(1)
    folder.erase(1, {2})
    assert folder.read(1) == before
    said = folder.said(1)
    assert sorted(said) == [1, 3]
    assert strangers(before.segment, said) == []
    # Neither payload nor reason is anywhere in what stays.
    assert "ông A" not in folder.facts_path(1).read_text()


async def test_other_payloads_are_recognised(catalog: Database, folder: SegmentFolder) -> None:
    await happen(catalog, 2)
    await SegmentKeeper(folder, catalog, STORE).keep()
    segment = folder.read(1).segment
    path = folder.payloads_path(1)
    path.write_text(path.read_text().replace("ông A", "ông B", 1))
    assert strangers(segment, folder.said(1)) == [1]


async def test_a_segment_reads_back_as_it_was_written(catalog: Database, folder: SegmentFolder) -> None:
    await happen(catalog, 2, reason=None)
    await SegmentKeeper(folder, catalog, STORE).keep()
    segment = folder.read(1).segment
    assert read_facts(facts_file(segment)) == segment
    assert folder.facts_path(1).stat().st_mode & 0o222 == 0


@pytest.mark.parametrize("cut", [1, 30, -1])
async def test_a_cut_segment_is_damaged(catalog: Database, folder: SegmentFolder, cut: int) -> None:
    await happen(catalog, 2)
    await SegmentKeeper(folder, catalog, STORE).keep()
    data = folder.facts_path(1).read_bytes()
    with pytest.raises(SegmentDamaged):
        read_facts(data[:cut])


async def test_what_a_kill_left_is_written_over(catalog: Database, folder: SegmentFolder) -> None:
    await happen(catalog, 2)
    folder.put_payloads(1, b"half a li")
    assert await SegmentKeeper(folder, catalog, STORE).keep() == 2
    assert sorted(folder.said(1)) == [1, 2]


async def test_an_older_or_other_database_is_refused(catalog: Database, folder: SegmentFolder, tmp_path: Path) -> None:
    await happen(catalog, 2)
    await SegmentKeeper(folder, catalog, STORE).keep()
    await SegmentKeeper(folder, catalog, STORE).must_follow()
    later = SegmentFolder(tmp_path / "later")
    stored = folder.read(1)
    later.write(stored.segment, list(folder.said(1).values()))
    async with catalog.transaction() as connection:
        await connection.execute("ALTER TABLE kho.event DISABLE TRIGGER USER")
        await connection.execute("DELETE FROM kho.event_payload")
        await connection.execute("DELETE FROM kho.event WHERE position = 2")
    with pytest.raises(StoreMismatch, match="kho rebuild"):
        await SegmentKeeper(later, catalog, STORE).must_follow()
    async with catalog.transaction() as connection:
        event = NewEvent("paper", "x", "paper_torn", Actor(None, None), NOW, {})
        await record(connection, event)
    await Sequencer(catalog, lambda: NOW).give()
    with pytest.raises(StoreMismatch, match="kho rebuild"):
        await SegmentKeeper(later, catalog, STORE).must_follow()


async def test_an_event_between_all_others_has_its_position_at_once(catalog: Database) -> None:
    async with catalog.transaction() as connection:
        await record(connection, NewEvent("paper", "1", "paper_folded", Actor(None, None), NOW, {}))
    between = NewEvent("store", "store", "paper_counted", Actor(None, None), datetime(2020, 1, 1, tzinfo=UTC), {})
    async with catalog.transaction() as connection:
        await record_between(connection, between)
    rows = await catalog.fetch("SELECT kind, position FROM kho.event ORDER BY position")
    assert [tuple(row) for row in rows] == [("paper_folded", 1), ("paper_counted", 2)]
