"""Turns that wait too long during a run: counted by a real engine in virtual time, read by all that may end
a run or judge a level."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from metrics.analysis.threshold_checks import highest_limit_s
from metrics.analysis.thresholds import parse_all
from metrics.models import Window
from metrics.report.bound_words import missed_words, threshold_words
from metrics.report.markdown import summary_md
from metrics.report.terminal import report_text
from runs import live_stream
from runs.load.budget import Budget
from runs.load.profile import parse_load
from runs.supervisor.error_monitor import ErrorMonitor
from runs.supervisor.ticks import RunTotals, Ticker
from tests.support.engines import Share
from tests.support.runs import a_run, shards
from tests.support.virtual import NEVER, Rule, hold
from tests.unit.runs.engine.hanging import CLOSED, OPEN, USERS, S, beats, hangs, report_of, windows


def test_what_is_overdue_has_hung_when_the_grace_is_over_too(tmp_path: Path) -> None:
    found = beats(hold(hangs(3.0), CLOSED, tmp_path, thresholds_wait_s=90.0))
    assert {(overdue, hung) for at_s, overdue, hung in found if at_s < 8} == {(0, 0)}
    assert {(overdue, hung) for at_s, overdue, hung in found if 9 < at_s < 38} == {(USERS, 0)}
    assert {(overdue, hung) for at_s, overdue, hung in found if 39 < at_s < 89} == {(USERS, USERS)}


@pytest.mark.parametrize("within_s", [None, 10.0], ids=["", "and a threshold is missed"])
def test_a_slow_target_is_not_overdue(within_s: float | None, tmp_path: Path) -> None:
    rule = Rule(lambda _number, _at_s: 25.0)
    assert not any(overdue for _, overdue, _ in beats(hold(rule, CLOSED, tmp_path, answer_within_s=within_s)))


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("stopped: budget: no_success: no turn was good for 10 s", "unanswered"),
        ("stopped: budget: error_rate: 9%", "unanswered"),
        ("stopped: threshold: error_rate<1% is 0.5", "unanswered"),
        ("stopped: by a person", "stopped"),
        ("stopped: threshold", "stopped"),
        ("stopped: budget: turns: its share is used up", "stopped"),
    ],
)
def test_a_run_that_ends_because_of_a_hang_has_unanswered_turns(reason: str, code: str, tmp_path: Path) -> None:
    share = hold(hangs(3.0), CLOSED, tmp_path, stop_at_s=20.0, reason=reason)
    assert [turn["code"] for turn in share.turns if turn["out"] != "ok"] == [code] * USERS


def test_such_an_end_fails_no_turn_that_is_not_overdue(tmp_path: Path) -> None:
    share = hold(hangs(5.0), CLOSED, tmp_path, stop_at_s=7.0, reason="stopped: threshold: e2e_ms.max<50 is 100")
    assert [turn["code"] for turn in share.turns if turn["out"] != "ok"] == ["stopped"] * USERS


def aborted_at(share: Share, no_success_timeout_s: float) -> tuple[int, str]:
    """The second in which the run would be ended, and why; -1: never."""
    monitor = ErrorMonitor(Budget.model_validate({"no_success_timeout_s": no_success_timeout_s}), 60.0)
    for data in windows(share):
        monitor.add(data)
        if why := monitor.why_abort(data["second"] + 1.0):
            return data["second"], why.reason
    return -1, ""


def test_a_hang_ends_a_run_although_no_turn_failed(tmp_path: Path) -> None:
    second, why = aborted_at(hold(hangs(3.0), CLOSED, tmp_path), 10.0)
    assert 17 <= second <= 20  # overdue from the eighth on
    assert why.startswith("budget: no_success: no turn was good for 1")
    assert why.endswith(f" s, and {USERS} wait for their answers")


@pytest.mark.parametrize(
    "rule",
    [
        hangs(3.0, until_s=13.0),
        hangs(51.0),
        Rule(lambda number, _at_s: NEVER if number == 40 else 0.1),
        Rule(lambda _number, _at_s: 25.0),
        Rule(lambda number, _at_s: 9.0 if number % 2 else 4.0),
    ],
    ids=["pauses", "hangs at the end", "one user hangs", "slow from the start", "slow"],
)
def test_who_is_answered_at_last_or_beside_others_ends_no_run(rule: Rule, tmp_path: Path) -> None:
    assert aborted_at(hold(rule, CLOSED, tmp_path), 10.0) == (-1, "")


@pytest.mark.django_db
def test_abort_on_fail_counts_what_has_hung_and_the_page_what_is_overdue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_stream, "publish", lambda *_: True)
    run = a_run(1, parse_load(CLOSED), thresholds=["error_rate<1%"], abort_on_fail=True)
    (shard,) = shards(run)
    ticker, totals = Ticker(shard, None), RunTotals(run)
    seen: dict[str, int] = {}
    for data in windows(hold(hangs(3.0), CLOSED, tmp_path)):
        Window.objects.create(
            run_id=run.pk, shard_id=shard.pk, second=data["second"], ledger_offset=data["second"],
            data=data | {"shard": shard.pk},
        )  # fmt: skip
        totals.update()
        if totals.tick()["overdue"]:
            seen.setdefault("overdue", data["second"])
        if totals.threshold_statuses()[0]["state"] == "missed":
            ticker.tick("running")
            break
    assert 8 <= seen["overdue"] <= 9
    assert 38 <= data["second"] <= 40
    why = ticker.why_abort()
    assert why is not None
    assert why.reason.startswith(("threshold: error_rate<1% is ", "budget: no_success"))


def standings_by(share: Share, thresholds: list[str], load: dict[str, Any] = CLOSED) -> dict[str, tuple[int, str]]:
    """By threshold: the second in which it was missed, and what a reason says of it then."""
    totals = RunTotals(a_run(1, parse_load(load), thresholds=thresholds))
    found: dict[str, tuple[int, str]] = {}
    for data in windows(share, load):
        totals.take(1, data)
        totals.settle([1])
        for one in totals.threshold_statuses():
            if one["state"] == "missed":
                found.setdefault(one["expr"], (data["second"], missed_words([one])))
    return found


@pytest.mark.django_db
def test_a_wait_in_flight_that_a_threshold_forbids_misses_it(tmp_path: Path) -> None:
    asked = ["e2e_planned_ms.max<2000", "e2e_planned_ms{scenario=talk}.max<2000", "e2e_planned_ms.max<20000"]
    found = standings_by(hold(hangs(3.0), CLOSED, tmp_path, answer_within_s=2.0), [*asked, "e2e_ms.max<2000"])
    assert found.keys() == set(asked)
    assert [found[expr][0] for expr in asked] == [9, 9, 23]
    assert found[asked[0]][1].endswith(" or more")


@pytest.mark.django_db
def test_a_percentile_counts_the_waits_in_flight(tmp_path: Path) -> None:
    rule = Rule(lambda number, at_s: NEVER if at_s >= 3 else 1.0)
    found = standings_by(hold(rule, CLOSED, tmp_path), ["e2e_planned_ms.p95<2000", "e2e_planned_ms.p50<2000"])
    assert found.keys() == {"e2e_planned_ms.p95<2000"}
    assert found["e2e_planned_ms.p95<2000"][0] in {8, 9}


@pytest.mark.django_db
def test_a_target_that_never_answered_is_judged_by_a_maximum(tmp_path: Path) -> None:
    share = hold(Rule(lambda _number, _at_s: NEVER), CLOSED, tmp_path, answer_within_s=12.0)
    assert standings_by(share, ["e2e_planned_ms.max<12000"])["e2e_planned_ms.max<12000"][0] in {12, 13}


@pytest.mark.django_db
def test_a_wait_of_the_warm_up_misses_nothing(tmp_path: Path) -> None:
    load = CLOSED | {"warm_up_s": 10}
    assert standings_by(hold(hangs(3.0), load, tmp_path), ["e2e_planned_ms.max<2000"], load) == {}


def test_what_a_maximum_forbids_has_failed_when_it_ends_the_run(tmp_path: Path) -> None:
    rule = Rule(lambda _number, _at_s: NEVER)
    reason = "stopped: threshold: e2e_planned_ms.max<4000 is 5000 or more, after 6 s"
    share = hold(rule, CLOSED, tmp_path, stop_at_s=6.0, reason=reason, answer_within_s=4.0)
    assert [turn["code"] for turn in share.turns] == ["unanswered"] * USERS
    report = report_of(windows(share), CLOSED, ["e2e_planned_ms.max<4000"])
    (one,) = report["thresholds"]
    assert one["value"] is not None and one["value"] >= 6000
    assert (one["high"], one["passed"]) == (None, False)


def ended_s(share: Share) -> int:
    (tail,) = (line for line in share.lines if line["k"] == "tail")
    return round(int(tail["at"]) / S)


@pytest.mark.parametrize(
    ("from_s", "asked", "end_s"),
    [
        (3.0, [], 60),
        (50.0, [], 80),
        (3.0, ["e2e_ms.p99<500", "e2e_planned_ms.max<70000"], 73),
        (3.0, ["e2e_planned_ms.p99<600000"], 90),
    ],
    ids=["hangs for long", "hangs at the end", "a threshold allows more", "a threshold allows all"],
)
def test_the_grace_ends_when_no_answer_can_come(from_s: float, asked: list[str], end_s: int, tmp_path: Path) -> None:
    wait_s = highest_limit_s(parse_all(asked))
    share = hold(hangs(from_s), CLOSED, tmp_path, thresholds_wait_s=wait_s)
    assert end_s <= ended_s(share) <= end_s + 1
    assert [turn["code"] for turn in share.turns if turn["out"] != "ok"] == ["unanswered"] * USERS


@pytest.mark.parametrize(
    "rule",
    [
        Rule(lambda _number, _at_s: 25.0),
        Rule(lambda _number, at_s: 8.0 if at_s < 40 else 40.0),
        hangs(45.0, until_s=74.0),
        Rule(lambda number, _at_s: 9.0 if number > 4 else 55.0),
    ],
    ids=["slow", "slower at the end", "pauses at the end", "few answers"],
)
def test_slow_answers_get_their_grace(rule: Rule, tmp_path: Path) -> None:
    share = hold(rule, CLOSED, tmp_path)
    assert {turn["out"] for turn in share.turns} == {"ok"}


def test_an_open_load_waits_for_those_who_came_last(tmp_path: Path) -> None:
    assert ended_s(hold(hangs(3.0), OPEN, tmp_path)) == 60


def test_a_time_of_answered_turns_says_how_many_were_never_answered(tmp_path: Path) -> None:
    asked = ["e2e_ms.max<2000", "ttft_ms.p95<1", "e2e_planned_ms.max<99999", "error_rate<1", "send_lag_ms.max<9"]
    report = report_of(windows(hold(hangs(3.0), CLOSED, tmp_path)), CLOSED, asked)
    lines = report_text(report, 120).splitlines()
    said = [threshold_words(one).value for one in report["thresholds"]]
    assert said[0] == "is 100, of answered turns; 5 had no whole answer"
    assert said[1].endswith(", of answered turns; 5 had no whole answer")
    assert not any("answered" in words for words in said[2:])
    assert [one.get("unanswered") for one in report["thresholds"]] == [5, 5, None, None, None]
    assert any(line.split()[:2] == ["met", asked[0]] and said[0] in line for line in lines)
    assert said[0].removeprefix("is ") in summary_md(report)
    healthy = report_of(windows(hold(Rule(lambda _number, _at_s: 0.5), OPEN, tmp_path)), OPEN, asked[:1])
    assert healthy["thresholds"][0].keys() == {"expr", "value", "passed"}
