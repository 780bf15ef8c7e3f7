"""The stores on files, bare and wrapped, keep the contracts."""

import time
from concurrent.futures import Executor
from pathlib import Path

import pytest

from kho_storage.blobs.durable_files import DurableFiles
from kho_storage.blobs.filesystem import FileSystemBlobStore
from kho_storage.blobs.filesystem_manifests import FileSystemManifestStore
from kho_storage.blobs.filesystem_spool import FileSystemUploadSpool
from kho_storage.blobs.group_sync import GroupSync
from kho_storage.blobs.measured import MeasuredBlobStore
from kho_storage.blobs.memory import MemoryBlobStore
from kho_storage.blobs.verifying import VerifyingBlobStore
from kho_storage.ports import BlobStore, ManifestStore, UploadSpool
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.manifest_store import ManifestStoreContract
from tests.contracts.upload_spool import UploadSpoolContract


class TestFileSystemBlobStore(BlobStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path, sync: GroupSync, threads: Executor, files: DurableFiles) -> BlobStore:
        return FileSystemBlobStore(tmp_path, sync=sync, threads=threads, files=files)


class TestVerifiedAndMeasuredFiles(BlobStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path, sync: GroupSync, threads: Executor, files: DurableFiles) -> BlobStore:
        inner = FileSystemBlobStore(tmp_path, sync=sync, threads=threads, files=files)
        verifying = VerifyingBlobStore(inner, clock=time.monotonic, examiner=inner)
        return MeasuredBlobStore(verifying, observe=lambda *call: None, clock=time.perf_counter)


class TestVerifiedMemory(BlobStoreContract):
    @pytest.fixture
    def store(self) -> BlobStore:
        return VerifyingBlobStore(MemoryBlobStore(), clock=time.monotonic)


class TestFileSystemManifestStore(ManifestStoreContract):
    @pytest.fixture
    def store(self, tmp_path: Path, sync: GroupSync, threads: Executor, files: DurableFiles) -> ManifestStore:
        return FileSystemManifestStore(tmp_path, sync=sync, threads=threads, files=files)


class TestFileSystemUploadSpool(UploadSpoolContract):
    @pytest.fixture
    def spool(self, tmp_path: Path, sync: GroupSync, threads: Executor, files: DurableFiles) -> UploadSpool:
        return FileSystemUploadSpool(tmp_path, sync=sync, threads=threads, files=files)
