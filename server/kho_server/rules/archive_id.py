"""Identifiers of the archive's packages and files (TT 05/2025/TT-BNV)."""

import datetime
from dataclasses import dataclass
from enum import Enum

from kho_server.rules.code_format import judge
from kho_server.rules.code_warning import CodeWarning
from kho_server.rules.reasons import Reason
from kho_server.rules.spelling import Spelling

_MAX_SENT = 200


class ArchiveIdKind(Enum):
    """What an archive identifier names; the value is the name of its form."""

    SUBMISSION_PACKAGE = "SIP_OBJECT"
    ARCHIVAL_PACKAGE = "AIP_OBJECT"
    FILE = "ARCHIVE_FILE"
    DOCUMENT = "ARCHIVE_DOCUMENT"
    DOCUMENT_CODE = "DOCUMENT_CODE"


@dataclass(frozen=True, slots=True)
class ArchiveId:
    """An archive identifier: `text` as sent, `key` to compare by. Its case is part of its form."""

    text: str
    key: str
    kind: ArchiveIdKind
    warnings: tuple[CodeWarning, ...] = ()

    @classmethod
    def parse(cls, text: str, on: datetime.date, kind: ArchiveIdKind, *, field: str = "archive_id") -> "ArchiveId":
        """Read an identifier of that kind as it may be used on that day; raises CodeRefused or TextRefused."""
        spelling = Spelling.of(field, text, _MAX_SENT)
        judge(field, spelling, on, Reason.ARCHIVE_ID_MALFORMED, kind.value)
        return cls(spelling.text, spelling.key, kind, spelling.warnings)

    @property
    def folder_name(self) -> str:
        """The identifier as the name of a folder or archive file: a colon is written as an underscore."""
        return self.text.replace(":", "_")
