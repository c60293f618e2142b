from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta

import pytest
from django.db import transaction

from runs.dbclock import ClockOffset, DbNow, epoch_ns, measure_offset, now
from runs.models import Run
from tests.support.runs import a_run

pytestmark = pytest.mark.usefixtures("any_database")


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


@pytest.mark.parametrize("offset_s", [-3600.0, -0.25, 0.0, 1.5, 86400.0])
def test_an_offset_moves_it_and_comparing_in_the_database_agrees(offset_s: float) -> None:
    run = a_run()
    Run.objects.filter(pk=run.pk).update(start_at=DbNow(offset_s))
    run.refresh_from_db()
    assert run.start_at is not None
    assert abs((run.start_at - now()).total_seconds() - offset_s) < 1
    assert Run.objects.filter(pk=run.pk, start_at__lt=DbNow(offset_s + 2)).exists()
    assert not Run.objects.filter(pk=run.pk, start_at__lt=DbNow(offset_s - 2)).exists()


def test_a_time_written_by_django_compares_with_the_databases_own() -> None:
    run = a_run()
    for delta, before in ((timedelta(seconds=-2), True), (timedelta(seconds=2), False)):
        Run.objects.filter(pk=run.pk).update(start_at=now().replace(microsecond=0) + delta)
        assert Run.objects.filter(pk=run.pk, start_at__lt=DbNow()).exists() is before


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
