"""A real process, killed with SIGKILL while it acknowledges: all that it acknowledged is there."""

import signal
import subprocess
import sys
from concurrent.futures import Executor
from pathlib import Path
from uuid import UUID

import pytest

from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.digest import Digest
from kho_storage.parts import PartId, PartKind, UploadId
from tests.contracts.blob_store import read_whole

_SCRIPT = Path(__file__).with_name("acknowledging_process.py")


@pytest.mark.parametrize("lines", [1, 20, 150, 401])
async def test_acknowledged_is_there_after_a_kill(
    tmp_path: Path, sync: GroupSync, threads: Executor, files: DurableFiles, lines: int
) -> None:
    for room in ("spool", "blobs"):
        (tmp_path / room).mkdir()
    with subprocess.Popen([sys.executable, str(_SCRIPT), str(tmp_path)], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        acknowledged = [process.stdout.readline() for _ in range(lines)]
        process.send_signal(signal.SIGKILL)
        acknowledged += process.stdout.readlines()
    assert process.returncode == -signal.SIGKILL

    spool = FileSystemUploadSpool(tmp_path / "spool", sync=sync, threads=threads, files=files)
    blobs = FileSystemBlobStore(tmp_path / "blobs", sync=sync, threads=threads, files=files)
    found = {
        (upload.document.int, each.part.number): each
        for upload in await spool.uploads()
        for each in await spool.parts(upload)
    }
    for line in acknowledged:
        word, *numbers = line.split()
        document, number, size = map(int, numbers)
        data = b"%d.%d " % (document, number) * 4000
        assert found[document, number].persisted_bytes >= size
        if word == b"complete":
            assert found[document, number].digest == Digest.of(data)
        if word == b"stored":
            assert await read_whole(blobs, Digest.of(data)) == data
    for (document, number), spooled in found.items():
        if spooled.digest is None:
            data = b"%d.%d " % (document, number) * 4000
            upload = UploadId(UUID(int=1), UUID(int=document), 1)
            writer = await spool.writer(upload, PartId(PartKind.PAGE, number))
            await writer.append([data[writer.received_bytes :]])
            await writer.complete(Digest.of(data))
