"""The book of steps: what ran how long, and which step is to blame."""

import asyncio

import pytest

from kho_client.errors import Text, local_problem
from ops.demo.steps import Expected, Row, Step, StepBook, StepFailed, expect, first_failure


class Clock:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def ended() -> list[Row]:
    return []


@pytest.fixture
def book(clock: Clock, ended: list[Row]) -> StepBook:
    return StepBook(clock=clock, on_end=ended.append)


def test_time_counts_once_where_parts_overlap_and_not_between_them(book: StepBook, clock: Clock) -> None:
    with book.run(Step.SCAN) as row:
        clock.now += 2
        with book.run(Step.SCAN):
            clock.now += 3
    clock.now += 10
    with book.run(Step.SCAN):
        clock.now += 1
    assert row.seconds == 6
    assert book.seconds == 16


def test_counts_add_up_and_bytes_stay_unknown_until_there_are_some(book: StepBook) -> None:
    row = book.rows[Step.STORE]
    row.add(2)
    assert row.size_bytes is None
    row.add(1, 500)
    row.add(1, 20)
    assert row == Row(Step.STORE, count=4, size_bytes=520)


def test_a_step_is_done_when_its_outcome_is_said(book: StepBook, ended: list[Row]) -> None:
    with book.run(Step.START):
        assert not [row for row in book.rows.values() if row.is_done]
    book.finish(Step.START, "xong", "done")
    assert [row.step for row in book.rows.values() if row.is_done] == [Step.START]
    assert ended == [book.rows[Step.START]]


def test_an_error_carries_the_name_of_its_step(book: StepBook, ended: list[Row]) -> None:
    problem = local_problem("FILE_CHANGED", Text("Tệp đã đổi.", "The file changed."))
    with pytest.raises(StepFailed) as caught, book.run(Step.SCAN):
        raise problem
    assert caught.value.step is Step.SCAN
    assert caught.value.reasons() == ("Tệp đã đổi.", "The file changed. [FILE_CHANGED]")
    assert [row.is_failed for row in ended] == [True]


def test_the_innermost_step_is_to_blame(book: StepBook) -> None:
    with pytest.raises(StepFailed) as caught, book.run(Step.STORE), book.run(Step.SIGN_AGENCY):
        expect(False, "the key is gone")
    assert caught.value.step is Step.SIGN_AGENCY
    assert caught.value.reasons() == ("the key is gone",)
    assert not book.rows[Step.STORE].is_failed


async def test_what_fails_among_others_is_found(book: StepBook) -> None:
    async def waits() -> None:
        await asyncio.Event().wait()

    async def fails() -> None:
        raise Expected("no")

    async def together() -> None:
        with book.run(Step.REUSE):
            async with asyncio.TaskGroup() as group:
                group.create_task(waits())
                group.create_task(fails())

    with pytest.raises(StepFailed) as caught:
        await together()
    assert caught.value.step is Step.REUSE
    assert isinstance(caught.value.cause, Expected)


def test_an_interruption_is_nobodys_failure(book: StepBook, ended: list[Row]) -> None:
    with pytest.raises(KeyboardInterrupt), book.run(Step.SCAN):
        raise KeyboardInterrupt
    assert not ended
    assert first_failure(BaseExceptionGroup("stop", [KeyboardInterrupt()])) is None


def test_names_are_there_in_both_languages() -> None:
    assert len({step.vi for step in Step} | {step.en for step in Step}) == 2 * len(Step)
