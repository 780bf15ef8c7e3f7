"""Reads that share a statement: fresh, bounded, and no one's failure but one's own."""

import asyncio
from collections.abc import Sequence

import pytest

from kho_storage.catalog.gathered import Gathered
from kho_storage.errors import CatalogUnavailable


class Statements:
    """Answers with the length of each key, in its own time; remembers what was asked together."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, ...]] = []
        self.may_go = asyncio.Event()
        self.failure: Exception | None = None

    async def __call__(self, keys: Sequence[str]) -> dict[str, int]:
        self.asked.append(tuple(keys))
        await self.may_go.wait()
        if self.failure is not None:
            raise self.failure
        if "bad" in keys:
            raise ValueError("bad")
        return {key: len(key) for key in keys if key}


async def test_those_who_ask_at_once_share_a_statement_and_equal_keys() -> None:
    statements = Statements()
    gathered = Gathered(statements)
    statements.may_go.set()
    found = await asyncio.gather(gathered.find(["a", "bb"]), gathered.find(["bb", ""]), gathered.find([]))
    assert statements.asked == [("a", "bb", "")]
    assert found[1] == {"a": 1, "bb": 2}


async def test_an_answer_is_never_older_than_its_question() -> None:
    statements = Statements()
    gathered = Gathered(statements, statements_together=1)
    first = asyncio.ensure_future(gathered.find(["a"]))
    while not statements.asked:
        await asyncio.sleep(0)
    later = asyncio.ensure_future(gathered.find(["a"]))
    await asyncio.sleep(0)
    statements.may_go.set()
    await asyncio.gather(first, later)
    assert statements.asked == [("a",), ("a",)]


async def test_a_statement_is_bounded_but_takes_whoever_asks_for_much_alone() -> None:
    statements = Statements()
    gathered = Gathered(statements, batch_keys=2, statements_together=1)
    statements.may_go.set()
    await asyncio.gather(*(gathered.find(keys) for keys in (["a"], ["b"], ["c", "d", "e"], ["f"])))
    assert statements.asked == [("a", "b"), ("c", "d", "e"), ("f",)]


async def test_a_bad_key_is_its_askers_own() -> None:
    statements = Statements()
    gathered = Gathered(statements)
    statements.may_go.set()
    good, bad = await asyncio.gather(gathered.find(["a"]), gathered.find(["bad"]), return_exceptions=True)
    assert good == {"a": 1}
    assert isinstance(bad, ValueError)


async def test_a_silent_database_is_told_to_everyone_who_waits() -> None:
    statements = Statements()
    statements.failure = CatalogUnavailable("away")
    gathered = Gathered(statements)
    statements.may_go.set()
    failed = await asyncio.gather(gathered.find(["a"]), gathered.find(["b"]), return_exceptions=True)
    assert [type(each) for each in failed] == [CatalogUnavailable, CatalogUnavailable]
    assert failed[0] is not failed[1]
    statements.failure = None
    assert await gathered.find(["a"]) == {"a": 1}


async def test_who_has_gone_is_not_asked_for() -> None:
    statements = Statements()
    gathered = Gathered(statements, statements_together=1)
    first = asyncio.ensure_future(gathered.find(["a"]))
    while not statements.asked:
        await asyncio.sleep(0)
    gone = asyncio.ensure_future(gathered.find(["b"]))
    await asyncio.sleep(0)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    statements.may_go.set()
    await first
    await gathered.find(["c"])
    assert statements.asked == [("a",), ("c",)]
