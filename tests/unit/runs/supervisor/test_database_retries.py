"""The end of a shard is stored once the database answers, within ten minutes."""

from __future__ import annotations

import logging
from types import SimpleNamespace

import pytest
from django.db import OperationalError

from runs.completion.ingest import LeaseLostError
from runs.supervisor import database_retries
from runs.supervisor.database_retries import DatabaseRetries, retry_until_stored


class Clock:
    """A clock on which only sleeping takes time."""

    def __init__(self) -> None:
        self.now_s = 1000.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now_s

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now_s += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    for module in ("tenacity", "tenacity.nap", "runs.supervisor.database_retries"):
        monkeypatch.setattr(f"{module}.time", clock)
    return clock


@pytest.fixture
def closed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """One for each time that the connection was closed."""
    closed: list[int] = []
    monkeypatch.setattr(database_retries, "connection", SimpleNamespace(close=lambda: closed.append(1)))
    return closed


class Work:
    """Fails with the given errors, one a call, then succeeds."""

    def __init__(self, *errors: Exception) -> None:
        self.errors = list(errors)
        self.calls = 0

    def __call__(self) -> None:
        self.calls += 1
        if self.errors:
            raise self.errors.pop(0)


def test_the_end_is_stored_once_over_a_new_connection_when_the_database_is_back(
    clock: Clock, closed: list[int]
) -> None:
    work = Work(*(OperationalError("away") for _ in range(4)))
    retry_until_stored(7, work)
    assert (work.calls, clock.slept, len(closed)) == (5, [1, 2, 2, 2], 4)


def test_after_ten_minutes_it_is_the_reapers(clock: Clock, closed: list[int]) -> None:
    work = Work(*(OperationalError("away") for _ in range(1000)))
    with pytest.raises(OperationalError, match="away"):
        retry_until_stored(7, work)
    assert 600 <= sum(clock.slept) <= 602
    assert len(closed) == work.calls == len(clock.slept) + 1


def test_who_lost_the_lease_tries_no_more(clock: Clock, closed: list[int], caplog: pytest.LogCaptureFixture) -> None:
    work = Work(OperationalError("away"), LeaseLostError("another"), OperationalError("never reached"))
    with caplog.at_level(logging.WARNING):
        retry_until_stored(7, work)
    assert (work.calls, clock.slept) == (2, [1])
    assert "database_away: the end of shard 7 waits: away" in caplog.text
    assert "lease_lost: shard 7" in caplog.text


def test_other_errors_are_not_tried_again(clock: Clock, closed: list[int]) -> None:
    work = Work(ValueError("a bug"))
    with pytest.raises(ValueError, match="a bug"):
        retry_until_stored(7, work)
    assert (work.calls, clock.slept, closed) == (1, [], [])


def test_checks_are_spaced_and_the_outage_is_timed_until_the_database_answers(clock: Clock, closed: list[int]) -> None:
    retries = DatabaseRetries()
    assert [retries.failed() for _ in range(3)] == [1, 2, 2]
    clock.sleep(30.0)
    away_s = retries.away_s
    retries.answered()
    assert (away_s, retries.away_s, len(closed)) == (30.0, None, 3)
    assert retries.failed() == 1
