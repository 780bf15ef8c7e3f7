"""What all projections hold, to compare before and after a rebuild."""

from typing import Any

from kho_storage.catalog.database import Database
from kho_storage.catalog.ledger import PROJECTIONS, rebuild


async def dump(database: Database) -> dict[str, list[Any]]:
    """Return the rows of every projection, each as JSON, in one order."""
    found = {}
    for table in PROJECTIONS:
        rows = await database.fetch(f"SELECT to_jsonb(t) AS row FROM {table} AS t ORDER BY to_jsonb(t)::text")
        found[table] = [row["row"] for row in rows]
    return found


async def assert_rebuild_changes_nothing(database: Database) -> None:
    """Rebuild all projections from the events and find them equal."""
    before = await dump(database)
    events = await rebuild(database)
    row = await database.fetch_one("SELECT count(*) FROM kho.event")
    assert row is not None
    assert events == row[0]
    assert await dump(database) == before
