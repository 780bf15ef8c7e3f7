"""Run by test_kill: receives parts in the folder named by its argument and prints each acknowledgement."""

import asyncio
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from uuid import UUID

from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.digest import Digest
from kho_storage.parts import PartId, PartKind, UploadId


def say(*words: object) -> None:
    """Acknowledge in one write, so that a kill never leaves half a line before the last."""
    os.write(1, (" ".join(map(str, words)) + "\n").encode())


async def upload(spool: FileSystemUploadSpool, blobs: FileSystemBlobStore, document: int) -> None:
    """Receive pages of one document without end, and store every third."""
    name = UploadId(UUID(int=1), UUID(int=document), 1)
    for number in range(1, 10_001):
        part = PartId(PartKind.PAGE, number)
        data = b"%d.%d " % (document, number) * 4000
        writer = await spool.writer(name, part)
        for start in range(0, len(data), 10_000):
            await writer.append([data[start : start + 10_000]])
            say("persisted", document, number, await writer.persist())
        await writer.complete(Digest.of(data))
        await writer.close()
        say("complete", document, number, len(data))
        if number % 3 == 0:
            await blobs.put([await spool.source(name, part)])
            say("stored", document, number, len(data))


async def main(root: Path) -> None:
    """Receive four documents at once."""
    files, threads = DurableFiles(), ThreadPoolExecutor(4)
    sync = GroupSync(files)
    spool = FileSystemUploadSpool(root / "spool", sync=sync, threads=threads, files=files)
    blobs = FileSystemBlobStore(root / "blobs", sync=sync, threads=threads, files=files)
    await asyncio.gather(*(upload(spool, blobs, document) for document in range(1, 5)))


if __name__ == "__main__":
    asyncio.run(main(Path(sys.argv[1])))
