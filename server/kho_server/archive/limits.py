"""What a stranger may choose, and how far."""

from dataclasses import dataclass
from datetime import timedelta


@dataclass(frozen=True, slots=True)
class UploadLimits:
    """Limits of uploading; bytes unless the name says otherwise."""

    chunk_bytes: int = 256 * 1024
    page_bytes: int = 32 * 1024 * 1024
    rendition_bytes: int = 512 * 1024 * 1024
    pages: int = 10_000
    renditions: int = 16
    unacknowledged_bytes: int = 1024 * 1024
    acknowledge_every_s: float = 1.0
    stall_timeout_s: float = 45.0
    lease: timedelta = timedelta(days=7)
    small_parts: int = 16
