"""Work that has piled up, as those who watch see it."""

from dataclasses import dataclass
from datetime import datetime

from kho_storage.catalog.database import Database
from kho_storage.catalog.statements import statements


@dataclass(frozen=True, slots=True)
class VerificationBacklog:
    """Versions without any verdict, when the first of them was sealed, and versions that wait for evidence."""

    unjudged: int
    oldest_at: datetime | None
    undecided: int

    def age_s(self, now: datetime) -> float:
        """Seconds since the first version without a verdict was sealed; 0 when there is none."""
        return max(0.0, (now - self.oldest_at).total_seconds()) if self.oldest_at else 0.0


async def verification_backlog(database: Database) -> VerificationBacklog:
    """Ask what waits for a verdict. CatalogUnavailable: the database does not answer."""
    row = await database.fetch_one(statements("backlog")["verification_backlog"])
    assert row is not None
    return VerificationBacklog(row["unjudged"], row["oldest_at"], row["undecided"])
