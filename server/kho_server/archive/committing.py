"""Sealing uploads: bytes first, then the manifest, then the rows, then the answer."""

import asyncio
import hashlib
import json
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID
from weakref import WeakValueDictionary

from kho_server.archive.caller import Caller, acting_officer
from kho_server.archive.declared_parts import declared_parts
from kho_server.archive.manifest import manifest_bytes
from kho_server.archive.observer import Observer
from kho_server.archive.part_names import part_name
from kho_server.archive.refusals import Reason, Refusal
from kho_server.archive.request_fields import parse_uuid
from kho_server.archive.sniffing import sniffed_types
from kho_server.rules.legal_days import legal_day
from kho_server.rules.media_type import MediaType
from kho_storage.catalog_ports import AnswerBook, RegistryCatalog
from kho_storage.document_ports import DocumentCatalog, UploadCatalog
from kho_storage.errors import Conflict, PartIncomplete
from kho_storage.identifiers import time_ordered_uuid
from kho_storage.parts import BlobSource, ManifestName, PartId, PartKind, UploadId
from kho_storage.ports import BlobStore, ManifestStore, UploadSpool
from kho_storage.records.access import KeptAnswer
from kho_storage.records.document import (
    PageVariant,
    RenditionRole,
    StoredDocument,
    StoredPart,
    StoredVersion,
    Upload,
    VersionReason,
)

_NAMED_MISSING = 20
# What a commit met may have changed before its rows were written; each round begins with what is true by then.
_ROUNDS = 3
_MEANWHILE = frozenset({"upload_changed", "document_id_taken", "document_version_taken", "request_answered"})


@dataclass(frozen=True, slots=True)
class ClaimedPart:
    """What a client believes a part to be when it commits."""

    part: PartId
    sha256: str
    media_type: MediaType
    variant: PageVariant | None
    role: RenditionRole | None


@dataclass(frozen=True, slots=True)
class Committed:
    """The answer of Commit: durable."""

    document_id: str
    document_uuid: str
    version: int
    state: str
    result_code: str | None
    public_code: str | None
    manifest_sha256: str


class Committing:
    """The use case that seals a version. Errors: those of UploadService.Commit."""

    def __init__(
        self,
        *,
        uploads: UploadCatalog,
        documents: DocumentCatalog,
        registry: RegistryCatalog,
        answers: AnswerBook,
        spool: UploadSpool,
        blobs: BlobStore,
        manifests: ManifestStore,
        repository_id: str,
        clock: Callable[[], datetime],
        observer: Observer,
        wake_verifier: Callable[[], None],
    ) -> None:
        """`wake_verifier` is called when there is something new to judge."""
        self._uploads = uploads
        self._documents = documents
        self._registry = registry
        self._answers = answers
        self._spool = spool
        self._blobs = blobs
        self._manifests = manifests
        self._repository_id = repository_id
        self._clock = clock
        self._observer = observer
        self._wake_verifier = wake_verifier
        # One commit of a document at a time in this process; between processes the constraints decide.
        self._turns: WeakValueDictionary[tuple[UUID, UUID], asyncio.Lock] = WeakValueDictionary()

    async def commit(
        self,
        caller: Caller,
        request_id: str,
        officer_id: str,
        document_id: str,
        version: int,
        claimed: Sequence[ClaimedPart],
    ) -> Committed:
        """Seal, or answer again what was sealed."""
        request = parse_uuid("request_id", request_id)
        document = parse_uuid("document_id", document_id)
        fingerprint = _fingerprint(document, version, claimed)
        turn = self._turns.setdefault((caller.agency_uuid, document), asyncio.Lock())
        async with turn:
            for _ in range(_ROUNDS):
                kept = await self._answers.find(caller.scope, request)
                if kept is not None:
                    if (kept.method, kept.fingerprint) != ("Commit", fingerprint):
                        raise Refusal(Reason.REQUEST_ID_REUSED, field="request_id")
                    return Committed(**json.loads(kept.answer))
                started = time.perf_counter()
                officer = await acting_officer(caller, officer_id, self._registry, legal_day(self._clock()))
                upload = await self._uploads.find(caller.agency_uuid, document)
                if upload is None or (version and upload.version != version):
                    return await self._sealed_before(caller, document, version, upload, claimed)
                try:
                    answer = await self._seal(caller, request, fingerprint, officer.officer_id, upload, claimed)
                except Conflict as conflict:
                    _refuse_for_good(conflict)
                    continue
                declaration = upload.declaration
                self._observer.version_sealed(declaration.kind, declaration.lane, time.perf_counter() - started)
                return answer
        raise Refusal(Reason.VERSION_CONFLICT, current_version=max(version - 1, 0))

    async def _seal(
        self,
        caller: Caller,
        request: UUID,
        fingerprint: bytes,
        officer_id: str,
        upload: Upload,
        claimed: Sequence[ClaimedPart],
    ) -> Committed:
        base = None
        if upload.version > 1:
            base = await self._documents.document(upload.agency_uuid, upload.document_id)
        if upload.lease_until < self._clock():
            raise Refusal(Reason.LEASE_EXPIRED)
        upload_id = UploadId(upload.agency_uuid, upload.document_id, upload.version)
        carried = base.versions[-1].parts if base and upload.reason is VersionReason.RENDITION_ADDED else ()
        claims = await self._claims(upload_id, upload, claimed, {part.part for part in carried})
        # 1. bytes: every part durable under its digest
        sources = [await self._source(upload_id, claim) for claim in claims]
        arrived = _arrived(claims, sources, await sniffed_types(sources))
        await self._blobs.put(sources)
        # 2. manifest: names the attempt, so that a dead one can be told from a living one
        sealed_at = self._clock()
        document_uuid = base.document_uuid if base else time_ordered_uuid()
        commit_id = time_ordered_uuid()
        agency = await self._registry.agency(caller.agency_id)
        if agency is None:
            raise Refusal(Reason.CLIENT_CERTIFICATE_REVOKED)
        parts = tuple(sorted((*carried, *arrived), key=lambda part: (part.part.kind.value, part.part.number)))
        scanned_at = upload.declaration.scanned_at or upload.begun_at
        data = manifest_bytes(
            repository_id=self._repository_id,
            agency=agency,
            upload=upload,
            document_uuid=str(document_uuid),
            sealed={
                "commit_id": str(commit_id),
                "at": sealed_at.isoformat(),
                "officer_id": officer_id,
                "station": caller.principal.display_name,
                "scanned_at": scanned_at.isoformat(),
                "sheets": upload.sheets,
                "pages": upload.pages,
            },
            parts=parts,
        )
        name = ManifestName(upload.agency_uuid, upload.document_id, upload.version, commit_id)
        manifest = await self._manifests.seal(name, data)
        # 3. rows: one transaction, with the answer
        version = StoredVersion(
            version=upload.version,
            commit_id=commit_id,
            reason=upload.reason,
            reason_text=upload.reason_text,
            officer_id=officer_id,
            station=caller.principal.display_name,
            scanned_at=scanned_at,
            sealed_at=sealed_at,
            sheets=upload.sheets,
            pages=upload.pages,
            manifest=manifest,
            parts=parts,
        )
        needs_verification = any(part.role is RenditionRole.SIGNED for part in parts)
        code = upload.code
        answer = Committed(
            document_id=str(upload.document_id),
            document_uuid=str(document_uuid),
            version=upload.version,
            state="RECEIVED",
            result_code=code.code if code else None,
            public_code=code.public_code if code else None,
            manifest_sha256=manifest.sha256,
        )
        keep = KeptAnswer(caller.scope, request, "Commit", fingerprint, json.dumps(asdict(answer)).encode(), sealed_at)
        try:
            await self._documents.seal(
                upload, document_uuid, version, needs_verification, caller.actor(officer_id), keep
            )
        except Conflict:
            # Refused for certain, so this attempt never happened. After CatalogUnavailable nothing is certain and
            # start-up decides by the commit id.
            await self._manifests.delete(name)
            raise
        # 4. the spool is no longer needed; if this fails, the next start does it
        if needs_verification:
            self._wake_verifier()
        await self._spool.discard(upload_id)
        return answer

    async def _claims(
        self, upload_id: UploadId, upload: Upload, claimed: Sequence[ClaimedPart], carried: set[PartId]
    ) -> list[ClaimedPart]:
        """Return a claim for every declared part, each checked against what arrived.

        What arrived and is not declared any more, because a later Begin declared fewer pages, goes with the spool.
        """
        spooled = {part.part: part.digest for part in await self._spool.parts(upload_id) if part.digest is not None}
        declared = declared_parts(upload)
        is_declared = frozenset(declared)
        claims = {claim.part: claim for claim in claimed if claim.part not in carried}
        for part in claims:
            if part not in is_declared:
                raise Refusal(
                    Reason.PART_NOT_DECLARED, part=part_name(part), declared=f"{upload.pages}+{upload.renditions}"
                )
        missing = [part for part in declared if part not in spooled]
        if missing:
            raise Refusal(
                Reason.PARTS_MISSING,
                missing=", ".join(part_name(part) for part in missing[:_NAMED_MISSING]),
                missing_count=len(missing),
            )
        unclaimed = [part for part in declared if part not in claims]
        if unclaimed:
            raise Refusal(Reason.FIELD_REQUIRED, field="parts", part=part_name(unclaimed[0]))
        for part in declared:
            claim = claims[part]
            if claim.sha256 != spooled[part].sha256:
                raise Refusal(Reason.DIGEST_MISMATCH, part=part_name(part))
            is_rendition = part.kind is PartKind.RENDITION
            if is_rendition and claim.role is None:
                raise Refusal(Reason.FIELD_REQUIRED, field="parts.role", part=part_name(part))
            if not is_rendition and claim.role is not None:
                raise Refusal(Reason.FIELD_MALFORMED, field="parts.role", part=part_name(part))
        return [claims[part] for part in declared]

    async def _source(self, upload_id: UploadId, claim: ClaimedPart) -> BlobSource:
        try:
            return await self._spool.source(upload_id, claim.part)
        except PartIncomplete as error:
            raise Refusal(Reason.PARTS_MISSING, missing_count=1, missing=part_name(claim.part)) from error

    async def _sealed_before(
        self, caller: Caller, document: UUID, version: int, upload: Upload | None, claimed: Sequence[ClaimedPart]
    ) -> Committed:
        """Answer a commit whose upload is gone: the same again, or a refusal."""
        stored = await self._documents.document(caller.agency_uuid, document)
        if stored is None or version > stored.version:
            if upload is not None:
                raise Refusal(Reason.VERSION_CONFLICT, current_version=upload.version - 1)
            raise Refusal(Reason.UPLOAD_NOT_OPEN)
        return _same_again(stored, version or stored.version, claimed)


def _arrived(
    claims: Sequence[ClaimedPart], sources: Sequence[BlobSource], types: Sequence[MediaType | None]
) -> list[StoredPart]:
    """Return what is sealed of the parts that arrived. Refusal: MEDIA_TYPE_MISMATCH."""
    arrived = []
    for claim, source, found in zip(claims, sources, types, strict=True):
        if found is not claim.media_type:
            raise Refusal(Reason.MEDIA_TYPE_MISMATCH, part=part_name(claim.part), declared=claim.media_type.mime)
        variant = claim.variant if claim.part.kind is PartKind.PAGE else None
        arrived.append(StoredPart(claim.part, source.digest, claim.media_type.mime, variant, claim.role))
    return arrived


def _refuse_for_good(conflict: Conflict) -> None:
    """Refuse unless looking again may help."""
    if conflict.constraint == "dossier_procedure":
        raise Refusal(Reason.DOSSIER_CONFLICT, field="document.dossier_code") from conflict
    if conflict.constraint == "copy_of_unknown":
        raise Refusal(Reason.FIELD_MALFORMED, field="document.copy_of") from conflict
    if conflict.constraint not in _MEANWHILE:
        raise conflict


def _same_again(stored: StoredDocument, version: int, claimed: Sequence[ClaimedPart]) -> Committed:
    """Return the answer of a version sealed before. Refusal: DOCUMENT_SEALED_DIFFERENTLY."""
    sealed = next((each for each in stored.versions if each.version == version), None)
    if sealed is None:
        raise Refusal(Reason.UPLOAD_NOT_OPEN)
    held = {part.part: part.digest.sha256 for part in sealed.parts}
    claims = {claim.part: claim.sha256 for claim in claimed}
    required = held
    if sealed.reason is VersionReason.RENDITION_ADDED and version > 1:
        before = {part.part for part in stored.versions[version - 2].parts}
        required = {part: sha256 for part, sha256 in held.items() if part not in before or part in claims}
    if claims != required:
        raise Refusal(Reason.DOCUMENT_SEALED_DIFFERENTLY)
    return Committed(
        document_id=str(stored.document_id),
        document_uuid=str(stored.document_uuid),
        version=version,
        state=stored.state.value if version == stored.version else "RECEIVED",
        result_code=stored.result.code if stored.result else None,
        public_code=stored.result.public_code if stored.result else None,
        manifest_sha256=sealed.manifest.sha256,
    )


def _fingerprint(document: UUID, version: int, claimed: Sequence[ClaimedPart]) -> bytes:
    claims = sorted((claim.part.kind.value, claim.part.number, claim.sha256) for claim in claimed)
    return hashlib.sha256(repr((document, version, claims)).encode()).digest()
