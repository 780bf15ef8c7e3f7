"""What a vector is: a file, the world in which it is judged, and the answer that it must get."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime

from kho_server.verification.trust_folder import TrustMaterial
from tests.vectors.signatures.pki import AT, world


@dataclass(frozen=True)
class Material:
    """The bytes, and who is trusted; `content` is what a detached signature signs."""

    data: bytes
    trust: TrustMaterial = field(default_factory=lambda: world().trust())
    at: datetime = AT
    content: bytes | None = None


@dataclass(frozen=True)
class Vector:
    """`row` is the case of the table in the README, 0 for good files; `expected` the answer of the file.

    `remark` must stand with the file or one of its signatures.
    """

    row: int
    name: str
    expected: str
    make: Callable[[], Material | bytes]
    remark: str | None = None

    def material(self) -> Material:
        """Make the file."""
        made = self.make()
        return Material(made) if isinstance(made, bytes) else made
