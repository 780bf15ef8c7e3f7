"""Opening a version: one row, its request id, and what the spool holds of it."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from kho_server.archive.limits import UploadLimits
from kho_server.archive.once import Request
from kho_server.archive.refusals import Reason, Refusal
from kho_server.rules.code_warning import CodeWarning
from kho_storage.catalog_ports import AnswerBook
from kho_storage.document_ports import UploadCatalog
from kho_storage.errors import Conflict
from kho_storage.parts import SpooledPart, UploadId
from kho_storage.ports import UploadSpool
from kho_storage.records.document import DocumentState, TakenCode, Upload


@dataclass(frozen=True, slots=True)
class Begun:
    """What the server holds of an upload; of a sealed document only version, code and state."""

    version: int
    parts: tuple[SpooledPart, ...]
    lease_until: datetime
    code: TakenCode | None
    sealed_state: DocumentState | None
    first_rendition: int = 1
    warnings: tuple[CodeWarning, ...] = ()


class Opening:
    """What all ways of opening a version have in common; everything about its bytes is the spool's business."""

    def __init__(
        self,
        *,
        uploads: UploadCatalog,
        answers: AnswerBook,
        spool: UploadSpool,
        limits: UploadLimits,
        clock: Callable[[], datetime],
        admit: Callable[[], None],
    ) -> None:
        """`admit` raises STORAGE_FULL when the disk has no room for uploads."""
        self._uploads = uploads
        self._answers = answers
        self._spool = spool
        self._clock = clock
        self.limits = limits
        self.admit = admit

    @property
    def now(self) -> datetime:
        """The instant it is."""
        return self._clock()

    @property
    def lease_until(self) -> datetime:
        """When the lease of an upload ends that is opened now."""
        return self._clock() + self.limits.lease

    async def open(self, request: Request, upload: Upload) -> Upload:
        """Open with the request id kept; the same id for another request is refused, for the same one is fine.

        Conflict("upload_version" | "document_version_taken"): as of the port.
        """
        upload_id = UploadId(upload.agency_uuid, upload.document_id, upload.version)

        async def forget_parts() -> None:
            await self._spool.discard(upload_id)

        keep = None if await self.is_known(request) else request.kept(b"", upload.begun_at)
        try:
            return await self._uploads.open(upload, keep, forget_parts)
        except Conflict as conflict:
            if conflict.constraint != "request_answered":
                raise
            # The same request came twice at once, or this id has just been used for another one.
            await self.is_known(request)
            return await self._uploads.open(upload, None, forget_parts)

    async def is_known(self, request: Request) -> bool:
        """Tell whether this very request was answered before. Refusal: REQUEST_ID_REUSED for another one."""
        known = await self._answers.find(request.scope, request.request_id)
        if known is None:
            return False
        if (known.method, known.fingerprint) != (request.method, request.fingerprint):
            raise Refusal(Reason.REQUEST_ID_REUSED, field="request_id")
        return True

    async def begun(self, upload: Upload, warnings: tuple[CodeWarning, ...] = ()) -> Begun:
        """Return what is held of an upload."""
        parts = await self._spool.parts(UploadId(upload.agency_uuid, upload.document_id, upload.version))
        return Begun(upload.version, parts, upload.lease_until, upload.code, None, upload.first_rendition, warnings)

    def check_counts(self, pages: int, renditions: int, sheets: int) -> None:
        """Refuse counts outside the limits: TOO_MANY_PAGES, FIELD_TOO_LONG, NOTHING_DECLARED."""
        if pages > self.limits.pages:
            raise Refusal(Reason.TOO_MANY_PAGES, field="pages", limit=self.limits.pages)
        if renditions > self.limits.renditions:
            raise Refusal(Reason.FIELD_TOO_LONG, field="renditions", limit=self.limits.renditions)
        if sheets > self.limits.pages:
            raise Refusal(Reason.TOO_MANY_PAGES, field="document.sheets", limit=self.limits.pages)
        if pages == 0 and renditions == 0:
            raise Refusal(Reason.NOTHING_DECLARED, field="pages")


def must_be_of_versions(conflict: Conflict) -> None:
    """Let a conflict pass that means another version is under way or sealed; anything else is a fault."""
    if conflict.constraint not in ("upload_version", "document_version_taken"):
        raise conflict


def fingerprint(asked: tuple[object, ...]) -> bytes:
    """Digest of what a request asked for; times and reserved codes are the server's and stay out."""
    return hashlib.sha256(repr(asked).encode()).digest()
