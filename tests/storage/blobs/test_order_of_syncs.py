"""The order of durable steps is the one in storage/README.md: bytes, their name, the folder."""

import os
from concurrent.futures import Executor
from pathlib import Path
from threading import Lock
from uuid import UUID

from kho_storage.blobs.durable_files import Descriptor, DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.filesystem_manifests import FileSystemManifestStore
from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.digest import Digest
from kho_storage.parts import ManifestName, PartId, PartKind, UploadId
from tests.contracts.blob_store import source_of

_UPLOAD = UploadId(UUID(int=1), UUID(int=2), 1)
_FOLDER = f"{_UPLOAD.agency}/{_UPLOAD.document}/v1"
_PAGE = PartId(PartKind.PAGE, 1)


class RecordingFiles(DurableFiles):
    """Does everything for real and writes down what it did, with names below the test's folder."""

    def __init__(self, root: Path) -> None:
        self._root = root
        self._lock = Lock()
        self.steps: list[tuple[str, str]] = []

    def _note(self, step: str, path: Path) -> None:
        with self._lock:
            self.steps.append((step, str(path.relative_to(self._root))))

    def sync_file(self, file: Descriptor) -> None:
        super().sync_file(file)
        self._note("sync file", Path(f"/proc/self/fd/{file.number}").readlink())

    def sync_folder(self, folder: Path) -> None:
        super().sync_folder(folder)
        self._note("sync folder", folder)

    def rename(self, source: Path, target: Path) -> None:
        super().rename(source, target)
        self._note("name", target)

    def link(self, source: Path, target: Path) -> None:
        super().link(source, target)
        self._note("name", target)

    def taken(self) -> list[tuple[str, str]]:
        """Return the steps since the last call; syncs that run side by side in order of their names."""
        steps, self.steps = self.steps, []
        first_name = next((i for i, step in enumerate(steps) if step[0] == "name"), len(steps))
        last_name = max((i for i, step in enumerate(steps) if step[0] == "name"), default=first_name - 1)
        return [*sorted(steps[:first_name]), *steps[first_name : last_name + 1], *sorted(steps[last_name + 1 :])]


async def test_a_page_is_synced_then_named_then_its_folders(tmp_path: Path, threads: Executor) -> None:
    files = RecordingFiles(tmp_path)
    sync = GroupSync(files)
    spool = FileSystemUploadSpool(tmp_path, sync=sync, threads=threads, files=files)
    digest = Digest.of(b"page")
    for number in (1, 2):
        writer = await spool.writer(_UPLOAD, PartId(PartKind.PAGE, number))
        await writer.append([b"page"])
        assert files.taken() == []
        await writer.complete(digest)
        name = f"{_FOLDER}/p0000{number}"
        steps = [
            ("sync file", f"{name}.part"),
            ("name", f"{name}.{digest.sha256}.4"),
            ("sync folder", _FOLDER),
        ]
        # The first page of an upload also makes the names of its folders durable.
        parents = [(f"{_UPLOAD.agency}/{_UPLOAD.document}"), f"{_UPLOAD.agency}", "."] if number == 1 else []
        assert files.taken() == [*steps[:2], *sorted([steps[2], *(("sync folder", each) for each in parents)])]
    await sync.close()


async def test_an_acknowledged_length_is_synced_with_its_bytes(tmp_path: Path, threads: Executor) -> None:
    files = RecordingFiles(tmp_path)
    sync = GroupSync(files)
    spool = FileSystemUploadSpool(tmp_path, sync=sync, threads=threads, files=files)
    writer = await spool.writer(_UPLOAD, _PAGE)
    await writer.append([b"half"])
    await writer.persist()
    both = [("sync file", f"{_FOLDER}/p00001.ack"), ("sync file", f"{_FOLDER}/p00001.part")]
    assert [step for step in files.taken() if step[0] == "sync file"] == both
    await writer.append([b"more"])
    await writer.persist()
    assert files.taken() == both
    await writer.persist()
    assert files.taken() == []
    await sync.close()


async def test_blobs_are_linked_then_each_folder_synced_once(tmp_path: Path, threads: Executor) -> None:
    files = RecordingFiles(tmp_path)
    sync = GroupSync(files)
    for room in ("spool", "blobs"):
        (tmp_path / room).mkdir()
    spool = FileSystemUploadSpool(tmp_path / "spool", sync=sync, threads=threads, files=files)
    blobs = FileSystemBlobStore(tmp_path / "blobs", sync=sync, threads=threads, files=files)
    pages = [b"page %d" % number for number in range(200)]
    sources = []
    for number, data in enumerate(pages, 1):
        writer = await spool.writer(_UPLOAD, PartId(PartKind.PAGE, number))
        await writer.append([data])
        await writer.complete(Digest.of(data))
        sources.append(await spool.source(_UPLOAD, PartId(PartKind.PAGE, number)))
    files.taken()
    await blobs.put(sources)
    steps = files.taken()
    names = [path for step, path in steps if step == "name"]
    folders = [path for step, path in steps if step == "sync folder"]
    assert steps == [*(("name", name) for name in names), *(("sync folder", folder) for folder in folders)]
    assert sorted(Path(name).name for name in names) == sorted(Digest.of(data).sha256 for data in pages)
    assert len(set(folders)) == len(folders)
    assert set(folders) == {str(Path(name).parent) for name in names} | {"blobs/sha256"}
    for source in sources:
        stored = tmp_path / "blobs" / "sha256" / source.digest.sha256[:3] / source.digest.sha256
        assert source.local is not None
        assert stored.samefile(source.local)
        assert stored.stat().st_mode & 0o777 == 0o444
        assert stored.parent.stat().st_mode & 0o777 == 0o700
    await sync.close()


async def test_a_copy_and_a_manifest_are_synced_before_they_are_named(tmp_path: Path, threads: Executor) -> None:
    files = RecordingFiles(tmp_path)
    sync = GroupSync(files)
    blobs = FileSystemBlobStore(tmp_path, sync=sync, threads=threads, files=files)
    manifests = FileSystemManifestStore(tmp_path, sync=sync, threads=threads, files=files)
    files.taken()
    await blobs.put([source_of(b"from afar")])
    assert [step for step, _ in files.taken()] == ["sync file", "name", "sync folder", "sync folder"]
    await manifests.seal(ManifestName(UUID(int=1), UUID(int=2), 1, UUID(int=3)), b"{}")
    assert [step for step, _ in files.taken()] == ["sync file", "name", *["sync folder"] * 3]
    assert os.listdir(tmp_path / "incoming") == []
    await sync.close()


async def test_what_a_killed_process_left_is_synced_before_it_is_told(tmp_path: Path, threads: Executor) -> None:
    files = RecordingFiles(tmp_path)
    sync = GroupSync(files)
    spool = FileSystemUploadSpool(tmp_path, sync=sync, threads=threads, files=files)
    digest = Digest.of(b"page")
    complete = await spool.writer(_UPLOAD, _PAGE)
    await complete.append([b"page"])
    await complete.complete(digest)
    half = await spool.writer(_UPLOAD, PartId(PartKind.PAGE, 2))
    await half.append([b"half"])
    await half.close()
    files.taken()

    names = [("sync file", f"{_FOLDER}/p00002.ack"), ("sync file", f"{_FOLDER}/p00002.part")]
    parents = [_FOLDER, f"{_UPLOAD.agency}/{_UPLOAD.document}", f"{_UPLOAD.agency}", "."]
    folders = sorted(("sync folder", each) for each in parents)
    again = FileSystemUploadSpool(tmp_path, sync=sync, threads=threads, files=files)
    assert [each.persisted_bytes for each in await again.parts(_UPLOAD)] == [4, 4]
    assert files.taken() == [*names, *folders]

    third = FileSystemUploadSpool(tmp_path, sync=sync, threads=threads, files=files)
    assert (await third.writer(_UPLOAD, PartId(PartKind.PAGE, 2))).persisted_bytes == 4
    assert files.taken() == [*names, *folders]
    await sync.close()
