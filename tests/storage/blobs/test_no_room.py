"""A full device: StorageFull, what was persisted stays, and it goes on when there is room again."""

import errno
import os
import resource
from collections.abc import Iterator
from concurrent.futures import Executor
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from kho_storage.blobs.durable_files import Descriptor, DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.filesystem_manifests import FileSystemManifestStore
from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.digest import Digest
from kho_storage.errors import StorageFull
from kho_storage.parts import ManifestName, PartId, PartKind, SpooledPart, UploadId
from tests.contracts.blob_store import read_whole, source_of

_UPLOAD = UploadId(UUID(int=1), UUID(int=2), 1)
_PAGE = PartId(PartKind.PAGE, 1)


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let the kernel refuse larger files; Python ignores SIGXFSZ, so that the call fails with EFBIG."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


class FullAtSync(DurableFiles):
    """A disk that finds out at fsync that it has no room, as NFS and thin volumes do."""

    def __init__(self) -> None:
        self.is_full = False

    def sync_file(self, file: Descriptor) -> None:
        if self.is_full:
            raise StorageFull("no room on the device") from OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        super().sync_file(file)


def test_a_device_without_room(files: DurableFiles) -> None:
    with pytest.raises(StorageFull) as caught:
        files.write(Descriptor(os.open("/dev/full", os.O_WRONLY)), [b"x" * 10], 0)
    assert isinstance(caught.value.__cause__, OSError)


async def test_spool_without_room(tmp_path: Path, sync: GroupSync, threads: Executor, files: DurableFiles) -> None:
    spool = FileSystemUploadSpool(tmp_path, sync=sync, threads=threads, files=files)
    writer = await spool.writer(_UPLOAD, _PAGE)
    await writer.append([b"a" * 90_000])
    await writer.persist()
    await writer.append([b"b" * 5_000])
    with files_up_to(100_000):
        with pytest.raises(StorageFull):
            await writer.append([b"c" * 4_000, b"d" * 4_000])
        assert (writer.persisted_bytes, writer.received_bytes) == (90_000, 95_000)
    await writer.append([b"c" * 8_000])
    whole = b"a" * 90_000 + b"b" * 5_000 + b"c" * 8_000
    await writer.complete(Digest.of(whole))
    assert await read_source(spool) == whole


@pytest.mark.parametrize("step", ["persist", "complete"])
async def test_a_failed_sync_drops_what_it_may_have_lost(tmp_path: Path, threads: Executor, step: str) -> None:
    files = FullAtSync()
    sync = GroupSync(files)
    spool = FileSystemUploadSpool(tmp_path, sync=sync, threads=threads, files=files)
    writer = await spool.writer(_UPLOAD, _PAGE)
    await writer.append([b"safe"])
    await writer.persist()
    await writer.append([b"lost"])
    files.is_full = True
    with pytest.raises(StorageFull):
        await (writer.persist() if step == "persist" else writer.complete(Digest.of(b"safelost")))
    assert (writer.persisted_bytes, writer.received_bytes) == (4, 4)
    files.is_full = False
    assert await spool.parts(_UPLOAD) == (SpooledPart(_PAGE, 4, None),)
    again = await spool.writer(_UPLOAD, _PAGE)
    assert again.received_bytes == 4
    await again.append([b"sent anew"])
    await again.complete(Digest.of(b"safesent anew"))
    assert await read_source(spool) == b"safesent anew"
    await sync.close()


async def test_one_failed_sync_does_not_disturb_its_neighbours(tmp_path: Path, threads: Executor) -> None:
    files = FullAtSync()
    sync = GroupSync(files)
    manifests = FileSystemManifestStore(tmp_path, sync=sync, threads=threads, files=files)
    name = ManifestName(UUID(int=1), UUID(int=2), 1, UUID(int=3))
    files.is_full = True
    with pytest.raises(StorageFull):
        await manifests.seal(name, b"{}")
    assert [each async for each in manifests.walk()] == []
    assert os.listdir(tmp_path / "incoming") == []
    await sync.sync(folders=[tmp_path])
    files.is_full = False
    await manifests.seal(name, b"{}")
    await sync.close()


async def test_blobs_without_room(tmp_path: Path, sync: GroupSync, threads: Executor, files: DurableFiles) -> None:
    blobs = FileSystemBlobStore(tmp_path, sync=sync, threads=threads, files=files)
    data = b"x" * 200_000
    with files_up_to(100_000):
        with pytest.raises(StorageFull):
            await blobs.put([source_of(data)])
    assert os.listdir(tmp_path / "incoming") == []
    assert await blobs.find(Digest.of(data).sha256) is None
    await blobs.put([source_of(data)])
    assert await read_whole(blobs, Digest.of(data)) == data


async def read_source(spool: FileSystemUploadSpool) -> bytes:
    """Return the page's bytes."""
    source = await spool.source(_UPLOAD, _PAGE)
    return b"".join([piece async for piece in source.read()])
