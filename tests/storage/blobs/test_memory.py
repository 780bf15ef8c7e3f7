"""The stores in memory keep the contracts of the real ones."""

import pytest

from kho_storage.blobs.memory import MemoryBlobStore, MemoryManifestStore, MemoryUploadSpool
from kho_storage.ports import BlobStore, ManifestStore, UploadSpool
from tests.contracts.blob_store import BlobStoreContract
from tests.contracts.manifest_store import ManifestStoreContract
from tests.contracts.upload_spool import UploadSpoolContract


class TestMemoryBlobStore(BlobStoreContract):
    @pytest.fixture
    def store(self) -> BlobStore:
        return MemoryBlobStore()


class TestMemoryManifestStore(ManifestStoreContract):
    @pytest.fixture
    def store(self) -> ManifestStore:
        return MemoryManifestStore()


class TestMemoryUploadSpool(UploadSpoolContract):
    @pytest.fixture
    def spool(self) -> UploadSpool:
        return MemoryUploadSpool()
