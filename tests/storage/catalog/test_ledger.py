"""The ledger: append-only, committed to, and the only writer of projections."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import asyncpg
import pytest
from hypothesis import given
from hypothesis import strategies as st

from kho_storage.catalog.database import Database, Row
from kho_storage.catalog.ledger import NewEvent, canonical, commitment, record
from kho_storage.errors import Conflict
from kho_storage.records.registry import Actor

_NOW = datetime(2026, 11, 21, 3, 0, tzinfo=UTC)


def event(payload: dict[str, Any]) -> NewEvent:
    """Return an event that projects nothing."""
    return NewEvent("paper", "1", "paper_folded", Actor(None, "officer-a"), _NOW, payload, "vì sao")


async def written(catalog: Database, new: NewEvent) -> Row:
    """Write an event and read it back."""
    async with catalog.transaction() as connection:
        await record(connection, new)
    row = await catalog.fetch_one(
        "SELECT e.commitment, e.position, p.salt, p.payload FROM kho.event AS e"
        " JOIN kho.event_payload AS p USING (event_id) WHERE event_id = $1",
        new.event_id,
    )
    assert row is not None
    return row


async def test_the_commitment_verifies_against_salt_and_payload(catalog: Database) -> None:
    row = await written(catalog, event({"tên": "Nguyễn Thị Ánh", "số": 7, "trống": None}))
    assert commitment(row["salt"], row["payload"]) == row["commitment"]
    assert commitment(row["salt"], {**row["payload"], "số": 8}) != row["commitment"]


async def test_equal_payloads_have_unequal_commitments(catalog: Database) -> None:
    one, other = await written(catalog, event({"a": 1})), await written(catalog, event({"a": 1}))
    assert one["salt"] != other["salt"]
    assert one["commitment"] != other["commitment"]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abcđ", max_size=4), inner, max_size=3),
    max_leaves=10,
)


@given(st.dictionaries(st.text("abcđ", max_size=4), _JSON, max_size=5))
def test_the_canonical_spelling_does_not_depend_on_order(payload: dict[str, Any]) -> None:
    assert canonical(dict(reversed(payload.items()))) == canonical(payload)


async def test_an_event_is_never_changed_nor_deleted(catalog: Database) -> None:
    new = event({"a": 1})
    await written(catalog, new)
    for change in (
        "UPDATE kho.event SET reason = 'khác'",
        "UPDATE kho.event SET at = at + interval '1 second'",
        "UPDATE kho.event SET principal_id = gen_random_uuid()",
        "UPDATE kho.event SET officer_id = NULL",
        "UPDATE kho.event SET commitment = sha256('x')",
        "UPDATE kho.event SET position = 1, kind = 'paper_torn'",
        "DELETE FROM kho.event",
    ):
        with pytest.raises(Conflict) as refused:
            await catalog.execute(change)
        assert refused.value.constraint == "event_is_append_only"


async def test_a_position_is_given_once(catalog: Database) -> None:
    await written(catalog, event({}))
    await catalog.execute("UPDATE kho.event SET position = 1")
    with pytest.raises(Conflict):
        await catalog.execute("UPDATE kho.event SET position = 2")
    with pytest.raises(Conflict):
        await catalog.execute("UPDATE kho.event SET position = NULL")


async def test_a_payload_can_be_erased_and_the_commitment_stays(catalog: Database) -> None:
    new = event({"a": 1})
    await written(catalog, new)
    await catalog.execute("DELETE FROM kho.event_payload")
    row = await catalog.fetch_one("SELECT commitment FROM kho.event WHERE event_id = $1", new.event_id)
    assert row is not None
    assert len(row["commitment"]) == 32


async def test_a_refused_projection_leaves_no_event(catalog: Database) -> None:
    payload = {
        "agency_uuid": str(UUID(int=1)),
        "officer_id": "o",
        "display_name": "n",
        "valid_from": None,
        "valid_to": None,
    }
    with pytest.raises(Conflict) as refused:
        async with catalog.transaction() as connection:
            await record(connection, NewEvent("officer", "1/o", "officer_registered", Actor(None, None), _NOW, payload))
    assert refused.value.constraint == "agency_unknown"
    assert await catalog.fetch("SELECT event_id FROM kho.event") == []


async def test_a_salt_is_not_optional(catalog: Database) -> None:
    new = event({})
    await written(catalog, new)
    with pytest.raises(Conflict):
        await catalog.execute("UPDATE kho.event_payload SET salt = ''")
    async with catalog.connection() as connection:
        with pytest.raises(asyncpg.NotNullViolationError):
            await connection.execute("UPDATE kho.event_payload SET salt = NULL")
