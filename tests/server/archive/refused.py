"""Expecting refusals by name."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from kho_server.archive.refusals import Reason, Refusal


@contextmanager
def refused(reason: Reason, **facts: str | int) -> Iterator[None]:
    """Expect a refusal with this reason and at least these facts."""
    with pytest.raises(Refusal) as caught:
        yield
    assert caught.value.reason is reason, caught.value
    assert {name: caught.value.facts.get(name) for name in facts} == {name: str(fact) for name, fact in facts.items()}
