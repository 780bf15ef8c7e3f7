"""The commands of storage/README.md work: silent over a sound folder, and each finds its kind of damage."""

import json
import re
import subprocess
from collections.abc import Callable
from concurrent.futures import Executor
from pathlib import Path
from uuid import UUID

import pytest

from kho_storage.blobs.data_folder import DataFolder
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.filesystem_manifests import FileSystemManifestStore
from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.digest import Digest
from kho_storage.parts import ManifestName, PartId, PartKind, UploadId

_README = Path(__file__).parents[3] / "storage" / "README.md"
_SHELL = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
_UPLOAD = UploadId(UUID(int=1), UUID(int=2), 1)
_PAGES = [b"page %d" % number for number in range(30)]


def commands(heading: str) -> list[str]:
    """Return the shell blocks below one heading."""
    section = _README.read_text().split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return _SHELL.findall(section)


def run(folder: DataFolder, command: str, **environment: str) -> str:
    """Run one block as a person would, and return what it says on standard output."""
    done = subprocess.run(
        ["sh", "-c", command],
        cwd=folder.root,
        env={"PATH": "/usr/bin:/bin", "LC_ALL": "C"} | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout


@pytest.fixture
async def folder(tmp_path: Path, sync: GroupSync, threads: Executor, files: DurableFiles) -> DataFolder:
    """Return a data folder with pages that are stored and sealed, waiting and arriving."""
    folder = DataFolder.open(tmp_path / "data", repository_id="H46", new_store_id=lambda: UUID(int=9), files=files)
    spool = FileSystemUploadSpool(folder.spool, sync=sync, threads=threads, files=files)
    blobs = FileSystemBlobStore(folder.blobs, sync=sync, threads=threads, files=files)
    manifests = FileSystemManifestStore(folder.manifests, sync=sync, threads=threads, files=files)
    for number, data in enumerate(_PAGES, 1):
        writer = await spool.writer(_UPLOAD, PartId(PartKind.PAGE, number))
        await writer.append([data])
        await writer.complete(Digest.of(data))
    await blobs.put([await spool.source(_UPLOAD, PartId(PartKind.PAGE, number)) for number in range(1, 31)])
    sealed = {"parts": [{"sha256": Digest.of(data).sha256} for data in _PAGES]}
    await manifests.seal(ManifestName(UUID(int=1), UUID(int=2), 1, UUID(int=3)), json.dumps(sealed, indent=1).encode())
    writer = await spool.writer(_UPLOAD, PartId(PartKind.RENDITION, 1))
    await writer.append([b"half"])
    await writer.persist()
    return folder


def stored(folder: DataFolder, data: bytes) -> Path:
    """Return the place of a blob."""
    name = Digest.of(data).sha256
    return folder.blobs / "sha256" / name[:3] / name


def overwrite(path: Path, data: bytes) -> None:
    """Break a file, and only under this name."""
    path.unlink()
    path.write_bytes(data)


def rot(folder: DataFolder) -> None:
    overwrite(stored(folder, _PAGES[0]), b"Page 0")


def misplace(folder: DataFolder) -> None:
    path = stored(folder, _PAGES[0])
    path.rename(folder.blobs / "sha256" / path.name)


def rot_in_spool(folder: DataFolder) -> None:
    overwrite(next(folder.spool.glob("*/*/*/p00001.*")), b"Page 0")


def cut_in_spool(folder: DataFolder) -> None:
    overwrite(next(folder.spool.glob("*/*/*/p00001.*")), b"page")


def lose(folder: DataFolder) -> None:
    stored(folder, _PAGES[0]).unlink()


def test_a_sound_folder_is_silent(folder: DataFolder) -> None:
    checks = commands("Checking everything by hand")
    assert len(checks) == 4
    assert [run(folder, check) for check in checks] == [""] * 4


@pytest.mark.parametrize(
    ("harm", "found_by"),
    [(rot, [0]), (misplace, [1, 3]), (rot_in_spool, [2]), (cut_in_spool, [2]), (lose, [3])],
)
def test_each_damage_is_found(folder: DataFolder, harm: Callable[[DataFolder], None], found_by: list[int]) -> None:
    harm(folder)
    said = [run(folder, check) for check in commands("Checking everything by hand")]
    assert [number for number, text in enumerate(said) if text] == found_by


def test_a_damaged_blob_is_replaced_from_a_backup(folder: DataFolder, tmp_path: Path) -> None:
    rot(folder)
    path = stored(folder, _PAGES[0])
    (tmp_path / path.name).write_bytes(_PAGES[0])
    (command,) = commands("When a blob is damaged")
    run(folder, command.replace("THE-64-DIGITS", path.name), BACKUP=str(tmp_path))
    assert path.read_bytes() == _PAGES[0]
    assert path.stat().st_mode & 0o777 == 0o444
    assert run(folder, commands("Checking everything by hand")[0]) == ""
