"""Where things lie in a data folder and, in the same places, in a folder of backups."""

from uuid import UUID


def blob_path(sha256: str) -> str:
    """Return the path of a blob below a data folder (storage/README.md)."""
    return f"blobs/sha256/{sha256[:3]}/{sha256}"


def manifest_path(agency: UUID, document: UUID, version: int, commit: UUID) -> str:
    """Return the path of a sealed manifest below a data folder."""
    return f"manifests/{agency}/{document}/v{version:d}.{commit}.json"
