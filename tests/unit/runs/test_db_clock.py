from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction
from hypothesis import given
from hypothesis import strategies as st

from runs.db_clock import DRIFT, ClockOffset, DbNow, Trip, epoch_ns, intersect, measure_offset, now
from runs.models import Run
from tests.support.runs import a_run

databases = pytest.mark.usefixtures("any_database")
MS = 1_000_000
delays = st.tuples(st.integers(0, 400 * MS), st.integers(0, 400 * MS), st.floats(-DRIFT, DRIFT))


@databases
def test_the_clock_goes_on_inside_a_transaction() -> None:
    with transaction.atomic():
        first = now()
        while now() == first:  # 1 ms on SQLite: seen at once, or the test's own timeout ends this
            pass
        run = a_run()
        Run.objects.filter(pk=run.pk).update(start_at=DbNow())
        run.refresh_from_db()
        assert run.start_at is not None
        assert run.start_at > first


@databases
@pytest.mark.parametrize("offset_s", [-3600.0, -0.25, 0.0, 1.5, 86400.0])
def test_an_offset_moves_it_and_comparing_in_the_database_agrees(offset_s: float) -> None:
    run = a_run()
    Run.objects.filter(pk=run.pk).update(start_at=DbNow(offset_s))
    run.refresh_from_db()
    assert run.start_at is not None
    assert abs((run.start_at - now()).total_seconds() - offset_s) < 1
    assert Run.objects.filter(pk=run.pk, start_at__lt=DbNow(offset_s + 2)).exists()
    assert not Run.objects.filter(pk=run.pk, start_at__lt=DbNow(offset_s - 2)).exists()


@databases
def test_a_time_written_by_django_compares_with_the_databases_own() -> None:
    run = a_run()
    for delta, before in ((timedelta(seconds=-2), True), (timedelta(seconds=2), False)):
        Run.objects.filter(pk=run.pk).update(start_at=now().replace(microsecond=0) + delta)
        assert Run.objects.filter(pk=run.pk, start_at__lt=DbNow()).exists() is before


@databases
def test_a_moment_of_the_database_is_found_on_the_monotonic_clock() -> None:
    offset = measure_offset()
    moment = now() + timedelta(seconds=1)
    ahead_s = (offset.to_mono_ns(moment) - time.monotonic_ns()) / 1e9
    assert 0.5 < ahead_s <= 1.01
    assert 0 <= offset.error_ns < 50_000_000


def test_microseconds_are_not_lost_on_the_way() -> None:
    moment = datetime(2026, 11, 21, 1, 2, 3, 456789, tzinfo=UTC)
    assert epoch_ns(moment) == 1_795_222_923_456_789_000
    assert ClockOffset(1000, 0).to_mono_ns(moment) == epoch_ns(moment) - 1000


@given(st.integers(-(10**18), 10**18), st.lists(delays, min_size=1, max_size=12), st.integers(0, 10_000 * MS))
def test_the_truth_lies_within_the_bound_whatever_the_delays(
    offset: int, trips: list[tuple[int, int, float]], pause: int
) -> None:
    """Delays there and back of up to 400 ms each, and a clock that drifts: the bound holds at the newest trip."""
    made, mono = [], 10**12
    for there, back, drift in trips:
        read_at = mono + there
        made.append(Trip(mono, read_at + offset, read_at + back))
        mono = read_at + back + pause
        offset += int(pause * drift * 0.9)
    found = intersect(made)
    offset = made[-1].moment - (made[-1].before + trips[-1][0])
    assert abs(found.offset_ns - offset) <= found.error_ns + 1
    assert found.error_ns <= min(there + back for there, back, _ in trips[-1:]) // 2 + 1


def test_slow_trips_that_are_slow_in_different_ways_narrow_it_down() -> None:
    slow_there = Trip(0, 80 * MS + 5, 80 * MS)
    slow_back = Trip(80 * MS, 80 * MS + 5, 160 * MS)
    found = intersect([slow_there, slow_back])
    assert abs(found.offset_ns - 5) <= found.error_ns < MS


def test_a_clock_that_was_set_leaves_only_what_came_after() -> None:
    before = [Trip(n * MS, n * MS + 500, n * MS + 1000) for n in range(10)]
    step = 120_000 * MS
    after = [Trip(n * MS, n * MS + 500 + step, n * MS + 1000) for n in range(10, 12)]
    found = intersect([*before, *after])
    assert abs(found.offset_ns - step) <= found.error_ns <= 1000
