"""A trace, replayed by two engines: each row at its time, and row i by conversation i."""

from __future__ import annotations

import pytest

from metrics.models import SessionMetric
from runs.load.profile import parse_load
from runs.models import RunStatus
from runs.supervisor.local import run_local
from tests.integration.runs.conftest import Counting, check_invariants
from tests.support.runs import a_run, target

TIMES_S = [0, 0.1, 0.1, 0.35, 0.8, 2.4, 2.8]


@pytest.mark.django_db(transaction=True)
def test_each_row_of_a_trace_begins_at_its_time_with_its_text(counting: Counting) -> None:
    spec = target(counting.url, overrides={"request": {"headers": {"x-turn": "{{ session.id }}/{{ turn }}"}}})
    rows = [f"row {number}" for number in range(len(TIMES_S))]
    talk = {
        "name": "talk",
        "data": {"trace": {"rows": rows, "use": "in_turn"}},
        "steps": [{"do": "say", "text": "{{ data.trace }} is {{ session.number }}"}],
    }
    load = parse_load({"kind": "trace", "arrivals_s": TIMES_S, "speed": 2})
    run = a_run(2, load, target=spec, scenarios=[(1.0, talk)])
    run_local(run)
    check_invariants(run, counting)
    assert run.status == RunStatus.COMPLETED
    turns = SessionMetric.objects.filter(run=run).order_by("planned_ns", "message").values_list("planned_ns", "message")
    assert [message for _, message in turns] == [f"row {number} is {number}" for number in range(len(TIMES_S))]
    assert [(planned or 0) / 1e9 for planned, _ in turns] == pytest.approx([at / 2 for at in TIMES_S], abs=1e-6)
    assert sorted(shard.sessions.count() for shard in run.shards.all()) == [3, 4]
