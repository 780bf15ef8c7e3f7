"""The byte side of a running server: data folder, spool, blobs, manifests."""

import shutil
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from kho_server.archive.blob_files import LocalBlobs
from kho_server.metrics import Metrics
from kho_storage.blobs.data_folder import DataFolder
from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.filesystem_manifests import FileSystemManifestStore
from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.measured import MeasuredBlobStore
from kho_storage.blobs.verifying import BlobExaminer, VerifyingBlobStore
from kho_storage.ports import BlobStore, ManifestStore, UploadSpool

# Writing and hashing pages let go of the interpreter; more threads than this only queue at the disk.
_FILE_THREADS = 8


@dataclass(frozen=True, slots=True)
class ByteRoom:
    """The stores over one data folder, which this process alone holds."""

    folder: DataFolder
    spool: UploadSpool
    blobs: BlobStore
    local: LocalBlobs
    examiner: BlobExaminer
    manifests: ManifestStore
    scratch: Path
    _sync: GroupSync
    _threads: ThreadPoolExecutor

    @classmethod
    def open(cls, data: Path, repository_id: str, metrics: Metrics) -> "ByteRoom":
        """Open or make the data folder; blocks. Errors: those of DataFolder.open."""
        files = DurableFiles()
        folder = DataFolder.open(data, repository_id=repository_id, new_store_id=uuid4, files=files)
        try:
            return cls._furnish(folder, files, metrics)
        except BaseException:
            folder.close()
            raise

    @classmethod
    def _furnish(cls, folder: DataFolder, files: DurableFiles, metrics: Metrics) -> "ByteRoom":
        threads = ThreadPoolExecutor(_FILE_THREADS, "kho-files")
        sync = GroupSync(files, observe=lambda batch_size, _seconds: metrics.sync_batch_size.observe(batch_size))
        blobs = FileSystemBlobStore(folder.blobs, sync=sync, threads=threads, files=files)
        return cls(
            folder=folder,
            spool=FileSystemUploadSpool(folder.spool, sync=sync, threads=threads, files=files),
            blobs=MeasuredBlobStore(
                VerifyingBlobStore(blobs, clock=time.monotonic, examiner=blobs),
                observe=lambda operation, outcome, seconds, _bytes: metrics.blob_seconds.labels(
                    operation, outcome
                ).observe(seconds),
                clock=time.perf_counter,
            ),
            local=blobs,
            examiner=blobs,
            scratch=_scratch(folder.root),
            manifests=FileSystemManifestStore(folder.manifests, sync=sync, threads=threads, files=files),
            _sync=sync,
            _threads=threads,
        )

    async def holds_documents(self) -> bool:
        """Tell whether anything was ever sealed here."""
        async for _ in self.manifests.walk():
            return True
        return False

    async def close(self) -> None:
        """Finish what is being synced, then give the folder back."""
        await self._sync.close()
        self._threads.shutdown()
        self.folder.close()


def _scratch(root: Path) -> Path:
    """Return an empty private folder for files that live as long as one call; a dead server's are removed."""
    folder = root / "scratch"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    return folder
