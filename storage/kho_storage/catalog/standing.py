"""Which registrations of callers have ended."""

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID

from kho_storage.catalog.database import Database
from kho_storage.catalog.statements import statements


class PostgresStanding:
    """Answers for many principals with one statement, so that it can be asked every few seconds."""

    def __init__(self, database: Database) -> None:
        """Take an opened database."""
        self._database = database

    async def ended_among(self, principal_ids: Sequence[UUID], at: datetime) -> tuple[UUID, ...]:
        """Return those that may not call at an instant: revoked, ended, agency revoked or not registered; in order.

        CatalogUnavailable: nothing is known.
        """
        rows = await self._database.fetch(statements("standing")["ended_among"], list(principal_ids), at)
        return tuple(row["principal_id"] for row in rows)
