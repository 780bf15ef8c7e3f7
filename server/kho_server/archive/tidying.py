"""Leaving no half-done things: leases that ended, manifests of transactions that never happened."""

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from uuid import UUID

from kho_server.archive.manifest import digests_of
from kho_server.archive.observer import Observer
from kho_storage.catalog_ports import AnswerBook
from kho_storage.digest import Digest
from kho_storage.document_ports import DocumentCatalog, UploadCatalog
from kho_storage.parts import ManifestName, UploadId
from kho_storage.ports import BlobStore, ManifestStore, UploadSpool

_log = logging.getLogger("kho.tidying")
_TOGETHER = 500


class Tidying:
    """Cleans what nobody will finish; never touches what anybody was told is safe."""

    def __init__(
        self,
        *,
        uploads: UploadCatalog,
        documents: DocumentCatalog,
        answers: AnswerBook,
        spool: UploadSpool,
        blobs: BlobStore,
        manifests: ManifestStore,
        clock: Callable[[], datetime],
        observer: Observer,
        is_streaming: Callable[[UUID, UUID], bool] = lambda _agency, _document: False,
        answers_kept: timedelta = timedelta(days=30),
    ) -> None:
        """Hand in the stores, who is streaming (agency, document), and how long answers are repeated (AIP-155)."""
        self._uploads = uploads
        self._documents = documents
        self._answers = answers
        self._spool = spool
        self._blobs = blobs
        self._manifests = manifests
        self._clock = clock
        self._observer = observer
        self._is_streaming = is_streaming
        self._answers_kept = answers_kept

    async def settle(self) -> int:
        """At start-up, before anyone is served: remove manifests without rows and blobs that only they named.

        Bytes first, manifest second, rows last: a manifest without its row is an attempt that was never
        acknowledged; its parts still lie in the spool, so that the client's repeated Commit succeeds. A manifest whose
        bytes lie nowhere else is kept: an older database was put back over this folder, or nobody came back to finish
        in time. Returns how many were removed.
        """
        removed = 0
        batch: list[ManifestName] = []
        async for name in self._manifests.walk():
            batch.append(name)
            if len(batch) == _TOGETHER:
                removed += await self._settle(batch)
                batch = []
        return removed + await self._settle(batch)

    async def _settle(self, names: list[ManifestName]) -> int:
        happened = await self._documents.commits([name.commit for name in names])
        unknown = [name for name in names if name.commit not in happened]
        if unknown:
            # A database of its own outlives its server: what a dead one asked it to commit may be on its way still.
            await self._uploads.await_seals([(name.agency, name.document) for name in unknown])
            happened |= await self._documents.commits([name.commit for name in unknown])
        removed = 0
        for name in names:
            if name.commit in happened:
                continue
            unreferenced = await self._unreferenced(name)
            if unreferenced is None or not unreferenced <= await self._spooled(name):
                facts = {"document": str(name.document), "version": name.version, "commit": str(name.commit)}
                _log.error("kept a manifest that the database does not know", extra={"facts": facts})
                continue
            await self._manifests.delete(name)
            for digest in unreferenced:
                await self._blobs.delete(digest)
            removed += 1
            _log.info("removed the manifest of a commit that never happened")
        return removed

    async def _unreferenced(self, name: ManifestName) -> frozenset[Digest] | None:
        """Return what only this manifest names, None if it cannot be read."""
        try:
            digests = digests_of(await self._manifests.read(name))
        except (ValueError, LookupError, TypeError):
            return None
        referenced = await self._documents.is_referenced([digest.sha256 for digest in digests])
        return frozenset(digest for digest in digests if digest.sha256 not in referenced)

    async def _spooled(self, name: ManifestName) -> frozenset[Digest]:
        parts = await self._spool.parts(UploadId(name.agency, name.document, name.version))
        return frozenset(part.digest for part in parts if part.digest is not None)

    async def clean_leases(self) -> int:
        """Forget uploads whose lease has ended and that no stream brings on; returns how many."""
        now = self._clock()
        cleaned = 0
        for upload in await self._uploads.expired(now, _TOGETHER):
            if self._is_streaming(upload.agency_uuid, upload.document_id):
                continue
            upload_id = UploadId(upload.agency_uuid, upload.document_id, upload.version)

            async def forget_parts(upload_id: UploadId = upload_id) -> None:
                await self._spool.discard(upload_id)

            if await self._uploads.abandon(upload.agency_uuid, upload.document_id, now, forget_parts):
                self._observer.upload_expired()
                cleaned += 1
        return cleaned

    async def clean_spool(self) -> int:
        """Forget spooled parts of uploads that are not open any more: sealed, or abandoned by a dead server."""
        cleaned = 0
        for spooled in await self._spool.uploads():
            upload = await self._uploads.find(spooled.agency, spooled.document)
            if upload is None or upload.version != spooled.version:
                await self._spool.discard(spooled)
                cleaned += 1
        return cleaned

    async def forget_answers(self) -> int:
        """Forget answers older than they are kept."""
        return await self._answers.forget_before(self._clock() - self._answers_kept)
