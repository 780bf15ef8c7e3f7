"""The data folder: one server at a time, the right repository, a format it knows, rights to use it."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import UUID

import pytest

from kho_storage.blobs.data_folder import FORMAT, DataFolder, StoreIdentity
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.errors import StoreInUse, StoreMismatch, StoreUnusable


def open_folder(root: Path, repository_id: str = "H46", number: int = 7) -> DataFolder:
    """Open with a store id of a small number."""
    return DataFolder.open(
        root, repository_id=repository_id, new_store_id=lambda: UUID(int=number), files=DurableFiles()
    )


@contextmanager
def without_rights_to(folder: Path) -> Iterator[None]:
    """Take our rights away: root gives up being root for a while, anyone else closes the folder."""
    if os.geteuid() == 0:
        os.seteuid(65534)
    mode = folder.stat().st_mode & 0o777 if os.geteuid() != 65534 else None
    if mode is not None:
        folder.chmod(0o500)
    try:
        yield
    finally:
        if mode is not None:
            folder.chmod(mode)
        else:
            os.seteuid(0)


def test_a_folder_is_made_with_its_rooms(tmp_path: Path) -> None:
    folder = open_folder(tmp_path / "new" / "data")
    assert folder.identity == StoreIdentity(FORMAT, UUID(int=7), "H46")
    assert folder.root.stat().st_mode & 0o777 == 0o700
    for room in (folder.spool, folder.blobs, folder.manifests):
        assert room.stat().st_mode & 0o777 == 0o700
    assert folder.postgres.parent == folder.root
    assert json.loads((folder.root / "store.json").read_text()) == {
        "format": FORMAT,
        "store_id": str(UUID(int=7)),
        "repository_id": "H46",
    }
    assert 0 < folder.free_bytes() < 2**60


def test_a_folder_keeps_its_identity(tmp_path: Path) -> None:
    open_folder(tmp_path).close()
    again = open_folder(tmp_path, number=8)
    assert again.identity.store_id == UUID(int=7)
    again.close()
    again.close()


def test_two_servers_over_one_folder(tmp_path: Path) -> None:
    folder = open_folder(tmp_path)
    with pytest.raises(StoreInUse, match=rf"in use by process {os.getpid()}; stop that one first"):
        open_folder(tmp_path)
    folder.close()
    open_folder(tmp_path).close()


def test_the_lock_of_another_process_ends_with_it(tmp_path: Path) -> None:
    script = (
        "import sys, uuid, pathlib\n"
        "from kho_storage.blobs.data_folder import DataFolder\n"
        "from kho_storage.blobs.durable_files import DurableFiles\n"
        "folder = DataFolder.open(pathlib.Path(sys.argv[1]), repository_id='H46',"
        " new_store_id=uuid.uuid4, files=DurableFiles())\n"
        "print('open', flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", script, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"open\n"
        with pytest.raises(StoreInUse, match=f"process {process.pid};"):
            open_folder(tmp_path)
        process.kill()
    open_folder(tmp_path).close()


def test_a_newer_format_is_refused(tmp_path: Path) -> None:
    open_folder(tmp_path).close()
    newer = {"format": FORMAT + 1, "something": "else"}
    (tmp_path / "store.json").write_text(json.dumps(newer))
    with pytest.raises(StoreMismatch, match=f"has format {FORMAT + 1}, this Kho knows formats up to {FORMAT}"):
        open_folder(tmp_path)
    assert json.loads((tmp_path / "store.json").read_text()) == newer


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format": 1}', '{"format": 1, "store_id": "x", "repository_id": ""}']
)
def test_a_torn_identity_is_refused(tmp_path: Path, text: str) -> None:
    open_folder(tmp_path).close()
    (tmp_path / "store.json").write_text(text)
    with pytest.raises(StoreMismatch, match="cannot be read; restore it"):
        open_folder(tmp_path)


def test_another_repository_is_refused_and_the_lock_given_back(tmp_path: Path) -> None:
    open_folder(tmp_path).close()
    with pytest.raises(StoreMismatch, match="belongs to repository H46, not H47"):
        open_folder(tmp_path, repository_id="H47")
    open_folder(tmp_path).close()


@pytest.mark.parametrize("name", ["", "H 46", "../x", "a" * 33, "H46\n"])
def test_a_repository_id_that_is_none(tmp_path: Path, name: str) -> None:
    with pytest.raises(ValueError, match="a repository id has"):
        open_folder(tmp_path, repository_id=name)


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "thesis.odt").write_text("mine")
    with pytest.raises(StoreUnusable, match=r"not empty and holds no store\.json"):
        open_folder(tmp_path)
    assert [each.name for each in tmp_path.iterdir()] == ["thesis.odt"]


def test_a_start_that_was_cut_off_is_taken_up(tmp_path: Path) -> None:
    (tmp_path / "lock").write_text("1\n")
    (tmp_path / "store.json.new").write_text("{")
    assert open_folder(tmp_path).identity.store_id == UUID(int=7)


def test_a_folder_without_rights(tmp_path: Path) -> None:
    closed = tmp_path / "closed"
    closed.mkdir(0o700)
    with without_rights_to(closed):
        with pytest.raises(StoreUnusable, match="cannot be used: Permission denied; it must be a folder that"):
            open_folder(closed)
        with pytest.raises(StoreUnusable, match="cannot be used: Permission denied"):
            open_folder(closed / "data")


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "file", tmp_path / "file" / "data"):
        with pytest.raises(StoreUnusable, match="cannot be used: Not a directory"):
            open_folder(path)
