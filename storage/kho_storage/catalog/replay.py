"""All events applied again, inside PostgreSQL: into scratch tables to compare, or into the projections themselves.

The statements of `projections_*.sql` become functions that live as long as the session, so that a hundred thousand
events cost no round trips.
"""

import re
from dataclasses import dataclass

from kho_storage.catalog.database import Connection
from kho_storage.catalog.ledger import PROJECTIONS, projection_statements
from kho_storage.catalog.statements import statements

_SCHEMA = re.compile(r"\bkho\.(?=[a-z])")
_SHOWN = 20
# Also written by projections, but not only by them: tasks are postponed and taken without an event.
_BESIDE = "kho.verification_task"


@dataclass(frozen=True, slots=True)
class Difference:
    """Rows of a projection that the events do not explain, or that they ask for and that are not there."""

    table: str
    only_there: int
    only_from_events: int
    keys: tuple[str, ...]


async def replay(connection: Connection) -> int:
    """Empty the projections and apply all events again; returns how many. The caller holds the transaction.

    Operational tables stay as they are, but for tasks of the verifier. Only while nobody is served.
    """
    await connection.execute(f"TRUNCATE {', '.join(PROJECTIONS)}, {_BESIDE}")
    return await _apply(connection, "kho")


async def differences(connection: Connection) -> list[Difference]:
    """Apply all events into scratch tables and compare; the caller holds a repeatable-read transaction and ends it.

    Needs room for a second copy of the projections in PostgreSQL's temporary space. Nobody else sees the scratch.
    """
    for table in (*PROJECTIONS, _BESIDE):
        await connection.execute(
            f"CREATE TEMP TABLE {table.removeprefix('kho.')} (LIKE {table} INCLUDING DEFAULTS INCLUDING INDEXES)"
            " ON COMMIT DROP"
        )
    await _apply(connection, "pg_temp")
    return [found for table in PROJECTIONS if (found := await _difference(connection, table)) is not None]


async def _apply(connection: Connection, schema: str) -> int:
    """Make the functions and let them go over all events. Statements take their argument as $1, as functions do."""
    branches = []
    for kind, steps in projection_statements().items():
        body = ";\n".join(_SCHEMA.sub(f"{schema}.", step) for step in steps)
        await connection.execute(
            f"CREATE FUNCTION pg_temp.apply_{kind}(jsonb) RETURNS void LANGUAGE plpgsql AS $apply$\n"
            f"BEGIN\n{body};\nEND $apply$"
        )
        branches.append(f"WHEN '{kind}' THEN PERFORM pg_temp.apply_{kind}(happened.facts);")
    await connection.execute(
        "CREATE FUNCTION pg_temp.apply_all() RETURNS bigint LANGUAGE plpgsql AS $apply$\n"
        "DECLARE happened record; number bigint := 0;\n"
        f"BEGIN\nFOR happened IN {statements('ledger')['all_events']} LOOP\n"
        f"CASE happened.kind {' '.join(branches)} ELSE NULL; END CASE;\n"
        "number := number + 1;\nEND LOOP;\nRETURN number;\nEND $apply$"
    )
    number = await connection.fetchval("SELECT pg_temp.apply_all()", timeout=None)
    await connection.execute("DROP FUNCTION pg_temp.apply_all()")
    for kind in projection_statements():
        await connection.execute(f"DROP FUNCTION pg_temp.apply_{kind}(jsonb)")
    return int(number)


async def _difference(connection: Connection, table: str) -> Difference | None:
    scratch = f"pg_temp.{table.removeprefix('kho.')}"
    # Names of tables are ours; nothing a stranger said is in them.
    there = f"SELECT to_jsonb(t) AS row FROM {table} AS t"  # noqa: S608
    from_events = f"SELECT to_jsonb(t) AS row FROM {scratch} AS t"  # noqa: S608
    counts = []
    keys: list[str] = []
    for one, other in ((there, from_events), (from_events, there)):
        rows = await connection.fetch(
            f"SELECT row, count(*) OVER () AS number FROM ({one} EXCEPT ALL {other}) AS d ORDER BY row LIMIT {_SHOWN}",  # noqa: S608
            timeout=None,
        )
        counts.append(rows[0]["number"] if rows else 0)
        keys += [_key(row["row"]) for row in rows]
    if not any(counts):
        return None
    return Difference(table, counts[0], counts[1], tuple(dict.fromkeys(keys)))


def _key(row: dict[str, object]) -> str:
    """Return which row it is, without what it says: only ids."""
    names = [name for name in row if name.endswith(("_uuid", "_id")) and name not in ("owner_id", "officer_id")]
    return " ".join(f"{name}={row[name]}" for name in sorted(names)[:4])
