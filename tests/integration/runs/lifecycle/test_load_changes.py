"""A load that is changed during the run: through the API, on Celery workers, against a target that counts itself."""

from __future__ import annotations

import pytest
from rest_framework.test import APIClient

from metrics.report_schema import LoadChange
from metrics.storage.aggregate import aggregate_run
from runs.db_clock import now
from runs.lifecycle.load_changes import AHEAD_S
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.load.profile import ClosedLoad
from runs.models import Run, RunStatus, Session
from tests.integration.runs.conftest import Counting, Start, check_invariants
from tests.integration.web import made_up
from tests.support.runs import a_run, target, until

WITHIN_S = 2.0
"""The promise: from asking, until as many sessions are open on all shards. On a quiet machine it takes 0.8 to 1.0 s, of
which AHEAD_S goes by before the change; the last of 75 users of an engine comes 0.1 s after the first."""


def steady_run(counting: Counting, users: int) -> Run:
    """Conversations that last longer than the run, a turn each half second, on two workers."""
    spec = target(counting.url, overrides={"request": {"headers": {"x-turn": "{{ session.id }}/{{ turn }}"}}})
    steps = [{"do": "say", "text": "still here"}, {"do": "wait", "seconds": 0.5}]
    talk = {"name": "talk", "history": "none", "steps": [{"do": "repeat", "times": 1000, "steps": steps}]}
    return a_run(2, ClosedLoad(users=users, duration_s=120), target=spec, scenarios=[(1.0, talk)], local=False)


def status(run: Run) -> str:
    run.refresh_from_db()
    return run.status


def since_start(run: Run) -> float:
    assert run.start_at is not None
    return (now() - run.start_at).total_seconds()


def pause_until(run: Run, at_s: float) -> None:
    until(lambda: since_start(run) > at_s, 20)


def active(spans: list[tuple[int, int]], at_s: float) -> int:
    return sum(begin / 1e9 <= at_s < end / 1e9 for begin, end in spans)


def reached(spans: list[tuple[int, int]], users: int, after_s: float) -> float:
    """Seconds from `after_s` until as many sessions as that are open."""
    times = (after_s + step / 100 for step in range(1000))
    return next((at_s for at_s in times if active(spans, at_s) == users), float("inf")) - after_s


@pytest.mark.django_db(transaction=True)
@pytest.mark.usefixtures("valkey")
def test_users_change_from_50_to_200_and_back_on_all_shards(counting: Counting, start_worker: Start) -> None:
    start_worker("load", "-c", "2")
    api = APIClient()
    api.force_login(made_up.user("runs.change_run", "runs.view_run"))
    run = steady_run(counting, 50)
    address = f"/api/runs/{run.pk}/"
    until(lambda: status(run) == RunStatus.RUNNING and since_start(run) > 1.5, 40, "the run's full swing")
    assert api.get(address).status_code == 200  # what a server does once only is done
    asked, changed = [], []
    for users in (200, 50):
        asked.append(since_start(run))
        answer = api.post(f"{address}load/", {"users": users}, format="json")
        assert (answer.status_code, answer.json()["level"]) == (202, users)
        changed.append(at_s := answer.json()["at_s"])
        assert at_s - asked[-1] > AHEAD_S - 0.1
        pause_until(run, at_s + 1.8)  # a sample a second of each engine
    assert api.post(f"{address}stop/").status_code == 202
    until(lambda: status(run) in RUN_TERMINAL, 30, "the run's end")
    check_invariants(run, counting)

    times = Session.objects.filter(run=run).values_list("started_ns", "ended_ns")
    spans = [(begin, end) for begin, end in times if end is not None]
    assert active(spans, asked[0]) == 50
    for users, asked_s, at_s in zip((200, 50), asked, changed, strict=True):
        took_s = at_s - asked_s + reached(spans, users, at_s)
        print(f"{users} users {took_s:.2f} s after asking, {at_s - asked_s:.2f} s of them until the change")
        assert took_s < WITHIN_S
    by_shard: dict[int, int] = {}
    for shard_id in Session.objects.filter(run=run).values_list("shard_id", flat=True):
        by_shard[shard_id] = by_shard.get(shard_id, 0) + 1
    assert list(by_shard.values()) == [100, 100]
    assert all(run.shards.values_list("connections", flat=True)), "an engine did not say how many it may hold"

    assert run.report is not None
    assert [change["level"] for change in run.report["load_changes"]] == [200, 50]
    assert_samples_follow(run, run.report["load_changes"])


def assert_samples_follow(run: Run, changes: list[LoadChange]) -> None:
    """The reports of each engine, at least a second after each change and before the next."""
    (up, down), engines = changes, aggregate_run(run.pk).engines.values()
    for engine in engines:
        seen = [(sample.at_ns / 1e9, sample.active) for sample in engine.samples.values()]
        assert {count for at_s, count in seen if 1 < at_s < up["at_s"]} == {25}
        assert {count for at_s, count in seen if up["at_s"] + 0.7 < at_s < down["at_s"]} == {100}
        assert {count for at_s, count in seen if down["at_s"] + 0.7 < at_s < down["at_s"] + 1.7} == {25}
