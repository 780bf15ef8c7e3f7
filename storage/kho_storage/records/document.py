"""What was stored and what was decided: documents, versions, results, uploads under way."""

import enum
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from kho_storage.digest import Digest
from kho_storage.parts import PartId


class DocumentKind(enum.Enum):
    """Which of the three groups of papers it is."""

    RESULT = "result"
    PROCESSING = "processing"
    COMPONENT = "component"


class Lane(enum.Enum):
    """New dossiers, or the backlog of results still in force."""

    NEW = "new"
    BACKLOG = "backlog"


class DocumentState(enum.Enum):
    """Where the newest version stands.

    VERIFYING is never stored: it means that a worker holds the task. RESTORED_UNCONFIRMED: it came back from a backup,
    and what happened to it since is not known; no verdict changes that before the restore is confirmed.
    """

    RECEIVED = "RECEIVED"
    VERIFYING = "VERIFYING"
    VALID = "VALID"
    INVALID = "INVALID"
    PENDING_EVIDENCE = "PENDING_EVIDENCE"
    RESTORED_UNCONFIRMED = "RESTORED_UNCONFIRMED"


class VersionReason(enum.Enum):
    """Why a version exists."""

    FIRST = "first"
    RENDITION_ADDED = "rendition_added"
    CORRECTED = "corrected"


class CopyForm(enum.Enum):
    """Form of copy, exactly as NĐ 30/2020 Phụ lục I, Phần II, I.1 writes it."""

    SAO_Y = "SAO Y"
    SAO_LUC = "SAO LỤC"
    TRICH_SAO = "TRÍCH SAO"


class PageVariant(enum.Enum):
    """A page with its note, or without it (TT 01/2023 art. 8.2d)."""

    WITH_NOTE = "with_note"
    WITHOUT_NOTE = "without_note"


class RenditionRole(enum.Enum):
    """The signed file, or an unsigned assembly."""

    SIGNED = "signed"
    ASSEMBLED = "assembled"


class Outcome(enum.Enum):
    """Granted or refused; refusals count as results."""

    GRANTED = "granted"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Owner:
    """An owner's identifier as written, and its matching form."""

    owner_id: str
    key: str


@dataclass(frozen=True, slots=True)
class GivenCode:
    """A result code as written, and its matching form."""

    code: str
    key: str


@dataclass(frozen=True, slots=True)
class ResultDeclaration:
    """What is declared of a result; None is "not stated"."""

    type_code: str
    issuer_uuid: UUID
    issuer_code: str
    owners: tuple[Owner, ...]
    outcome: Outcome
    number: str | None
    number_key: str | None
    issued_on: date | None
    valid_from: date | None
    valid_to: date | None
    territory: str | None
    subject: str | None
    given_code: GivenCode | None


@dataclass(frozen=True, slots=True)
class Declaration:
    """What is declared of a document; sealed with its first version."""

    kind: DocumentKind
    lane: Lane
    dossier_code: str
    dossier_key: str
    procedure_code: str
    procedure_key: str
    scanned_at: datetime | None
    copy_form: CopyForm | None
    copy_of: UUID | None
    result: ResultDeclaration | None


@dataclass(frozen=True, slots=True)
class TakenCode:
    """A code that belongs to a document: reserved at Begin, in use from Commit on.

    `public_code` is the normal form without dashes; `sequence` is None for a code that the issuer gave.
    """

    code: str
    key: str
    public_code: str
    prefix_key: str
    sequence: int | None


@dataclass(frozen=True, slots=True)
class Upload:
    """A version under way."""

    agency_uuid: UUID
    document_id: UUID
    version: int
    reason: VersionReason
    reason_text: str | None
    declaration: Declaration
    pages: int
    renditions: int
    first_rendition: int
    sheets: int
    officer_id: str
    begun_at: datetime
    lease_until: datetime
    code: TakenCode | None


@dataclass(frozen=True, slots=True)
class StoredPart:
    """A page or rendition of a sealed version."""

    part: PartId
    digest: Digest
    media_type: str
    variant: PageVariant | None
    role: RenditionRole | None


@dataclass(frozen=True, slots=True)
class StoredVersion:
    """One sealed version; `station` is the name of the principal that sealed it."""

    version: int
    commit_id: UUID
    reason: VersionReason
    reason_text: str | None
    officer_id: str
    station: str
    scanned_at: datetime
    sealed_at: datetime
    sheets: int
    pages: int
    manifest: Digest
    parts: tuple[StoredPart, ...]


@dataclass(frozen=True, slots=True)
class StoredVerdict:
    """One judgement of one version; `report` is the engine's whole report as JSON values."""

    verdict_id: UUID
    version: int
    sha256: str
    indication: str
    sub_indication: str | None
    judged_at: datetime
    engine_version: str
    policy_version: str
    report: dict[str, Any]


@dataclass(frozen=True, slots=True)
class StoredResult:
    """A result as a look-up finds it, with the facts on which the decision to show it rests.

    `content` is the newest signed rendition of the newest version, else its only page, else None.
    """

    document_uuid: UUID
    document_id: UUID
    agency_uuid: UUID
    kind: DocumentKind
    state: DocumentState
    version: int
    code: str
    public_code: str
    declaration: ResultDeclaration
    content: StoredPart | None
    indication: str | None
    sub_indication: str | None


@dataclass(frozen=True, slots=True)
class StoredDocument:
    """A document with its newest state; `versions` oldest first, empty in lists."""

    document_uuid: UUID
    agency_uuid: UUID
    document_id: UUID
    kind: DocumentKind
    lane: Lane
    dossier_code: str
    dossier_key: str
    procedure_code: str
    procedure_key: str
    copy_form: CopyForm | None
    copy_of: UUID | None
    version: int
    state: DocumentState
    created_at: datetime
    versions: tuple[StoredVersion, ...]
    result: StoredResult | None
    verdict: StoredVerdict | None


@dataclass(frozen=True, slots=True)
class VerificationTask:
    """A sealed version whose signed rendition waits to be judged."""

    document_uuid: UUID
    version: int
    digest: Digest
    attempts: int
