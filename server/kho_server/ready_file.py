"""The file that says: I serve, here."""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Ready:
    """Addresses as HOST:PORT, the process id, and the folder of the development PKI (None without --dev)."""

    grpc: str
    ops: str
    pid: int
    pki: str | None

    def json(self) -> str:
        """Return this as one line of JSON."""
        return json.dumps(asdict(self))

    def write(self, path: Path) -> None:
        """Write the file whole: a reader sees all of it or none. OSError when its folder cannot be written."""
        draft = path.with_name(f".{path.name}.{self.pid}")
        try:
            draft.write_text(self.json() + "\n", "utf-8")
            os.replace(draft, path)  # noqa: PTH105 - as the name of the call says what matters
        finally:
            draft.unlink(missing_ok=True)
