"""What happened to stored bytes, as events."""

from datetime import datetime

from kho_storage.catalog.database import Database
from kho_storage.catalog.ledger import NewEvent, record
from kho_storage.digest import Digest
from kho_storage.records.registry import Actor


class PostgresFixity:
    """Records damage; nothing is projected from it."""

    def __init__(self, database: Database) -> None:
        """Work on an opened database."""
        self._database = database

    async def damaged(self, digest: Digest, is_repaired: bool, at: datetime) -> None:
        """Record that the bytes of a blob were found damaged, and whether they are right again."""
        payload = {"sha256": digest.sha256, "size_bytes": digest.size_bytes}
        kind = "blob_repaired" if is_repaired else "blob_damaged"
        async with self._database.transaction() as connection:
            await record(connection, NewEvent("blob", digest.sha256, kind, Actor(None, None), at, payload))
