"""Who was shown what."""

import enum
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID


class AccessAction(enum.Enum):
    """How something was asked for."""

    LOOKUP = "LOOKUP"
    READ = "READ"
    REUSE = "REUSE"
    LIST = "LIST"


class AccessOutcome(enum.Enum):
    """What came of it: shown, refused though it is there, or not there at all."""

    DISCLOSED = "DISCLOSED"
    REFUSED = "REFUSED"
    ABSENT = "ABSENT"


@dataclass(frozen=True, slots=True)
class AccessRecord:
    """One disclosure or refusal, durable before its answer. `asked` is a keyed hash of what was asked."""

    access_id: UUID
    at: datetime
    principal_id: UUID
    agency_uuid: UUID | None
    officer_id: str | None
    action: AccessAction
    outcome: AccessOutcome
    document_uuid: UUID | None
    version: int | None
    asked: bytes | None
    dossier_code: str | None
    procedure_code: str | None
    request_id: str


@dataclass(frozen=True, slots=True)
class ListedAccess:
    """A record with its closing: bytes that left, None until the transfer has ended; the asker by agency id."""

    record: AccessRecord
    agency_id: str | None
    bytes_sent: int | None


@dataclass(frozen=True, slots=True)
class KeptAnswer:
    """The answer of a changing call, kept for 30 days: the same request id answers the same again.

    `scope` is the caller's agency, or the principal where there is none; `fingerprint` is SHA-256 of the request.
    """

    scope: UUID
    request_id: UUID
    method: str
    fingerprint: bytes
    answer: bytes
    answered_at: datetime
