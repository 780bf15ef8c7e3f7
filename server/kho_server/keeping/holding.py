"""Holding back what came from a backup, and letting it go when people have gone through what is unknown.

What can be known: everything up to a position, each event against its commitment. What cannot: anything after it. A
fresh judgement finds a signature that fails today; it cannot find a recall, or a caller or grant that was revoked. So a
person decides, by `kho confirm`, and the fresh judgement comes after that.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from kho_server.keeping.reach import reach
from kho_storage.catalog.database import Database
from kho_storage.catalog.ledger import NewEvent, record_between
from kho_storage.catalog.statements import statements
from kho_storage.records.registry import Actor

_THE_SERVER = Actor(None, None)
_HELD = "RESTORED_UNCONFIRMED"
JUDGED_PER_S = 20.0
"""Judgements a second that a confirmed restore asks for: two workers do more, so new documents keep their turn."""


@dataclass(frozen=True, slots=True)
class Confirmation:
    """How many documents were let go; those with signed files are judged afresh."""

    released: int
    to_judge: int


async def hold_all(database: Database, payload: Mapping[str, Any], at: datetime) -> tuple[int, int]:
    """Hold every document that is not refused; return the last position before that, and how many are held."""
    sql = statements("keeping")
    async with database.transaction() as connection:
        event = NewEvent("store", "store", "store_restored", _THE_SERVER, at, dict(payload))
        await record_between(connection, event)
        position = await connection.fetchval(sql["last_position"]) - 1
        held = {row["state"]: row["number"] for row in await connection.fetch(sql["states"])}.get(_HELD, 0)
    return position, held


async def confirm(database: Database, reason: str, at: datetime) -> Confirmation:
    """Let all go that is held: the server may run. Nothing is in force before it was judged afresh."""
    sql = statements("keeping")
    async with database.transaction() as connection:
        held = {row["state"]: row["number"] for row in await connection.fetch(sql["states"])}.get(_HELD, 0)
        if held == 0:
            return Confirmation(0, 0)
        before = await connection.fetchval(sql["tasks"])
        payload = {"judged_per_s": JUDGED_PER_S}
        await record_between(
            connection, NewEvent("store", "store", "restore_confirmed", _THE_SERVER, at, payload, reason)
        )
        return Confirmation(held, await connection.fetchval(sql["tasks"]) - before)


async def confirm_store(
    data: Path, reason: str, at: datetime, *, environment: Mapping[str, str] = os.environ
) -> Confirmation:
    """Let all go that is held in the store of a data folder, whether its server runs or not."""
    async with reach(data, environment) as store:
        return await confirm(store.database, reason, at)
