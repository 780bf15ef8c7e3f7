"""Damage on disk: found before a byte of it is served, never papered over."""

from collections.abc import Callable
from concurrent.futures import Executor
from dataclasses import dataclass
from pathlib import Path

import pytest

from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.measured import MeasuredBlobStore
from kho_storage.blobs.memory import MemoryBlobStore
from kho_storage.blobs.verifying import VerifyingBlobStore
from kho_storage.digest import Digest
from kho_storage.errors import BlobCorrupt, BlobNotFound
from kho_storage.parts import BlobSource
from tests.contracts.blob_store import read_whole, source_of

_DATA = bytes(i % 253 for i in range(900_000))
_DIGEST = Digest.of(_DATA)


@dataclass
class Rig:
    """A verified store on files, its clock, and a way to hurt it."""

    plain: FileSystemBlobStore
    verified: VerifyingBlobStore
    path: Path
    now: float = 0.0

    def write(self, data: bytes) -> None:
        """Replace the file's bytes as nobody should."""
        self.path.chmod(0o600)
        self.path.write_bytes(data)
        self.path.chmod(0o444)


@pytest.fixture
async def rig(tmp_path: Path, sync: GroupSync, threads: Executor, files: DurableFiles) -> Rig:
    """Return a store that holds one blob."""
    plain = FileSystemBlobStore(tmp_path, sync=sync, threads=threads, files=files)
    await plain.put([source_of(_DATA)])
    made: list[Rig] = []
    verified = VerifyingBlobStore(plain, clock=lambda: made[0].now, examiner=plain)
    made.append(Rig(plain, verified, tmp_path / "sha256" / _DIGEST.sha256[:3] / _DIGEST.sha256))
    return made[0]


def _flip_last(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize("harm", [_flip_last, lambda data: data[:-1], lambda data: data + b"x", lambda data: b""])
@pytest.mark.parametrize(("offset", "length"), [(0, None), (0, 10), (400_000, 1)])
async def test_no_byte_of_a_damaged_blob_is_served(
    rig: Rig, harm: Callable[[bytes], bytes], offset: int, length: int | None
) -> None:
    rig.write(harm(_DATA))
    reading = rig.verified.read(_DIGEST, offset, length)
    with pytest.raises(BlobCorrupt) as caught:
        await anext(reading)
    assert caught.value.sha256 == _DIGEST.sha256


async def test_damage_after_a_good_read_is_seen_at_once(rig: Rig) -> None:
    assert await read_whole(rig.verified, _DIGEST) == _DATA
    rig.write(_flip_last(_DATA))
    with pytest.raises(BlobCorrupt):
        await read_whole(rig.verified, _DIGEST)


async def test_a_verified_file_is_trusted_for_five_minutes_and_no_longer(rig: Rig) -> None:
    examined: list[Digest] = []
    inner_examine = rig.plain.examine

    async def examine(digest: Digest) -> object:
        examined.append(digest)
        return await inner_examine(digest)

    rig.plain.examine = examine  # type: ignore[method-assign,assignment]  # counts calls of the real one
    for now, times in ((0.0, 1), (299.9, 1), (300.0, 2), (599.0, 2), (601.0, 3)):
        rig.now = now
        assert await read_whole(rig.verified, _DIGEST, 5, 10) == _DATA[5:15]
        assert len(examined) == times


async def test_a_deleted_blob_is_not_found(rig: Rig) -> None:
    await read_whole(rig.verified, _DIGEST)
    await rig.verified.delete(_DIGEST)
    with pytest.raises(BlobNotFound):
        await read_whole(rig.verified, _DIGEST)


async def test_storing_again_over_damage_is_refused(rig: Rig) -> None:
    rig.write(_flip_last(_DATA))
    with pytest.raises(BlobCorrupt):
        await rig.verified.put([source_of(_DATA)])
    rig.write(_DATA[:-1])
    with pytest.raises(BlobCorrupt):
        await rig.plain.put([source_of(_DATA)])
    assert rig.path.read_bytes() == _DATA[:-1]


async def test_a_source_that_was_cut_is_refused(rig: Rig, tmp_path: Path) -> None:
    local = tmp_path / "spooled"
    local.write_bytes(b"sho")
    source = BlobSource(Digest.of(b"short"), source_of(b"short").read, local)
    with pytest.raises(BlobCorrupt):
        await rig.plain.put([source])
    assert await rig.plain.find(source.digest.sha256) is None


async def test_a_source_that_vanished_is_not_found(rig: Rig, tmp_path: Path) -> None:
    source = BlobSource(Digest.of(b"gone"), source_of(b"gone").read, tmp_path / "gone")
    with pytest.raises(BlobNotFound):
        await rig.plain.put([source])


async def test_a_store_of_unknown_identity_is_hashed_every_time() -> None:
    inner = MemoryBlobStore()
    verified = VerifyingBlobStore(inner, clock=lambda: 0.0)
    await verified.put([source_of(_DATA)])
    assert await read_whole(verified, _DIGEST, 7, 3) == _DATA[7:10]
    inner._blobs[_DIGEST.sha256] = _flip_last(_DATA)
    with pytest.raises(BlobCorrupt):
        await read_whole(verified, _DIGEST, 0, 3)


async def test_memory_of_verified_blobs_is_bounded(rig: Rig) -> None:
    verified = VerifyingBlobStore(rig.plain, clock=lambda: 0.0, examiner=rig.plain, capacity=3)
    pages = [b"%d" % number for number in range(10)]
    await verified.put([source_of(page) for page in pages])
    for page in pages:
        await read_whole(verified, Digest.of(page))
    assert list(verified._trusted) == [Digest.of(page) for page in pages[-3:]]


async def test_strange_files_are_no_blobs(rig: Rig, tmp_path: Path) -> None:
    (tmp_path / "sha256" / "lost+found").mkdir()
    (rig.path.parent / "README").write_text("hello")
    (tmp_path / "incoming" / "0.tmp").write_text("half")
    assert [digest async for digest in rig.plain.walk()] == [_DIGEST]


async def test_every_call_is_measured(rig: Rig) -> None:
    ticks = iter(range(100))
    calls: list[tuple[str, str, float, int]] = []
    store = MeasuredBlobStore(rig.verified, observe=lambda *call: calls.append(call), clock=lambda: float(next(ticks)))
    await store.put([source_of(b"abc")])
    await read_whole(store, Digest.of(b"abc"), 1)
    await store.find(Digest.of(b"abc").sha256)
    await store.find(Digest.of(b"absent").sha256)
    with pytest.raises(BlobNotFound):
        await read_whole(store, Digest.of(b"absent"))
    rig.write(_flip_last(_DATA))
    with pytest.raises(BlobCorrupt):
        await read_whole(store, _DIGEST)
    rig.write(_DATA)
    reading = store.read(_DIGEST)
    await anext(reading)
    await reading.aclose()  # type: ignore[attr-defined]  # the port promises an iterator; here it is a generator
    with pytest.raises(ValueError):
        await store.find("no digest")
    await store.delete(Digest.of(b"abc"))
    assert len([digest async for digest in store.walk()]) == 1
    assert calls == [
        ("put", "ok", 1.0, 3),
        ("read", "ok", 1.0, 2),
        ("find", "ok", 1.0, 0),
        ("find", "not_found", 1.0, 0),
        ("read", "not_found", 1.0, 0),
        ("read", "corrupt", 1.0, 0),
        ("read", "abandoned", 1.0, 256 * 1024),
        ("find", "failed", 1.0, 0),
        ("delete", "ok", 1.0, 0),
        ("walk", "ok", 1.0, 0),
    ]
