"""Names of uploads, of their parts and of sealed manifests."""

import enum
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from pathlib import Path
from uuid import UUID

from kho_storage.digest import Digest


class PartKind(enum.Enum):
    """A scanned page, or a rendition of the whole document such as the signed PDF."""

    PAGE = "page"
    RENDITION = "rendition"


@dataclass(frozen=True, slots=True, order=True)
class UploadId:
    """One upload: the version that an agency is making of one of its documents.

    `document` is the client-made UUID, unique within the agency; `version` counts from 1.
    """

    agency: UUID
    document: UUID
    version: int


@dataclass(frozen=True, slots=True)
class PartId:
    """One part of an upload; `number` counts from 1 within its kind, at most 10,000."""

    kind: PartKind
    number: int

    def __post_init__(self) -> None:
        """Refuse numbers that no part can have."""
        if not 1 <= self.number <= 10_000:
            raise ValueError("a part number lies between 1 and 10000")


@dataclass(frozen=True, slots=True)
class SpooledPart:
    """What is persisted of a part: durable bytes, and the digest once it is complete (else None)."""

    part: PartId
    persisted_bytes: int
    digest: Digest | None


@dataclass(frozen=True, slots=True)
class BlobSource:
    """Complete bytes to be stored: a digest, a way to read them, and their synced local file if there is one.

    `local` lets a store on the same file system link instead of copy; a remote engine ignores it.
    """

    digest: Digest
    read: Callable[[], AsyncIterator[bytes]]
    local: Path | None = None


@dataclass(frozen=True, slots=True, order=True)
class ManifestName:
    """The name of a sealed manifest; `commit` is new for every attempt to commit."""

    agency: UUID
    document: UUID
    version: int
    commit: UUID
