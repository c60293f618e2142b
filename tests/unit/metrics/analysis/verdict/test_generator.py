"""Reasons that lie in the generator: pauses, lateness, arrivals that it did not start."""

from __future__ import annotations

import pytest

from metrics.analysis.totals import merge
from metrics.analysis.verdict.generator import start_error_ns
from metrics.analysis.verdict.judge import judge
from metrics.ingest.batch import parse
from tests.support.ledgers import encoded
from tests.unit.metrics.analysis.verdict.made import CALM, GOOD, codes, verdict
from tests.unit.metrics.made import MS, aggregate, batch, generator, head, tail, turn

SECOND_ENGINE = b"".join(map(encoded, [head() | {"late_ns": 0, "clock_error_ns": 0}, tail(0)]))


@pytest.mark.parametrize(
    ("lag_us", "stalled"),
    [([1_900_000], True), ([200_000] * 3, True), ([450_000], False), ([90_000] * 9, False), ([400_000, 5_000], False)],
    ids=["stopped for 2 s", "0.6 of 9 s in pieces", "once for half a second", "busy", "a moment"],
)
def test_an_engine_that_stands_still_is_named_and_a_busy_one_is_not(lag_us: list[int], stalled: bool) -> None:
    calm = [generator(0, 0, lag=[100] * 2000)]  # so that p99 of the lag says nothing of it
    found = verdict(*GOOD, *calm, generator(6, 1200, lag=lag_us))
    assert codes(found) == (["engine_stalled"] if stalled else [])


def test_an_engine_without_any_time_of_its_own_stood_still_for_no_share_of_it() -> None:
    """It was suspended within its first sample, and died: no later line says how long it lasted."""
    lines = [head(), generator(0, 0, lag=[1_900_000]), *GOOD]
    [remark] = [reason for reason in judge(aggregate(*lines)).reasons if reason.code == "engine_stalled"]
    assert "for up to 1.9 s at once, and one for 0.0% of its time" in remark.text


def test_one_engine_of_many_that_stands_still_is_enough() -> None:
    calm = b"".join(map(encoded, [head(), generator(0, 0, lag=[100] * 2000), tail(0)]))
    still = [head(), generator(0, 0), *GOOD, generator(6, 1200, lag=[200_000] * 3), tail(100)]
    others = [window for shard in range(2, 6) for window in parse(calm, 1, shard).windows.values()]
    assert codes(judge(merge([*batch(*still).windows.values(), *others]))) == ["engine_stalled"]


@pytest.mark.parametrize(("sessions", "trusted"), [(998, False), (999, True)])
def test_an_arrival_in_a_thousand_may_be_late_for_the_end(sessions: int, trusted: bool) -> None:
    opened = [{"k": "open", "id": n, "user": 1, "scenario": "talk", "at": MS} for n in range(sessions)]
    found = verdict(*opened, *GOOD, generator(6, 1200, dropped=1))
    assert found.trusted is trusted
    assert ("few_dropped" in [note.code for note in found.notes]) is trusted


def test_without_kernel_time_stamps_a_lagging_loop_counts_sooner() -> None:
    lines = [*CALM, *GOOD, generator(6, 1200, lag=[20_000]), tail(100)]
    assert judge(aggregate(head("kernel"), *lines)).trusted
    found = judge(aggregate(head("user"), *lines))
    assert codes(found) == ["loop_lag"]
    assert [note.code for note in found.notes] == ["user_timestamps"]


@pytest.mark.parametrize(("late_ms", "error_ms", "noted"), [(0, 49, []), (30, 21, ["start_apart"])])
def test_engines_that_may_have_begun_apart_are_noted(late_ms: int, error_ms: int, noted: list[str]) -> None:
    began = head() | {"late_ns": late_ms * MS, "clock_error_ns": error_ms * MS}
    lines = [began, *(turn(n) for n in range(200)), tail(200)]
    found = merge([*batch(*lines).windows.values(), *parse(SECOND_ENGINE, 1, 2).windows.values()])
    assert start_error_ns(found) == (late_ms + error_ms) * MS
    assert [note.code for note in judge(found).notes] == noted
    assert start_error_ns(aggregate(head(), turn())) is None
