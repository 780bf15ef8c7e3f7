"""The passwords of the embedded PostgreSQL, kept beside its data for nobody but Kho."""

import os
import secrets
from dataclasses import dataclass, field
from pathlib import Path

ADMINISTRATOR = "kho_admin"
SERVICE = "kho"


@dataclass(frozen=True, slots=True)
class Passwords:
    """One password for each role; neither shows in `repr`."""

    administrator: str = field(repr=False)
    service: str = field(repr=False)

    @classmethod
    def draw(cls) -> "Passwords":
        """Draw new ones, 256 random bits each; their letters need no quoting in SQL or in a pgpass file."""
        return cls(secrets.token_urlsafe(32), secrets.token_urlsafe(32))

    @classmethod
    def load(cls, path: Path) -> "Passwords":
        """Read them back; OSError or ValueError when the file is gone or not ours."""
        found = {}
        for line in path.read_text("ascii").splitlines():
            *_, role, password = line.split(":")
            found[role] = password
        try:
            return cls(found[ADMINISTRATOR], found[SERVICE])
        except KeyError as error:
            raise ValueError(f"{path} does not hold both passwords") from error

    def save(self, path: Path) -> None:
        """Write a pgpass file (`PGPASSFILE=... psql` works with it), readable by its owner, synced."""
        text = f"*:*:*:{ADMINISTRATOR}:{self.administrator}\n*:*:*:{SERVICE}:{self.service}\n"
        new = path.with_name(f"{path.name}.new")
        new.unlink(missing_ok=True)
        write_private(new, text)
        new.replace(path)


def write_private(path: Path, text: str) -> None:
    """Write a new file of mode 0600 and sync it; FileExistsError when it is there."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    with open(descriptor, "w", encoding="ascii") as file:  # noqa: PTH123 - a descriptor, not a path
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
