"""What the archive tells whoever counts; nothing here holds a code, an id or a person."""

from kho_storage.records.access import AccessAction, AccessOutcome
from kho_storage.records.document import DocumentKind, Lane


class Observer:
    """Hears what happened and does nothing with it; the app hands in one that counts."""

    def part_complete(self, *, is_page: bool) -> None:
        """A part became whole and durable."""

    def bytes_received(self, sent: int, copied: int) -> None:
        """Bytes of parts arrived: over the wire, or copied from pages."""

    def upload_streams(self, change: int) -> None:
        """An upload stream opened (+1) or ended (-1)."""

    def upload_resumed(self) -> None:
        """A stream went on with a part begun earlier."""

    def upload_expired(self) -> None:
        """An abandoned upload was cleaned."""

    def version_sealed(self, kind: DocumentKind, lane: Lane, seconds: float) -> None:
        """A version became durable."""

    def code_clash(self) -> None:
        """A given code was taken already."""

    def accesses(self, action: AccessAction, outcome: AccessOutcome, count: int) -> None:
        """Access records were written."""

    def bytes_sent(self, action: AccessAction, count: int) -> None:
        """Content left."""

    def judged(self, indication: str, seconds: float) -> None:
        """A verdict was made."""

    def background_failed(self, task: str) -> None:
        """A round of background work failed."""
