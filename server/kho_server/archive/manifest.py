"""The sealed manifest: one JSON file a person can read and check with `sha256sum`."""

import json
from typing import Any

from kho_storage.digest import Digest
from kho_storage.records.declaration_json import to_json
from kho_storage.records.document import StoredPart, Upload
from kho_storage.records.registry import Agency

FORMAT = 1


def manifest_bytes(
    *,
    repository_id: str,
    agency: Agency,
    upload: Upload,
    document_uuid: str,
    sealed: dict[str, Any],
    parts: tuple[StoredPart, ...],
) -> bytes:
    """Return the manifest of a version: UTF-8 JSON with sorted keys, so that the same facts give the same bytes."""
    code = upload.code
    facts = {
        "format": FORMAT,
        "repository_id": repository_id,
        "agency": {"agency_id": agency.agency_id, "agency_uuid": str(agency.agency_uuid)},
        "document_id": str(upload.document_id),
        "document_uuid": document_uuid,
        "version": upload.version,
        "reason": upload.reason.value,
        "reason_text": upload.reason_text,
        "declaration": to_json(upload.declaration),
        "code": {"code": code.code, "public_code": code.public_code} if code else None,
        "sealed": sealed,
        "parts": [
            {
                "kind": part.part.kind.value,
                "number": part.part.number,
                "sha256": part.digest.sha256,
                "size_bytes": part.digest.size_bytes,
                "media_type": part.media_type,
                "variant": part.variant.value if part.variant else None,
                "role": part.role.value if part.role else None,
            }
            for part in parts
        ],
    }
    return (json.dumps(facts, sort_keys=True, ensure_ascii=False, indent=1) + "\n").encode()


def digests_of(data: bytes) -> list[Digest]:
    """Return the digests of all parts that a manifest names."""
    return [Digest(part["sha256"], part["size_bytes"]) for part in json.loads(data)["parts"]]
