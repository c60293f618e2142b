"""500 arrivals a second from two engines: together they send the plan. How punctually is a matter of the machine:
`python -m tests.bench.arrivals` measures that with goals."""

from __future__ import annotations

import numpy as np
import pytest

from metrics.models import SessionMetric
from runs.load.arrivals import arrivals
from runs.load.profile import OpenLoad
from runs.models import Session
from runs.supervisor.local import run_local
from tests.integration.runs.conftest import Counting
from tests.support.runs import a_run, target

RATE = 500.0


@pytest.mark.django_db(transaction=True)
def test_two_engines_send_the_plan_of_a_poisson_process(counting: Counting) -> None:
    load = OpenLoad(rate_per_s=RATE, arrivals="poisson", duration_s=3)
    spec = target(counting.url, overrides={"request": {"headers": {"x-turn": "{{ session.id }}/{{ turn }}"}}})
    run = a_run(2, load, target=spec, seed=4)
    run_local(run)
    turns = SessionMetric.objects.filter(run=run).values_list("planned_ns", "sent_ns")
    planned, sent = np.array(sorted(turns), dtype=np.int64).T
    plan = np.array(list(arrivals(load, 4)))
    assert len(counting.received()) == len(planned)
    # On a busy machine the end may come between an arrival and its request: it is dropped, or cut, and counted.
    missed = np.setdiff1d(plan, planned)
    assert len(planned) + len(missed) == len(plan)
    assert all(missed > 2.5e9)
    assert run.report is not None
    assert run.report["dropped_arrivals"] + Session.objects.filter(run=run, turns=0).count() == len(missed)
    lag_ms = (sent - planned) / 1e6
    assert lag_ms.min() >= 0
    # What the load asks for, the target sees, save for what a busy machine adds.
    assert np.median(lag_ms) < 20
    assert np.diff(np.sort(sent)).mean() * RATE / 1e9 == pytest.approx(np.diff(plan).mean() * RATE / 1e9, rel=0.05)


@pytest.mark.django_db(transaction=True)
def test_what_is_begun_early_connects_and_sends_at_its_time(counting: Counting) -> None:
    overrides = {"request": {"headers": {"x-turn": "{{ session.id }}/{{ turn }}"}}, "reuse_connections": False}
    run = a_run(1, OpenLoad(rate_per_s=100, conversations=200), target=target(counting.url, overrides=overrides))
    run_local(run)
    turns = SessionMetric.objects.filter(run=run)
    assert len(turns) == 200
    for turn in turns:
        assert turn.sent_ns is not None
        assert turn.handshake is not None
        assert turn.sent_ns - turn.handshake["connect"] >= turn.planned_ns
