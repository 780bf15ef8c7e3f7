"""Numbered migrations, applied under a lock, each once, each in its own transaction."""

import hashlib
from dataclasses import dataclass
from importlib import resources

from kho_storage.catalog.database import Connection
from kho_storage.errors import StoreMismatch

# Any constant will do as long as every Kho uses the same one.
_LOCK = 0x6B686F01


@dataclass(frozen=True, slots=True)
class Migration:
    """One numbered step of the schema."""

    number: int
    name: str
    sql: str

    @property
    def sha256(self) -> str:
        """Digest of the text, so that a changed migration is noticed."""
        return hashlib.sha256(self.sql.encode()).hexdigest()


def migrations() -> tuple[Migration, ...]:
    """Return all packaged migrations in order; the numbers are 1, 2, 3 and so on."""
    folder = resources.files("kho_storage.catalog").joinpath("sql", "migrations")
    files = sorted((entry for entry in folder.iterdir() if entry.name.endswith(".sql")), key=lambda entry: entry.name)
    found = tuple(Migration(int(entry.name[:4]), entry.name[5:-4], entry.read_text("utf-8")) for entry in files)
    if [step.number for step in found] != list(range(1, len(found) + 1)):
        raise ValueError("migrations are not numbered 1, 2, 3, ...")
    return found


async def migrate(connection: Connection, *, until: int | None = None) -> tuple[int, ...]:
    """Bring a database to the newest schema and return the numbers applied.

    Two servers that start together wait for each other. StoreMismatch: the database was made by a newer Kho, or a
    migration that was applied has another text here.
    """
    applied_now = []
    await connection.execute("SELECT pg_advisory_lock($1)", _LOCK)
    try:
        await connection.execute(
            "CREATE TABLE IF NOT EXISTS public.kho_migration ("
            " number int PRIMARY KEY, name text NOT NULL, sha256 text NOT NULL,"
            " applied_at timestamptz NOT NULL DEFAULT now())"
        )
        rows = await connection.fetch("SELECT number, sha256 FROM public.kho_migration ORDER BY number")
        known = migrations()
        for row in rows:
            if row["number"] > len(known):
                raise StoreMismatch(
                    f"the database has schema {row['number']}, this Kho knows {len(known)}: install the newer Kho"
                )
            if known[row["number"] - 1].sha256 != row["sha256"]:
                raise StoreMismatch(f"migration {row['number']} was applied with another text than this Kho has")
        for step in known[len(rows) : until]:
            async with connection.transaction():
                await connection.execute(step.sql)
                await connection.execute(
                    "INSERT INTO public.kho_migration (number, name, sha256) VALUES ($1, $2, $3)",
                    step.number,
                    step.name,
                    step.sha256,
                )
            applied_now.append(step.number)
    finally:
        await connection.execute("SELECT pg_advisory_unlock($1)", _LOCK)
    return tuple(applied_now)
