"""What the event of a sealed version says, as JSON values."""

from typing import Any
from uuid import UUID

from kho_storage.records.declaration_json import to_json
from kho_storage.records.document import StoredPart, StoredVersion, Upload


def seal_payload(
    upload: Upload, document_uuid: UUID, version: StoredVersion, needs_verification: bool
) -> dict[str, Any]:
    """Return the payload of `document_sealed` (version 1: with the declaration) or `version_sealed`."""
    payload: dict[str, Any] = {
        "document_uuid": str(document_uuid),
        "agency_uuid": str(upload.agency_uuid),
        "document_id": str(upload.document_id),
        "needs_verification": needs_verification,
        "version": _version(version),
        "parts": [_part(part) for part in version.parts],
    }
    if version.version == 1:
        payload |= _declared(upload)
    return payload


def _declared(upload: Upload) -> dict[str, Any]:
    declared = to_json(upload.declaration)
    result = declared.pop("result")
    if result is not None and upload.code is not None:
        result.pop("given_code")
        result["code_key"] = upload.code.key
    return {**declared, "copy_of": None, "result": result}


def _version(version: StoredVersion) -> dict[str, Any]:
    return {
        "version": version.version,
        "commit_id": str(version.commit_id),
        "reason": version.reason.value,
        "reason_text": version.reason_text,
        "officer_id": version.officer_id,
        "station": version.station,
        "scanned_at": version.scanned_at.isoformat(),
        "sealed_at": version.sealed_at.isoformat(),
        "sheets": version.sheets,
        "pages": version.pages,
        "manifest_sha256": version.manifest.sha256,
        "manifest_bytes": version.manifest.size_bytes,
    }


def _part(part: StoredPart) -> dict[str, Any]:
    return {
        "part_kind": part.part.kind.value,
        "number": part.part.number,
        "sha256": part.digest.sha256,
        "size_bytes": part.digest.size_bytes,
        "media_type": part.media_type,
        "variant": part.variant.value if part.variant else None,
        "role": part.role.value if part.role else None,
    }
