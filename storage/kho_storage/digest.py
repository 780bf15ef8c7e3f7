"""The name of bytes: what they hash to and how many they are."""

import hashlib
import re
from dataclasses import dataclass

_HEX64 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True, slots=True, order=True)
class Digest:
    """SHA-256 (FIPS 180-4) of some bytes together with their size.

    `sha256` is 64 lowercase hex digits and `size_bytes` is at least 0; anything else raises ValueError,
    so that a Digest which exists is a Digest which can be right.
    """

    sha256: str
    size_bytes: int

    def __post_init__(self) -> None:
        """Refuse what cannot be a digest."""
        if not _HEX64.match(self.sha256):
            raise ValueError("a SHA-256 is written as 64 lowercase hexadecimal digits")
        if self.size_bytes < 0:
            raise ValueError("a size in bytes is never negative")

    @classmethod
    def of(cls, data: bytes) -> "Digest":
        """Return the digest of bytes in memory."""
        return cls(hashlib.sha256(data).hexdigest(), len(data))

    def __str__(self) -> str:
        """Write the digest as `sha256:HEX`, the form that clients see."""
        return f"sha256:{self.sha256}"
