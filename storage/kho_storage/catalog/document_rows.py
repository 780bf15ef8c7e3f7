"""Rows of documents, versions, results and verdicts as records."""

from collections.abc import Sequence

from kho_storage.catalog.database import Row
from kho_storage.digest import Digest
from kho_storage.parts import PartId, PartKind
from kho_storage.records.document import (
    CopyForm,
    DocumentKind,
    DocumentState,
    Lane,
    Outcome,
    Owner,
    PageVariant,
    RenditionRole,
    ResultDeclaration,
    StoredDocument,
    StoredPart,
    StoredResult,
    StoredVerdict,
    StoredVersion,
    VersionReason,
)


def state_of(row: Row) -> DocumentState:
    """Return the state that callers see: a task that a worker holds is VERIFYING."""
    state = DocumentState(row["state"])
    return DocumentState.VERIFYING if state is DocumentState.RECEIVED and row["is_verifying"] else state


def document_of(
    row: Row,
    versions: tuple[StoredVersion, ...],
    result: StoredResult | None,
    verdict: StoredVerdict | None,
) -> StoredDocument:
    """Return a document with what belongs to it."""
    return StoredDocument(
        document_uuid=row["document_uuid"],
        agency_uuid=row["agency_uuid"],
        document_id=row["document_id"],
        kind=DocumentKind(row["kind"]),
        lane=Lane(row["lane"]),
        dossier_code=row["dossier_code"],
        dossier_key=row["dossier_key"],
        procedure_code=row["procedure_code"],
        procedure_key=row["procedure_key"],
        copy_form=CopyForm(row["copy_form"]) if row["copy_form"] else None,
        copy_of=row["copy_of"],
        version=row["version"],
        state=state_of(row),
        created_at=row["created_at"],
        versions=versions,
        result=result,
        verdict=verdict,
    )


def version_of(row: Row, parts: Sequence[StoredPart]) -> StoredVersion:
    """Return one version with its parts."""
    return StoredVersion(
        version=row["version"],
        commit_id=row["commit_id"],
        reason=VersionReason(row["reason"]),
        reason_text=row["reason_text"],
        officer_id=row["officer_id"],
        station=row["station"],
        scanned_at=row["scanned_at"],
        sealed_at=row["sealed_at"],
        sheets=row["sheets"],
        pages=row["pages"],
        manifest=Digest(row["manifest_sha256"], row["manifest_bytes"]),
        parts=tuple(parts),
    )


def part_of(row: Row, number: str = "number") -> StoredPart:
    """Return one part; `number` names the column that holds its number."""
    return StoredPart(
        part=PartId(PartKind(row["part_kind"]), row[number]),
        digest=Digest(row["sha256"], row["size_bytes"]),
        media_type=row["media_type"],
        variant=PageVariant(row["variant"]) if row["variant"] else None,
        role=RenditionRole(row["role"]) if row["role"] else None,
    )


def result_of(row: Row) -> StoredResult:
    """Return a result as a look-up finds it."""
    owners = zip(row["owner_ids"] or (), row["owner_keys"] or (), strict=True)
    return StoredResult(
        document_uuid=row["document_uuid"],
        document_id=row["document_id"],
        agency_uuid=row["agency_uuid"],
        kind=DocumentKind(row["kind"]),
        state=state_of(row),
        version=row["version"],
        code=row["code"],
        public_code=row["public_code"],
        declaration=ResultDeclaration(
            type_code=row["type_code"],
            issuer_uuid=row["issuer_uuid"],
            issuer_code=row["issuer_code"],
            owners=tuple(Owner(owner_id, key) for owner_id, key in owners),
            outcome=Outcome(row["outcome"]),
            number=row["number"],
            number_key=row["number_key"],
            issued_on=row["issued_on"],
            valid_from=row["valid_from"],
            valid_to=row["valid_to"],
            territory=row["territory"],
            subject=row["subject"],
            given_code=None,
        ),
        content=part_of(row, "part_number") if row["part_kind"] else None,
        indication=row["indication"],
        sub_indication=row["sub_indication"],
    )


def verdict_of(row: Row) -> StoredVerdict:
    """Return one judgement."""
    return StoredVerdict(
        verdict_id=row["verdict_id"],
        version=row["version"],
        sha256=row["sha256"],
        indication=row["indication"],
        sub_indication=row["sub_indication"],
        judged_at=row["judged_at"],
        engine_version=row["engine_version"],
        policy_version=row["policy_version"],
        report=row["report"],
    )
