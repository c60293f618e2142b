"""Pauses double up to the longest, and however many failures there were, there is a pause."""

from __future__ import annotations

import pytest
from tenacity import Retrying, stop_after_attempt

from runs.backoff import Backoff


def test_pauses_double_up_to_the_longest() -> None:
    assert [Backoff(0.5, 10.0).pause_s(failures) for failures in range(1, 8)] == [0.5, 1, 2, 4, 8, 10, 10]


def test_a_user_whose_target_is_away_for_hours_still_pauses() -> None:
    """2.0 ** 1024 is an OverflowError."""
    assert Backoff(0.05, 1.0).pause_s(100_000) == 1.0


def test_tenacity_waits_as_long() -> None:
    slept: list[float] = []
    retrying = Retrying(wait=Backoff(1.0, 3.0), stop=stop_after_attempt(5), sleep=slept.append, reraise=True)
    with pytest.raises(ZeroDivisionError):
        retrying(lambda: 1 / 0)
    assert slept == [1, 2, 3, 3]
