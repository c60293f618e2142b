"""Searches as supervisors carry them on: by steps in the database, and in a whole run against a known capacity."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.db import connection

from metrics.models import Window
from runs.capacity.curve import curve_of
from runs.capacity.search_controller import Searcher, searcher_of, stored
from runs.capacity.search_state import State
from runs.db_clock import DbNow
from runs.lifecycle.load_changes import change_load
from runs.load.profile import ClosedLoad, parse_load
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.supervisor.local import run_local
from runs.supervisor.ticks import TickInfo
from tests.support.data.queueing import Queue, window
from tests.support.processes import Mock
from tests.support.runs import a_run, shards

PLACES = 40
QUEUE = Queue(PLACES)
CLOSED = {
    "kind": "closed",
    "users": 15,
    "search": {"conditions": ["e2e_ms.p95<105"], "settle_s": 1, "measure_s": 2, "precision": 0.05},
}
OPEN = {
    "kind": "open",
    "rate_per_s": 300,
    "search": {"conditions": ["e2e_ms.p95<150 and error_rate<1%"], "settle_s": 1, "measure_s": 2, "precision": 0.05},
}


class Simulated:
    """A running run whose two engines leave the windows of a queue, second by second; its clock is ours."""

    def __init__(self, load: dict[str, Any]) -> None:
        self.run = a_run(2, parse_load(load))
        self.shards = shards(self.run)
        Shard.objects.filter(run=self.run).update(status=ShardStatus.RUNNING)
        Run.objects.filter(pk=self.run.pk).update(status=RunStatus.RUNNING)
        self.closed = load["kind"] == "closed"
        self.start = load["users"] if self.closed else load["rate_per_s"]
        self.second = 0

    def searcher(self) -> Searcher:
        """As another supervisor would make one."""
        found = searcher_of(Run.objects.get(pk=self.run.pk))
        assert found is not None
        return found

    def pass_second(self) -> None:
        changes = Run.objects.values_list("load_changes", flat=True).get(pk=self.run.pk)
        past = [(change["at_s"], change["level"]) for change in changes if change["at_s"] <= self.second]
        since_s, level = past[-1] if past else (0.0, self.start)
        measured = QUEUE.closed(level) if self.closed else QUEUE.open(level, self.second - since_s)
        for shard in self.shards:
            data = window(self.second, measured[0] / 2, measured[1], shard=shard.pk, active=round(level / 2))
            Window.objects.create(
                run=self.run, shard=shard, second=self.second, ledger_offset=self.second, data=data
            )  # fmt: skip
        self.second += 1
        Run.objects.filter(pk=self.run.pk).update(start_at=DbNow(-self.second))
        self.active = round(level)

    def state(self) -> State | None:
        return stored(self.run.pk)


@pytest.mark.usefixtures("any_database")
@pytest.mark.parametrize("load", [CLOSED, OPEN], ids=["users", "rate"])
def test_one_supervisor_goes_on_from_where_another_stopped(load: dict[str, Any]) -> None:
    """Each second another supervisor leads: the state of the search is only in the database."""
    found = Simulated(load)
    while not found.searcher().is_over():
        found.pass_second()
        found.searcher().lead(found.second, found.active)
        assert found.second < 200
    levels, capacity = curve_of(Run.objects.get(pk=found.run.pk))
    truth = PLACES if found.closed else PLACES / QUEUE.service_s
    assert levels is not None and capacity is not None
    assert capacity["level"] is not None and capacity["high"] is not None
    assert capacity["found"] and abs(capacity["level"] / truth - 1) <= 0.05
    assert capacity["high"] <= capacity["level"] * 1.06
    assert {row["good"] for row in levels if row["level"] > truth * 1.05} == {False}
    changes = Run.objects.values_list("load_changes", flat=True).get(pk=found.run.pk)
    assert (0 in {change["level"] for change in changes}) == (not found.closed)
    assert {change["by"] for change in changes} == {"search"}


@pytest.mark.usefixtures("any_database")
def test_of_two_that_make_the_same_step_one_loses(monkeypatch: pytest.MonkeyPatch) -> None:
    """A supervisor that was thought dead makes its step after the one that took over: nothing is changed twice."""
    found = Simulated(CLOSED)
    while not Run.objects.values_list("load_changes", flat=True).get(pk=found.run.pk):
        found.pass_second()
        before = found.state()
        found.searcher().lead(found.second, found.active)
    after, late = found.state(), found.searcher()
    monkeypatch.setattr(late, "_stored", lambda: before)
    late.lead(found.second, found.active)
    assert found.state() == after
    assert len(Run.objects.values_list("load_changes", flat=True).get(pk=found.run.pk)) == 1


@pytest.mark.django_db
def test_an_engine_that_is_lost_ends_the_search() -> None:
    found = Simulated(CLOSED)
    for _ in range(5):
        found.pass_second()
        found.searcher().lead(found.second, found.active)
    Shard.objects.filter(pk=found.shards[1].pk).update(status=ShardStatus.LOST)
    assert not found.searcher().is_over()
    found.searcher().lead(found.second, found.active)
    assert found.searcher().is_over()
    _, capacity = curve_of(Run.objects.get(pk=found.run.pk))
    assert capacity is not None
    assert (capacity["found"], capacity["note"]) == (False, "an engine ended before the search did")


@pytest.mark.django_db
def test_a_load_that_somebody_else_changes_ends_the_search() -> None:
    found = Simulated(CLOSED)
    for _ in range(3):
        found.pass_second()
    change_load(found.run.pk, 33, by="a person")
    found.searcher().lead(found.second, found.active)
    _, capacity = curve_of(Run.objects.get(pk=found.run.pk))
    assert capacity is not None and found.searcher().is_over()
    assert capacity["note"] == "somebody else changed the load"


@pytest.mark.django_db
def test_a_run_that_stops_is_not_searched_any_more() -> None:
    found = Simulated(CLOSED)
    for _ in range(4):
        found.pass_second()
    Run.objects.filter(pk=found.run.pk).update(status=RunStatus.STOPPING)
    found.searcher().lead(found.second, found.active)
    assert found.state() is None and not Run.objects.get(pk=found.run.pk).load_changes


@pytest.mark.django_db(transaction=True)
def test_a_search_finds_the_users_that_a_mock_serves_at_once(start_mock: Callable[..., Mock]) -> None:
    """Two engines; `python -m tests.bench.capacity` searches further, with three seeds, users and rates."""
    mock = start_mock("--error-rate", "0", "--delay-ms", "600", "--tokens", "3", "--concurrency", "4")
    search = {"conditions": ["e2e_ms.mean<700"], "high": 5, "settle_s": 0, "measure_s": 2}  # five: 750 ms
    run = a_run(2, ClosedLoad.model_validate({"users": 4, "search": search}), f"{mock.url}/v1")
    ticks: list[TickInfo] = []
    connection.close()
    run_local(run, ticks.append)
    assert (run.status, run.reason) == (RunStatus.COMPLETED, "")
    assert run.report is not None
    capacity, levels = run.report["capacity"], run.report["load_curve"]
    assert capacity is not None and levels is not None
    assert (capacity["level"], capacity["high"], capacity["found"]) == (4, 5, True), levels
    assert capacity["limited_by"][0].startswith("e2e_ms.mean<700 (is ")
    assert [row["level"] for row in levels][:2] == [4, 5] and len(levels) >= 4
    assert all(row["active"] == pytest.approx(row["level"], abs=1) for row in levels)
    turns = run.report["turns"]
    assert turns["aborted"] == 0 and turns["sent"] == turns["ok"] == mock.stats()["chat_requests"]
    said = {tick.tick["doing"] for tick in ticks if tick.tick is not None}
    assert any(words.startswith("level 1: 4 users: ") for words in said)
    assert any("4 is good; 5 is too much" in words for words in said)
