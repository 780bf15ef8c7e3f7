"""The rolling check: its pace, its memory, what it does about damage."""

import asyncio
import os
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from kho_server.archive.scrubbing import FixityLedger, Scrubbing, ScrubNote, ScrubObserver
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.repairing import repair_from
from kho_storage.digest import Digest

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
BUDGET = 1000


@dataclass
class Watch(FixityLedger, ScrubObserver):
    """Keeps what it is told, and a clock that runs while the check pauses."""

    now: datetime = NOW
    events: list[tuple[str, bool]] = field(default_factory=list)
    outcomes: list[str] = field(default_factory=list)
    ages: list[float] = field(default_factory=list)
    pauses: list[float] = field(default_factory=list)
    stop_after: int = 10**9

    async def damaged(self, digest: Digest, is_repaired: bool, at: datetime) -> None:
        self.events.append((digest.sha256, is_repaired))

    def scrubbed(self, outcome: str, size_bytes: int) -> None:
        self.outcomes.append(outcome)

    def oldest_check(self, age_s: float) -> None:
        self.ages.append(age_s)

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += timedelta(seconds=seconds)
        if len(self.pauses) == self.stop_after:
            raise asyncio.CancelledError


@dataclass
class Shelf:
    """A store with some blobs, and a second copy of them."""

    store: FileSystemBlobStore
    root: Path
    second: Path
    digests: list[Digest]

    def scrubbing(self, watch: Watch, *, with_second: bool = False) -> Scrubbing:
        """Return a check over it."""

        async def repair(digest: Digest) -> bool:
            right = next(each for each in self.digests if each.sha256 == digest.sha256)
            source = self.second / digest.sha256
            return with_second and repair_from(
                source, self.store.path(digest), right, self.root / "incoming", DurableFiles()
            )

        return Scrubbing(
            blobs=self.store,
            examiner=self.store,
            repair=repair,
            ledger=watch,
            observer=watch,
            note=self.root / "scrub.json",
            bytes_per_s=BUDGET,
            clock=lambda: watch.now,
            pause=watch.pause,
        )

    def spoil(self, digest: Digest, content: bytes | None = None) -> None:
        """Damage a blob."""
        path = self.store.path(digest)
        path.chmod(0o600)
        path.write_bytes(bytes(digest.size_bytes) if content is None else content)


@pytest.fixture
async def shelf(tmp_path: Path) -> AsyncIterator[Shelf]:
    """Fill a store with six blobs of 5,000 bytes."""
    files, sync, threads = DurableFiles(), GroupSync(DurableFiles()), ThreadPoolExecutor(2)
    root, second = tmp_path / "blobs", tmp_path / "second"
    root.mkdir()
    second.mkdir()
    store = FileSystemBlobStore(root, sync=sync, threads=threads, files=files)
    digests = []
    for _ in range(6):
        content = os.urandom(5000)
        digest = Digest.of(content)
        store.path(digest).parent.mkdir(exist_ok=True)
        store.path(digest).write_bytes(content)
        (second / digest.sha256).write_bytes(content)
        digests.append(digest)
    yield Shelf(store, root, second, sorted(digests))
    await sync.close()
    threads.shutdown()


async def test_it_keeps_to_its_budget_and_begins_again(shelf: Shelf) -> None:
    watch = Watch()
    assert await shelf.scrubbing(watch).round() == 6
    assert watch.outcomes == ["right"] * 6
    assert sum(watch.pauses) == 6 * 5000 / BUDGET
    assert await shelf.scrubbing(watch).round() == 6
    # All was checked since the second round began.
    assert watch.ages[-1] == 30.0


async def test_it_goes_on_where_it_was_stopped(shelf: Shelf) -> None:
    watch = Watch(stop_after=4)
    with pytest.raises(asyncio.CancelledError):
        await shelf.scrubbing(watch).round()
    note = ScrubNote.read(shelf.root / "scrub.json")
    assert note is not None
    done = [digest.sha256 for digest in shelf.digests].index(note.position) + 1
    again = Watch()
    assert await shelf.scrubbing(again).round() == 6 - done
    assert done > 1


async def test_an_unreadable_note_begins_a_round(shelf: Shelf) -> None:
    (shelf.root / "scrub.json").write_text("{")
    assert await shelf.scrubbing(Watch()).round() == 6


@pytest.mark.parametrize("content", [None, b"", b"short"])
async def test_damage_is_told_and_kept_without_a_second_copy(shelf: Shelf, content: bytes | None) -> None:
    bad = shelf.digests[2]
    shelf.spoil(bad, content)
    watch = Watch()
    await shelf.scrubbing(watch).round()
    assert watch.events == [(bad.sha256, False)]
    assert sorted(watch.outcomes) == ["damaged"] + ["right"] * 5


@pytest.mark.parametrize("content", [None, b"short"])
async def test_damage_is_repaired_from_a_second_copy(shelf: Shelf, content: bytes | None) -> None:
    bad = shelf.digests[2]
    shelf.spoil(bad, content)
    watch = Watch()
    await shelf.scrubbing(watch, with_second=True).round()
    assert watch.events == [(bad.sha256, True)]
    assert Digest.of(shelf.store.path(bad).read_bytes()) == bad
    assert shelf.store.path(bad).with_name(f"{bad.sha256}.damaged").exists()
    assert list((shelf.root / "incoming").iterdir()) == []
    again = Watch()
    await shelf.scrubbing(again, with_second=True).round()
    assert again.outcomes == ["right"] * 6


async def test_a_second_copy_that_is_damaged_too_repairs_nothing(shelf: Shelf) -> None:
    bad = shelf.digests[2]
    shelf.spoil(bad)
    (shelf.second / bad.sha256).write_bytes(b"also bad")
    watch = Watch()
    await shelf.scrubbing(watch, with_second=True).round()
    assert watch.events == [(bad.sha256, False)]
    assert list((shelf.root / "incoming").iterdir()) == []
