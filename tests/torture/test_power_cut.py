"""The short forms of the power cut, its own trial, and the order of syncs in storage/README.md over a whole story."""

import random
import secrets
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from kho_storage.blobs.durable_files import Descriptor
from kho_storage.parts import PartKind
from tests.torture import power_cut
from tests.torture.power_cut import Tried, recorded, try_long_story, try_short_story
from tests.torture.recorded_disk import Named, RecordedDisk, Step, Synced, Told, Written


async def test_every_state_of_a_short_story(folder: Path) -> None:
    tried = Tried()
    await try_short_story(folder, tried)
    assert tried.findings == []
    assert tried.states > 200
    print(f"{tried.states} states of {tried.steps} calls")


async def test_states_of_a_long_story(folder: Path) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    tried = Tried()
    await try_long_story(folder, tried, seed, documents=2, at_most=15)
    assert tried.findings == []
    assert tried.states > 50


@pytest.mark.parametrize("forgets", ["sync_file", "sync_folder"])
async def test_a_disk_that_forgets_to_sync_is_found_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch, forgets: str
) -> None:
    """What this campaign would say of a store that skips a sync: it must not be silent."""

    class Forgetful(RecordedDisk):
        def sync_file(self, file: Descriptor) -> None:
            if forgets != "sync_file":
                super().sync_file(file)

        def sync_folder(self, folder: Path) -> None:
            if forgets != "sync_folder" or folder == self.root:
                super().sync_folder(folder)

    monkeypatch.setattr(power_cut, "RecordedDisk", Forgetful)
    tried = Tried()
    await try_long_story(folder, tried, 1, documents=1, at_most=12)
    assert tried.findings


async def test_promises_come_in_the_order_of_the_readme(folder: Path) -> None:
    """Each promise of a story was preceded by the calls of its row in the table, in the order of its cells."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    with ThreadPoolExecutor(4) as threads:
        story = await recorded(folder, random.Random(seed), threads, 3)
    steps = story.disk.steps
    seen = set()
    for moment, step in enumerate(steps):
        if isinstance(step, Told) and step.what is not None:
            match step.key:
                case ("part", _, part) if step.what == "complete":
                    prefix = f"{'p' if part.kind is PartKind.PAGE else 'r'}{part.number:05d}."  # type: ignore[attr-defined]
                    _synced_named_synced(steps, moment, prefix, len(prefix) + 64)
                    seen.add("part")
                case ("blob", digest):
                    _synced_named_synced(steps, moment, digest.sha256, 64)  # type: ignore[attr-defined]
                    seen.add("blob")
                case ("manifest", name):
                    _synced_named_synced(steps, moment, f"v{name.version}.{name.commit}.json", 1)  # type: ignore[attr-defined]
                    seen.add("manifest")
                case ("part", _, _) if isinstance(step.what, int) and step.what:
                    seen.add("length")
    assert seen == {"part", "blob", "manifest", "length"}


def _synced_named_synced(steps: list[Step], moment: int, prefix: str, at_least: int) -> None:
    """Find the last thing of this name before the promise: its bytes, their sync, its name, the folder's sync."""
    named = max(
        number
        for number, step in enumerate(steps[:moment])
        if isinstance(step, Named) and step.name.startswith(prefix) and len(step.name) >= at_least
    )
    name = steps[named]
    assert isinstance(name, Named)
    written = max(number for number, step in enumerate(steps[:moment]) if _writes(step, name.thing))
    file_synced = [number for number, step in enumerate(steps[:moment]) if _syncs(step, name.thing, after=written)]
    folder_synced = [number for number, step in enumerate(steps[:moment]) if _syncs(step, name.folder, after=named)]
    assert file_synced, f"{name.name} was promised before its bytes were synced"
    assert file_synced[0] < named, f"{name.name} was named before its bytes were synced"
    assert folder_synced, f"{name.name} was promised before its folder was synced"


def _writes(step: Step, thing: int) -> bool:
    return isinstance(step, Written) and step.file == thing


def _syncs(step: Step, thing: int, *, after: int) -> bool:
    return isinstance(step, Synced) and step.thing == thing and step.began > after
