"""Uploads and versions as the archive hands them to the catalog."""

from datetime import UTC, date, datetime, timedelta
from uuid import UUID, uuid4

from kho_storage.catalog.documents import PostgresDocuments
from kho_storage.catalog.registry import PostgresRegistry
from kho_storage.catalog.uploads import PostgresUploads
from kho_storage.digest import Digest
from kho_storage.parts import PartId, PartKind
from kho_storage.records.document import (
    CopyForm,
    Declaration,
    DocumentKind,
    Lane,
    Outcome,
    Owner,
    RenditionRole,
    ResultDeclaration,
    StoredPart,
    StoredVerdict,
    StoredVersion,
    TakenCode,
    Upload,
    VersionReason,
)
from kho_storage.records.registry import Actor, Agency

NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)
ACTOR = Actor(uuid4(), "officer-a")


async def nothing() -> None:
    """Forget no parts."""


async def register(registry: PostgresRegistry, agency_id: str = "agency-a") -> Agency:
    """Register an agency."""
    return await registry.register_agency(agency_id, [], [], ACTOR, NOW)


def declaration(agency: Agency, dossier: str = "D-1", copy_of: UUID | None = None) -> Declaration:
    """Return the declaration of a result with two owners."""
    return Declaration(
        kind=DocumentKind.RESULT,
        lane=Lane.NEW,
        dossier_code=dossier.lower(),
        dossier_key=dossier,
        procedure_code="1.000894",
        procedure_key="1.000894",
        scanned_at=NOW,
        copy_form=CopyForm.SAO_LUC if copy_of else None,
        copy_of=copy_of,
        result=ResultDeclaration(
            type_code="KQ.G15.000031",
            issuer_uuid=agency.agency_uuid,
            issuer_code="H46.01",
            owners=(Owner("044-1", "0441"), Owner("044-2", "0442")),
            outcome=Outcome.GRANTED,
            number="12/QĐ",
            number_key="12/QĐ",
            issued_on=date(2026, 11, 20),
            valid_from=None,
            valid_to=date(2030, 1, 1),
            territory="cả nước",
            subject=None,
            given_code=None,
        ),
    )


def upload_of(agency: Agency, document_id: UUID, version: int = 1, declared: Declaration | None = None) -> Upload:
    """Return an upload of one page and one signed file."""
    return Upload(
        agency_uuid=agency.agency_uuid,
        document_id=document_id,
        version=version,
        reason=VersionReason.FIRST if version == 1 else VersionReason.CORRECTED,
        reason_text=None if version == 1 else "quét lệch",
        declaration=declared or declaration(agency),
        pages=1,
        renditions=1,
        first_rendition=1,
        sheets=1,
        officer_id="officer-a",
        begun_at=NOW,
        lease_until=NOW + timedelta(days=7),
        code=None,
    )


def code_of(number: int, series: str = "0441.KQ.*") -> TakenCode:
    """Return a code of a series."""
    text = series.replace("*", str(number))
    return TakenCode(text.lower(), text, f"H46{uuid4().hex[:14].upper()}", series, number)


def version_of(upload: Upload, sealed_at: datetime = NOW, *, is_signed: bool = True) -> StoredVersion:
    """Return what is sealed of an upload."""
    page = StoredPart(PartId(PartKind.PAGE, 1), Digest.of(b"page"), "image/jpeg", None, None)
    file = Digest.of(b"signed %d" % upload.version)
    rendition = StoredPart(PartId(PartKind.RENDITION, 1), file, "application/pdf", None, RenditionRole.SIGNED)
    return StoredVersion(
        version=upload.version,
        commit_id=uuid4(),
        reason=upload.reason,
        reason_text=upload.reason_text,
        officer_id="officer-a",
        station="quầy 1",
        scanned_at=NOW,
        sealed_at=sealed_at,
        sheets=1,
        pages=1,
        manifest=Digest.of(b"manifest"),
        parts=(page, rendition) if is_signed else (page,),
    )


def verdict_of(version: int, judged_at: datetime, indication: str = "TOTAL_PASSED") -> StoredVerdict:
    """Return a judgement."""
    return StoredVerdict(
        verdict_id=uuid4(),
        version=version,
        sha256=Digest.of(b"signed %d" % version).sha256,
        indication=indication,
        sub_indication=None,
        judged_at=judged_at,
        engine_version="1",
        policy_version="2",
        report={"warnings": ["ợ"]},
    )


async def open_upload(uploads: PostgresUploads, upload: Upload, number: int | None = None) -> Upload:
    """Open an upload, with a code of its own unless it has one."""
    code = code_of(number) if number is not None else code_of(0, f"{uuid4().hex.upper()}.*")
    await uploads.take_code(upload.agency_uuid, upload.document_id, code, ACTOR, NOW)
    return await uploads.open(upload, None, nothing)


async def sealed(
    uploads: PostgresUploads, documents: PostgresDocuments, upload: Upload, document_uuid: UUID, at: datetime = NOW
) -> StoredVersion:
    """Open and seal."""
    opened = await open_upload(uploads, upload)
    version = version_of(opened, at)
    await documents.seal(opened, document_uuid, version, True, ACTOR, None)
    return version
