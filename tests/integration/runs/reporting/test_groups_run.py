"""A run of several scenarios, models and tags, from the engine's lines to the report; its end at a missed threshold."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from typing import Any

import pytest

from metrics.storage.aggregate import aggregate_rows, aggregate_run
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.load.profile import ClosedLoad, parse_load
from runs.models import PlanScenario, Run, RunStatus, Session, ShardStatus, TestPlan
from runs.reporting.report import collect, report_of
from runs.services import request_run
from runs.supervisor.local import run_local
from runs.supervisor.ticks import TickInfo
from scenarios.models import Scenario
from targets.models import Target
from tests.integration.runs.conftest import Start, ledger_lines
from tests.support.processes import Mock
from tests.support.runs import a_run, shards, talk, until

QUICK = {**talk("hi", name="quick"), "tags": {"tier": "gold"}}
LONG = {**talk("hi", "and then?", name="a long one"), "tags": {"tier": "free"}}
THRESHOLDS = [
    "ttft_ms{scenario=quick}.p95<5000 and turns_ok{tier=free}>=20",
    'error_rate{scenario="a long one", model=large}<100%',
    "ttft_ms{tier=gold, model=small}.max<0.001",
]


@pytest.fixture
def swift(start_mock: Callable[..., Mock]) -> Mock:
    return start_mock("--delay-ms", "1-20", "--itl-ms", "1", "--tokens", "5-20", "--error-rate", "0.1")


@pytest.mark.django_db(transaction=True)
def test_groups_are_told_apart_from_the_engine_to_the_report(swift: Mock) -> None:
    load = parse_load(
        {"kind": "closed", "users": 10, "conversations": 200, "user_profile": {"models": ["small", "large"]}}
    )
    ticks: list[TickInfo] = []
    run = a_run(2, load, f"{swift.url}/v1", scenarios=[(3.0, QUICK), (1.0, LONG)], thresholds=THRESHOLDS)
    run_local(run, ticks.append)
    assert run.status == RunStatus.COMPLETED, run.reason
    lines = ledger_lines(run)
    opened = {line["id"]: line for line in lines if line["k"] == "open"}
    assert {line["g"] for line in lines if line["k"] in {"turn", "close"}} == {0, 1, 2, 3}
    for line in lines:
        if line["k"] in {"turn", "close"}:
            assert line["g"] == opened[line["s" if line["k"] == "turn" else "id"]]["group"]
    for line in opened.values():
        assert line["group"] == ["quick", "a long one"].index(line["scenario"]) * 2 + ["small", "large"].index(
            line["model"]
        )
    stored = Counter(Session.objects.filter(run=run).values_list("group", flat=True))
    assert stored == Counter(line["group"] for line in opened.values())

    windows = aggregate_run(run.pk)
    assert aggregate_rows(run.pk, groups=4).from_turns() == windows.from_turns()
    assert windows.of_groups(range(4)).counted() == windows.counted()
    assert run.report is not None
    check_report(run.report, stored)
    said = [info.tick["groups"] for info in ticks if info.tick is not None][-1]
    turns = [sum(part["turns"][word] for word in ("ok", "error", "timeout")) for part in run.report["groups"]]
    assert [row[1] for row in said["rows"]] == turns, "the last tick says what the report says"
    shown = [info.tick["thresholds"] for info in ticks if info.tick is not None]
    assert [one["expr"] for one in shown[-1]] == [one["expr"] for one in run.report["thresholds"]]
    assert (shown[-1][1]["state"], shown[-1][3]["state"]) == ("kept", "missed"), "and nobody asked for its end"


def check_report(report: Any, stored: Counter[int]) -> None:
    groups = report["groups"]
    assert [(part["scenario"], part["model"], part["tags"]) for part in groups] == [
        ("quick", "small", {"tier": "gold"}),
        ("quick", "large", {"tier": "gold"}),
        ("a long one", "small", {"tier": "free"}),
        ("a long one", "large", {"tier": "free"}),
    ]
    assert [part["sessions"]["started"] for part in groups] == [stored[number] for number in range(4)]
    for word in ("sent", "ok", "error"):
        assert sum(part["turns"][word] for part in groups) == report["turns"][word] > 0
    models = report["models"]
    assert [part["model"] for part in models] == ["small", "large"]
    assert sum(part["tokens"]["output"] for part in models) == report["tokens"]["output"] > 0
    assert models[0]["turns"]["ok"] == groups[0]["turns"]["ok"] + groups[2]["turns"]["ok"]
    assert sum(part["rates"]["turns_per_s"] for part in models) == pytest.approx(
        report["rates"]["turns_per_s"], rel=1e-4
    )
    assert [(one["expr"], one["passed"]) for one in report["thresholds"]] == [
        ("ttft_ms{scenario=quick}.p95<5000", True),
        ("turns_ok{tier=free}>=20", True),
        (THRESHOLDS[1], True),
        (THRESHOLDS[2], False),
    ]
    assert report["thresholds"][3]["value"] == groups[0]["metrics"]["ttft_ms"]["max"]


def a_plan(mock: Mock, **fields: Any) -> TestPlan:
    row = Target(name="bot", url=f"{mock.url}/v1", params={"model": "m"})
    row.save()
    load = ClosedLoad(users=8, duration_s=120).model_dump(mode="json")
    plan = TestPlan.objects.create(name="gate", target=row, load=load, processes=2, **fields)
    for spec in (QUICK, LONG):
        scenario = Scenario.objects.create(name=spec["name"], spec=spec)
        PlanScenario.objects.create(plan=plan, scenario=scenario)
    return plan


@pytest.mark.usefixtures("postgres_database", "valkey")
def test_a_missed_threshold_ends_a_run_on_workers_if_the_plan_says_so(swift: Mock, start_worker: Start) -> None:
    start_worker("load", "-c", "2")
    kept, limit = "error_rate{tier=gold}<=100%", "e2e_ms{scenario=a long one}.max<1"
    run = request_run(a_plan(swift, thresholds=[kept, limit], abort_on_fail=True))
    until(lambda: Run.objects.values_list("status", flat=True).get(pk=run.pk) in RUN_TERMINAL, 60, "the run's end")
    run.refresh_from_db()
    assert run.status == RunStatus.ABORTED
    assert run.reason.startswith(f"threshold: {limit} is ")
    assert {shard.status for shard in shards(run)} == {ShardStatus.STOPPED}
    assert all(shard.ledger_complete for shard in shards(run))
    assert run.report is not None
    assert run.report["run"]["status"] == "aborted"
    assert [one["passed"] for one in run.report["thresholds"]] == [True, False]
    assert report_of(run, collect(run), run.status, run.reason)["groups"] == run.report["groups"]
    assert run.start_at is not None
    assert run.ended_at is not None
    assert (run.ended_at - run.start_at).total_seconds() < 30
