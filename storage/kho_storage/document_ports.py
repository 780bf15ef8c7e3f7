"""Ports of uploads, documents, results and verdicts. The adapter stands in `kho_storage.catalog`.

The laws of `kho_storage.catalog_ports` hold here too.
"""

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Protocol, TypeAlias
from uuid import UUID

from kho_storage.records.access import KeptAnswer
from kho_storage.records.document import (
    DocumentState,
    StoredDocument,
    StoredResult,
    StoredVerdict,
    StoredVersion,
    TakenCode,
    Upload,
    VerificationTask,
)
from kho_storage.records.registry import Actor

# Forgets the spooled parts of an upload, durably.
Forget: TypeAlias = Callable[[], Awaitable[None]]


class UploadCatalog(Protocol):
    """Uploads under way, and the codes that they reserve."""

    async def open(self, upload: Upload, keep: KeptAnswer | None, forget_parts: Forget) -> Upload:
        """Open an upload or renew it: a newer declaration of the same version replaces the older one.

        An upload of the same version for another reason is replaced; `forget_parts` is awaited before anyone can see
        it, because its parts mean something else. Conflict: "document_version_taken" (the version before this one is
        not the newest sealed one), "upload_version" (another version is under way), "request_answered".
        """
        ...

    async def find(self, agency_uuid: UUID, document_id: UUID) -> Upload | None:
        """Return the upload of a document with its reserved code."""
        ...

    async def renew(self, agency_uuid: UUID, document_id: UUID, version: int, lease_until: datetime) -> bool:
        """Extend a lease, never shorten it; tells whether there is such an upload."""
        ...

    async def take_code(
        self, agency_uuid: UUID, document_id: UUID, code: TakenCode, actor: Actor, at: datetime
    ) -> TakenCode:
        """Take a code for a document; a document that has one keeps and returns it.

        Conflict("result_code_taken" | "public_code_taken"): somebody has it.
        """
        ...

    async def take_next_code(
        self,
        agency_uuid: UUID,
        document_id: UUID,
        series: str,
        make: Callable[[int], TakenCode],
        actor: Actor,
        at: datetime,
    ) -> TakenCode:
        """Take the code that `make` builds from the next number of a series; a document that has one keeps it.

        Those who ask for one series at once stand in line; numbers whose code an issuer gave are passed over.
        Conflict("result_code_taken" | "public_code_taken"): somebody took it this very moment; ask again.
        """
        ...

    async def code_of(self, agency_uuid: UUID, document_id: UUID) -> TakenCode | None:
        """Return the code that a document has taken."""
        ...

    async def report_clash(self, agency_uuid: UUID, code_key: str, actor: Actor, at: datetime) -> None:
        """Record for operators that an agency asked for a code that somebody has."""
        ...

    async def expired(self, now: datetime, limit: int) -> tuple[Upload, ...]:
        """Return uploads whose lease has ended."""
        ...

    async def abandon(self, agency_uuid: UUID, document_id: UUID, now: datetime, forget_parts: Forget) -> bool:
        """Forget an upload if its lease has still ended; tells whether it did.

        `forget_parts` is awaited while nobody can open, renew or seal the upload: parts that come after it belong to
        a new one and stay.
        """
        ...

    async def await_seals(self, uploads: Sequence[tuple[UUID, UUID]]) -> None:
        """Wait until no transaction that seals or abandons one of these (agency, document) is under way.

        CatalogUnavailable: one of them takes longer than a statement may.
        """
        ...

    async def count(self) -> int:
        """Return how many uploads are open."""
        ...


class DocumentCatalog(Protocol):
    """Sealed documents and their results."""

    async def seal(
        self,
        upload: Upload,
        document_uuid: UUID,
        version: StoredVersion,
        needs_verification: bool,
        actor: Actor,
        keep: KeptAnswer | None,
    ) -> None:
        """Write a sealed version with everything that follows from it, and close its upload.

        Conflict: "upload_changed" (closed, or renewed with another declaration meanwhile), "document_id_taken" |
        "document_version_taken" (sealed meanwhile), "dossier_procedure" (the dossier is registered with another
        procedure), "copy_of_unknown", "request_answered".
        """
        ...

    async def document(self, agency_uuid: UUID, document_id: UUID) -> StoredDocument | None:
        """Return an agency's document by its client-made id."""
        ...

    async def document_by_uuid(self, document_uuid: UUID) -> StoredDocument | None:
        """Return a document by its opaque name."""
        ...

    async def state(self, document_uuid: UUID) -> tuple[int, DocumentState] | None:
        """Return newest version and state of a document."""
        ...

    async def documents(
        self,
        agency_uuid: UUID,
        dossier_key: str | None,
        state: DocumentState | None,
        after: tuple[datetime, UUID] | None,
        limit: int,
    ) -> tuple[StoredDocument, ...]:
        """Return an agency's documents with their results, newest first, without versions and verdicts."""
        ...

    async def dossier_procedure(self, agency_uuid: UUID, dossier_key: str) -> str | None:
        """Return the procedure key with which an agency knows a dossier."""
        ...

    async def results(self, keys: Sequence[str]) -> dict[str, StoredResult]:
        """Return results by result-code key or public code, whoever's they are."""
        ...

    async def is_referenced(self, sha256s: Sequence[str]) -> frozenset[str]:
        """Return those digests that some sealed version needs."""
        ...

    async def commits(self, commit_ids: Sequence[UUID]) -> frozenset[UUID]:
        """Return those commit ids that happened."""
        ...


class VerdictCatalog(Protocol):
    """Judgements and what still has to be judged."""

    async def take_task(self, now: datetime) -> VerificationTask | None:
        """Take the task that is due longest; nobody else gets it until it is judged, postponed or released."""
        ...

    async def append(
        self,
        document_uuid: UUID,
        verdict: StoredVerdict,
        state: DocumentState,
        judge_again_at: datetime | None,
        actor: Actor,
    ) -> None:
        """Append a verdict; if it judges the newest version, the document has the state from now on.

        The task of that version is done, or due again at `judge_again_at`; a verdict that is not the newest one of the
        newest version changes neither state nor task.
        """
        ...

    async def postpone(self, document_uuid: UUID, version: int, due_at: datetime) -> None:
        """Give a task back, due again later."""
        ...

    async def release_started(self) -> int:
        """Give back all tasks that a dead server held; only at start-up."""
        ...

    async def verdicts(
        self, document_uuid: UUID, after: tuple[datetime, UUID] | None, limit: int
    ) -> tuple[StoredVerdict, ...]:
        """Return the verdicts on a document, newest first."""
        ...
