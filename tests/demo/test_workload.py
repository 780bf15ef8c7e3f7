"""The papers of the demo: numbers that issue and law ask for, however many sheets there are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ops.demo.workload import FEWEST_SHEETS, MOST_SHEETS_IN_ALL, Desk, Trial, workload


def test_two_desks_have_at_least_twelve_papers_of_1_to_40_sheets() -> None:
    tasks = workload()
    assert len(tasks) >= 12
    assert {task.desk for task in tasks} == set(Desk)
    assert (min(task.sheets for task in tasks), max(task.sheets for task in tasks)) == (1, 40)
    assert sum(task.sheets for task in tasks) == 150


@given(st.integers(FEWEST_SHEETS, MOST_SHEETS_IN_ALL))
def test_any_number_of_sheets_is_shared_out(sheets: int) -> None:
    tasks = workload(sheets)
    assert sum(task.sheets for task in tasks) == sheets
    assert all(1 <= task.sheets <= 40 for task in tasks)


@pytest.mark.parametrize("papers_each", [4, 5, 7])
def test_every_trial_happens_once_and_has_the_pages_it_needs(papers_each: int) -> None:
    tried = {task.trial: task for task in workload(40, papers_each) if task.trial}
    assert set(tried) == set(Trial)
    assert tried[Trial.LINK_IS_CUT].sheets >= 4
    assert tried[Trial.SERVER_IS_KILLED].sheets >= 4
    assert tried[Trial.AGENCY_SIGNS_LATER].sheets >= 2


@pytest.mark.parametrize("sheets", [0, FEWEST_SHEETS - 1, MOST_SHEETS_IN_ALL + 1])
def test_numbers_that_cannot_be_are_refused(sheets: int) -> None:
    with pytest.raises(ValueError):
        workload(sheets)
