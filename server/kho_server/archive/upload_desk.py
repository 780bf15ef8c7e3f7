"""The upload streams that are open: one for each upload, the newest wins."""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from datetime import datetime
from uuid import UUID

from kho_server.archive.caller import Caller
from kho_server.archive.declared_parts import declared_parts
from kho_server.archive.limits import UploadLimits
from kho_server.archive.observer import Observer
from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.archive.upload_session import UploadSession
from kho_storage.document_ports import DocumentCatalog, UploadCatalog
from kho_storage.errors import StorageError
from kho_storage.parts import PartKind, UploadId
from kho_storage.ports import BlobStore, UploadSpool
from kho_storage.records.document import VersionReason


class UploadDesk:
    """Opens sessions for the agency that began an upload, and for nobody else."""

    def __init__(
        self,
        *,
        uploads: UploadCatalog,
        documents: DocumentCatalog,
        spool: UploadSpool,
        blobs: BlobStore,
        limits: UploadLimits,
        clock: Callable[[], datetime],
        admit: Callable[[], None],
        observer: Observer,
    ) -> None:
        """`admit` raises STORAGE_FULL when the disk has no room for uploads."""
        self._uploads = uploads
        self._documents = documents
        self._spool = spool
        self._blobs = blobs
        self.limits = limits
        self._clock = clock
        self._admit = admit
        self._observer = observer
        self._open: dict[tuple[UUID, UUID], UploadSession] = {}
        self._closing: set[asyncio.Task[None]] = set()

    async def open(self, caller: Caller, document_id: str, version: int) -> UploadSession:
        """Open a stream and end the older one of the same upload. Refusals: UPLOAD_NOT_OPEN, LEASE_EXPIRED."""
        document = parse_uuid("open.document_id", document_id)
        upload = await self._uploads.find(caller.agency_uuid, document)
        if upload is None or upload.version != version:
            raise Refusal(Reason.UPLOAD_NOT_OPEN)
        now = self._clock()
        if upload.lease_until < now:
            raise Refusal(Reason.LEASE_EXPIRED)
        self._admit()
        if not await self._uploads.renew(caller.agency_uuid, document, version, now + self.limits.lease):
            raise Refusal(Reason.UPLOAD_NOT_OPEN)
        upload_id = UploadId(upload.agency_uuid, upload.document_id, upload.version)
        base_pages = {}
        if upload.reason is VersionReason.RENDITION_ADDED:
            base = await self._documents.document(upload.agency_uuid, upload.document_id)
            if base is not None:
                pages = (part for part in base.versions[-1].parts if part.part.kind is PartKind.PAGE)
                base_pages = {part.part: part.digest for part in pages}
        session = UploadSession(
            upload_id,
            frozenset(declared_parts(upload)),
            self._spool,
            self._blobs,
            self.limits,
            self._observer,
            await self._spool.parts(upload_id),
            base_pages,
        )
        # Nothing is awaited between finding the older stream and taking its place: of two that open, one is last.
        key = (caller.agency_uuid, document)
        older = self._open.get(key)
        if older is not None:
            older.supersede()
        self._open[key] = session
        self._observer.upload_streams(+1)
        return session

    def admit(self) -> None:
        """Refuse more bytes when the disk has no room: STORAGE_FULL."""
        self._admit()

    def is_streaming(self, agency_uuid: UUID, document_id: UUID) -> bool:
        """Tell whether a stream of this upload is open."""
        return (agency_uuid, document_id) in self._open

    async def close(self, session: UploadSession, feeder: "asyncio.Task[None] | None" = None) -> None:
        """End a session in any state, after its feeder; goes on to the end also when the caller is cancelled."""
        closing = asyncio.ensure_future(self._close(session, feeder))
        self._closing.add(closing)
        closing.add_done_callback(self._closing.discard)
        await asyncio.shield(closing)

    async def _close(self, session: UploadSession, feeder: "asyncio.Task[None] | None") -> None:
        if feeder is not None:
            await asyncio.wait({feeder})
        await session.close()
        upload = session.upload
        # The lease counts from the last byte, not from the first.
        with suppress(StorageError):
            until = self._clock() + self.limits.lease
            await self._uploads.renew(upload.agency, upload.document, upload.version, until)
        key = (upload.agency, upload.document)
        if self._open.get(key) is session:
            del self._open[key]
        self._observer.upload_streams(-1)
