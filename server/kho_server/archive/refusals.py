"""Why a Kho refuses.

Exception
└── Refusal      anything that is refused to a caller: a reason, the facts, and texts for people
    └── Absent   what the caller asked for is not there, or not for this caller; both look the same
"""

import enum
from datetime import timedelta


class Reason(enum.Enum):
    """Machine-readable reasons; each is a value of `kho.v1.ErrorReason` (a test compares them)."""

    CLIENT_CERTIFICATE_UNKNOWN = "CLIENT_CERTIFICATE_UNKNOWN"
    CLIENT_CERTIFICATE_REVOKED = "CLIENT_CERTIFICATE_REVOKED"
    PRINCIPAL_KIND_NOT_ALLOWED = "PRINCIPAL_KIND_NOT_ALLOWED"
    OFFICER_REQUIRED = "OFFICER_REQUIRED"
    OFFICER_NOT_ACCEPTED = "OFFICER_NOT_ACCEPTED"
    FIELD_REQUIRED = "FIELD_REQUIRED"
    FIELD_MALFORMED = "FIELD_MALFORMED"
    FIELD_TOO_LONG = "FIELD_TOO_LONG"
    CONTROL_CHARACTER = "CONTROL_CHARACTER"
    CODE_MALFORMED = "CODE_MALFORMED"
    DATE_IMPOSSIBLE = "DATE_IMPOSSIBLE"
    DATES_CROSSED = "DATES_CROSSED"
    PAGE_TOKEN_INVALID = "PAGE_TOKEN_INVALID"
    BATCH_TOO_LARGE = "BATCH_TOO_LARGE"
    REQUEST_ID_REUSED = "REQUEST_ID_REUSED"
    MESSAGE_TOO_LARGE = "MESSAGE_TOO_LARGE"
    UPLOAD_NOT_OPEN = "UPLOAD_NOT_OPEN"
    UPLOAD_SUPERSEDED = "UPLOAD_SUPERSEDED"
    UPLOAD_STALLED = "UPLOAD_STALLED"
    TOO_MANY_PAGES = "TOO_MANY_PAGES"
    NOTHING_DECLARED = "NOTHING_DECLARED"
    PART_NOT_DECLARED = "PART_NOT_DECLARED"
    PART_TWICE = "PART_TWICE"
    PART_EMPTY = "PART_EMPTY"
    PART_TOO_LARGE = "PART_TOO_LARGE"
    CHUNK_TOO_LARGE = "CHUNK_TOO_LARGE"
    OFFSET_GAP = "OFFSET_GAP"
    CHECKSUM_MISMATCH = "CHECKSUM_MISMATCH"
    DIGEST_MISMATCH = "DIGEST_MISMATCH"
    SIZE_MISMATCH = "SIZE_MISMATCH"
    MEDIA_TYPE_MISMATCH = "MEDIA_TYPE_MISMATCH"
    PARTS_MISSING = "PARTS_MISSING"
    DOCUMENT_SEALED_DIFFERENTLY = "DOCUMENT_SEALED_DIFFERENTLY"
    VERSION_CONFLICT = "VERSION_CONFLICT"
    COPY_SOURCE_MISSING = "COPY_SOURCE_MISSING"
    STREAM_OUT_OF_ORDER = "STREAM_OUT_OF_ORDER"
    LEASE_EXPIRED = "LEASE_EXPIRED"
    DOCUMENT_NOT_FOUND = "DOCUMENT_NOT_FOUND"
    RESULT_NOT_FOUND = "RESULT_NOT_FOUND"
    CODE_NOT_ACCEPTED = "CODE_NOT_ACCEPTED"
    ISSUER_NOT_ALLOWED = "ISSUER_NOT_ALLOWED"
    DOSSIER_CONFLICT = "DOSSIER_CONFLICT"
    CONTENT_NOT_AVAILABLE = "CONTENT_NOT_AVAILABLE"
    OFFSET_BEYOND_END = "OFFSET_BEYOND_END"
    FILE_TOO_LARGE = "FILE_TOO_LARGE"
    REGISTRATION_NOT_FOUND = "REGISTRATION_NOT_FOUND"
    REGISTRATION_EXISTS = "REGISTRATION_EXISTS"
    CERTIFICATE_MALFORMED = "CERTIFICATE_MALFORMED"
    STORAGE_FULL = "STORAGE_FULL"
    DATABASE_UNAVAILABLE = "DATABASE_UNAVAILABLE"
    SERVER_DRAINING = "SERVER_DRAINING"
    TOO_MANY_REQUESTS = "TOO_MANY_REQUESTS"
    DATA_DAMAGED = "DATA_DAMAGED"
    INTERNAL_FAULT = "INTERNAL_FAULT"


class Refusal(Exception):
    """A refusal with its reason and facts.

    `field` names the request field at fault, in proto spelling; `facts` become ErrorInfo metadata and fill the
    texts of `refusal_texts`; `retry_after` becomes RetryInfo. Facts never hold another agency's data, a path, or a
    person's data.
    """

    def __init__(
        self,
        reason: Reason,
        *,
        field: str | None = None,
        retry_after: timedelta | None = None,
        **facts: str | int,
    ) -> None:
        """Keep reason, field and facts."""
        self.reason = reason
        self.field = field
        self.retry_after = retry_after
        self.facts = {name: str(value) for name, value in facts.items()}
        if field is not None:
            self.facts["field"] = field
        super().__init__(f"{reason.value} {self.facts}" if self.facts else reason.value)


class Absent(Refusal):
    """Not there, or not for this caller: one answer for both."""
