"""A target that stops for a second: an open loop says how long its users waited, a closed loop cannot."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from runs.load.profile import ClosedLoad, OpenLoad
from runs.models import Run
from runs.supervisor.local import run_local
from tests.bench.omission import MOCK, expected, halted
from tests.support.processes import Mock
from tests.support.runs import a_run, in_background, until

pytestmark = pytest.mark.django_db(transaction=True)
SECONDS, STOP_S, RATE = 5.0, 1.0, 60
HALT_AFTER_S = 2.5  # after the common start was agreed, which lies a second ahead


def halt_in_the_middle(run: Run, mock: Mock, stops_s: list[float]) -> None:
    until(lambda: Run.objects.filter(pk=run.pk, start_at__isnull=False).exists(), what="the common start")
    with halted(mock.child.pid, HALT_AFTER_S, STOP_S) as stopped_s:
        time.sleep(HALT_AFTER_S + STOP_S + 0.5)
    stops_s += stopped_s


PERCENTILE = 95
"""Of a closed loop's turns one meets the stop: one in 200, or in 40 where the machine is busy."""


def measured(run: Run, mock: Mock, metric: str) -> tuple[float, float]:
    """The metric, and what a user waited at that percentile of an open loop."""
    stops_s: list[float] = []
    halting = in_background(lambda: halt_in_the_middle(run, mock, stops_s))
    run_local(run)
    halting.join()
    assert run.report is not None
    assert run.report["turns"]["ok"] == run.report["turns"]["sent"] > 40
    [stopped_s] = stops_s
    return run.report["metrics"][metric]["p95"] or 0.0, expected(SECONDS, stopped_s, PERCENTILE)


def test_what_users_waited_is_in_e2e_planned_and_not_in_a_closed_loops_e2e(start_mock: Callable[..., Mock]) -> None:
    mock = start_mock(*MOCK)
    opened = a_run(load=OpenLoad(rate_per_s=RATE, duration_s=SECONDS), url=f"{mock.url}/v1")
    felt, should_be = measured(opened, mock, "e2e_planned_ms")
    closed = a_run(load=ClosedLoad(users=1, duration_s=SECONDS), url=f"{mock.url}/v1")
    seen, would_be = measured(closed, mock, "e2e_ms")
    assert felt == pytest.approx(should_be, rel=0.2)
    assert seen < would_be / 2
