"""A load in stages, through a real engine against a target that counts for itself."""

from __future__ import annotations

import pytest

from metrics.storage.aggregate import aggregate_rows, aggregate_run
from runs.load.profile import ClosedLoad, OpenLoad, Stage, parse_load
from runs.models import RunStatus
from runs.supervisor.local import run_local
from tests.integration.runs.conftest import Counting, check_invariants

pytestmark = pytest.mark.django_db(transaction=True)


def test_users_come_and_go_with_the_level(counting: Counting) -> None:
    stages = (
        Stage(duration_s=2, to=20),
        Stage(duration_s=1, to=20),
        Stage(duration_s=0, to=4),
        Stage(duration_s=2, to=4),
    )
    run = counting.run(2, ClosedLoad(users=0, stages=stages))
    run_local(run)
    assert check_invariants(run, counting)["ok"] > 100
    assert run.status == RunStatus.COMPLETED
    active: dict[int, int] = {}
    for engine in aggregate_run(run.pk).engines.values():
        for sample in engine.samples.values():
            second = round(sample.at_ns / 1e9)
            active[second] = active.get(second, 0) + sample.active
    assert active[1] == pytest.approx(10, abs=3)
    assert active[3] == pytest.approx(20, abs=2) or active[2] == pytest.approx(20, abs=2)
    assert active[4] == pytest.approx(4, abs=1)


@pytest.mark.parametrize("processes", [1, 2])
def test_a_cap_holds_over_all_engines(counting: Counting, processes: int) -> None:
    run = counting.run(processes, ClosedLoad(users=20, duration_s=3, max_turns_per_s=100))
    run_local(run)
    check_invariants(run, counting)
    assert len(counting.received()) == pytest.approx(300, rel=0.05)
    times = run.turns.order_by("planned_ns").values_list("planned_ns", "sent_ns")
    turns = [(planned_ns, sent_ns) for planned_ns, sent_ns in times if planned_ns is not None and sent_ns is not None]
    planned = [planned_ns for planned_ns, _ in turns]
    # By plan: a machine that is busy for a moment bunches what is sent, and what the target notes.
    assert all(later - planned[at] >= 10**9 for at, later in enumerate(planned[100:]))
    assert all(sent_ns >= planned_ns for planned_ns, sent_ns in turns)


def test_an_open_loop_follows_its_ramp(counting: Counting) -> None:
    stages = (Stage(duration_s=2, to=100), Stage(duration_s=1, to=0))
    run = counting.run(2, OpenLoad(rate_per_s=0, stages=stages))
    run_local(run)
    check_invariants(run, counting)
    assert run.sessions.count() == 149  # the area below the rate is 150, and the first comes at 1


def test_warm_up_and_cool_down_are_recorded_and_not_counted(counting: Counting) -> None:
    run = counting.run(2, ClosedLoad(users=20, duration_s=4, warm_up_s=1, cool_down_s=1, max_turns_per_s=100))
    run_local(run)
    assert run.report is not None
    sent, uncounted = run.report["turns"]["sent"], run.report["excluded_turns"]
    assert sent == pytest.approx(200, abs=12)
    assert sent + uncounted == run.turns.count() == len(counting.received())
    assert aggregate_rows(run.pk, parse_load(run.load).counted_ns).from_turns() == aggregate_run(run.pk).from_turns()
