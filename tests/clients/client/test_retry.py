"""The retry rule, with time handed in."""

import pytest

from kho_client.errors import KhoError, Text
from kho_client.retry import Patience, Retry, Surroundings


class Time:
    """A clock that sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []

    async def sleep(self, seconds: float) -> None:
        self.waits.append(seconds)
        self.now += seconds

    def surroundings(self, chance: float = 1.0) -> Surroundings:
        return Surroundings(clock=lambda: self.now, sleep=self.sleep, chance=lambda: chance)


def broken(*, retryable: bool = True, retry_after_s: float | None = None) -> KhoError:
    return KhoError("UNAVAILABLE", None, Text("a", "b"), retryable=retryable, retry_after_s=retry_after_s)


async def wait_on_and_on(retry: Retry, error: KhoError) -> None:
    while True:
        await retry.wait_after(error)


PATIENCE = Patience(first_contact_s=20, without_progress_s=100, first_wait_s=1, longest_wait_s=8)


async def test_waits_double_up_to_a_limit() -> None:
    time = Time()
    retry = Retry(PATIENCE, time.surroundings())
    for _ in range(4):
        await retry.wait_after(broken())
    assert time.waits == [1, 2, 4, 8]


async def test_chance_takes_away_half_at_most() -> None:
    time = Time()
    retry = Retry(PATIENCE, time.surroundings(chance=0.0))
    await retry.wait_after(broken())
    assert time.waits == [0.5]


async def test_progress_starts_the_back_off_afresh() -> None:
    time = Time()
    retry = Retry(PATIENCE, time.surroundings())
    for _ in range(3):
        await retry.wait_after(broken())
    retry.progress()
    await retry.wait_after(broken())
    assert time.waits == [1, 2, 4, 1]


async def test_patience_ends_sooner_before_the_first_contact() -> None:
    time = Time()
    retry = Retry(PATIENCE, time.surroundings())
    error = broken()
    with pytest.raises(KhoError) as caught:
        await wait_on_and_on(retry, error)
    assert caught.value is error
    assert time.now <= 20
    retry.progress()
    began_at = time.now
    with pytest.raises(KhoError):
        await wait_on_and_on(retry, error)
    assert 80 < time.now - began_at <= 100


async def test_the_server_says_how_long_to_wait() -> None:
    time = Time()
    retry = Retry(PATIENCE, time.surroundings())
    await retry.wait_after(broken(retry_after_s=7))
    assert time.waits == [7]


async def test_a_refusal_is_final() -> None:
    retry = Retry(PATIENCE, Time().surroundings())
    with pytest.raises(KhoError):
        await retry.wait_after(broken(retryable=False))
    assert retry.attempts == 1
