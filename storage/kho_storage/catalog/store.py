"""The one row that ties a database to a data folder."""

import secrets
from dataclasses import dataclass, field
from datetime import datetime
from uuid import UUID

from kho_storage.catalog.database import Database
from kho_storage.catalog.statements import statements
from kho_storage.errors import StoreMismatch

_ACCESS_KEY_BYTES = 32


@dataclass(frozen=True, slots=True)
class StoreRow:
    """Whose database this is; `access_key` keys the hashes of what was asked and never shows in `repr`."""

    store_id: UUID
    repository_id: str
    access_key: bytes = field(repr=False)


async def find_store(database: Database) -> StoreRow | None:
    """Return whose database this is, None while it is nobody's."""
    row = await database.fetch_one(statements("store")["find_store"])
    return StoreRow(row["store_id"], row["repository_id"], row["access_key"]) if row else None


async def claim_store(
    database: Database, store_id: UUID, repository_id: str, at: datetime, *, folder_holds_documents: bool
) -> StoreRow:
    """Check that the database belongs to a data folder, or tie an empty one to it.

    StoreMismatch: it belongs to another folder or repository, or it is empty while the folder holds documents: then
    the database was lost, and going on would take every stored manifest for an unfinished one.
    """
    found = await find_store(database)
    if found is None:
        if folder_holds_documents:
            raise StoreMismatch(
                "the database is empty, but the data folder holds documents: restore the database from its backup, "
                "or check that the database URL names the right one"
            )
        key = secrets.token_bytes(_ACCESS_KEY_BYTES)
        await database.execute(statements("store")["claim_store"], store_id, repository_id, key, at)
        found = await find_store(database)
        assert found is not None
    if found.store_id != store_id:
        raise StoreMismatch(
            f"the database belongs to store {found.store_id}, the data folder is store {store_id}: "
            "name the database and the data folder that belong together"
        )
    if found.repository_id != repository_id:
        raise StoreMismatch(
            f"the database belongs to repository {found.repository_id}, not {repository_id}; "
            "name the right repository or another database"
        )
    return found
