"""Warm-up and cool-down are in no figure of users either, and rates are of the load's own time while it lasts too."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from django.db import transaction

from metrics.ingest.batch import Batch, parse
from metrics.storage.store import write
from runs.load.profile import parse_load
from runs.models import Run, Session
from runs.reporting import per_user
from runs.reporting.report import collect, report_of
from runs.supervisor.ticks import RunTotals
from tests.support.runs import a_run, shards
from tests.support.virtual import NEVER, Rule, hold

pytestmark = pytest.mark.django_db
LOAD: dict[str, Any] = {
    "kind": "closed", "users": 3, "duration_s": 20, "warm_up_s": 5, "cool_down_s": 4, "grace_s": 9,
    "user_profile": {"think": {"pause_s": {"mean": 0.4}}},
}  # fmt: skip
STEPS = [{"do": "say", "text": "hi"}] * 3


def held(rule: Rule, tmp_path: Path) -> tuple[Run, Batch]:
    """A run of one engine in virtual time, and what its ledger says."""
    load = parse_load(LOAD)
    run = a_run(1, load)
    share = hold(rule, LOAD, tmp_path, steps=STEPS)
    data = b"".join(orjson.dumps(line) + b"\n" for line in share.lines)
    return run, parse(data, run.pk, shards(run)[0].pk, counted=load.counted_ns)


def store(batch: Batch, from_s: int = 0, to_s: int = 10_000) -> None:
    """The batch with the windows of some seconds; its rows with the first of them."""
    windows = {second: data for second, data in batch.windows.items() if from_s <= second < to_s}
    part = Batch(
        batch.run_id, batch.shard_id, from_s, 0, batch.turns if not from_s else parse(b"", 1, 1).turns,
        [] if from_s else batch.opens, [] if from_s else batch.closes, windows, [],
    )  # fmt: skip
    with transaction.atomic():
        write(part)


@pytest.mark.parametrize(
    "rule",
    [
        Rule(lambda _number, _at_s: 0.3),
        Rule(lambda _number, at_s: NEVER if at_s > 12 else 0.3),
        Rule(lambda number, _at_s: 0.3 if number % 3 else 2.5, times_out_s=2.0),
    ],
    ids=["answers", "hangs", "fails"],
)
def test_users_add_up_to_the_report_of_a_run_with_warm_up_and_cool_down(rule: Rule, tmp_path: Path) -> None:
    run, batch = held(rule, tmp_path)
    store(batch)
    run.report = report_of(run, collect(run), "completed", "")
    run.save()
    report: Any = run.report
    users = per_user.users(run.pk, list(per_user.user_numbers(run.pk)))
    assert report["run"]["load_s"] == 11.0
    assert report["excluded_turns"] > 10
    assert len(users) == 3
    for word in ("sent", "ok", "failed", "aborted"):
        assert sum(user["turns"][word] for user in users) == report["turns"][word], word
    assert sum(user["tokens"]["input"] or 0 for user in users) == report["tokens"]["input"]
    for word in ("started", "completed", "failed", "truncated"):
        assert sum(user["conversations"][word] for user in users) == report["sessions"][word], word
    per_min = sum(user["ended_sessions_per_min"] for user in users)
    assert per_min == pytest.approx(report["rates"]["ended_sessions_per_min"], abs=0.01)
    talks = per_user.conversations(list(Session.objects.filter(run=run).order_by("pk")))
    assert sum(talk["counted"] for talk in talks) == report["sessions"]["started"] < len(talks)


def test_rates_are_of_the_loads_own_time_while_it_lasts(tmp_path: Path) -> None:
    run, batch = held(Rule(lambda _number, _at_s: 0.3), tmp_path)
    totals, told = RunTotals(run), {}
    before_s = 0
    for at_s in (4, 10, 14, 18, 60):
        store(batch, before_s, at_s)
        before_s = at_s
        totals.update()
        tick = totals.tick()
        told[at_s] = tick["rates"]["turns_per_s"], tick["complete"]["ok"], tick["complete"]["at_s"]
    assert told[4][0] is None
    for at_s in (10, 14):
        rate, ok, complete_s = told[at_s]
        assert complete_s == at_s - 1, "the last second may go on"
        assert rate == pytest.approx(ok / (complete_s - 5))
    assert told[18][0] == pytest.approx(told[18][1] / 11)
    report = report_of(run, collect(run), "completed", "")
    assert told[60][0] == pytest.approx(report["rates"]["turns_per_s"], abs=1e-6)


def test_unreported_tokens_are_null(tmp_path: Path) -> None:
    run, batch = held(Rule(lambda _number, _at_s: NEVER), tmp_path)
    store(batch)
    (user, *_) = per_user.users(run.pk, list(per_user.user_numbers(run.pk)))
    assert user["tokens"] == {"input": None, "output": None, "total": None}
    assert user["ended_sessions_per_min"] is None
