"""Turns that wait for too long while a run goes on: counted by a real engine in virtual time, read by all that may end
a run or judge a level."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest

from metrics.bound_words import threshold_words
from metrics.curve import judge, level_row, measure
from metrics.ingest import parse
from metrics.markdown import summary_md
from metrics.models import Window
from metrics.report import Report, RunFacts, build_report
from metrics.standing import missed_words
from metrics.text import report_text
from metrics.thresholds import highest_limit_s, parse_all
from metrics.totals import merge
from runs import live
from runs.capacity import swept
from runs.engine.budget import Budget
from runs.engine.spec import parse_load
from runs.search_state import Seen, begin, look
from runs.ticks import RunTotals, Ticker
from runs.watch import Watch
from tests.support.engines import Share
from tests.support.runs import a_run, shards
from tests.support.virtual import NEVER, Rule, hold

USERS = 5
CLOSED: dict[str, Any] = {"kind": "closed", "users": USERS, "duration_s": 60}
OPEN: dict[str, Any] = {"kind": "open", "rate_per_s": 4, "duration_s": 30}
S = 10**9


def hangs(from_s: float, until_s: float = NEVER, usual_s: float = 0.1) -> Rule:
    return Rule(lambda _number, at_s: usual_s + (until_s - at_s if from_s <= at_s < until_s else 0.0))


def beats(share: Share) -> list[tuple[float, int, int]]:
    """Time, overdue and hung."""
    return [(line["at"] / S, line["overdue"], line["hung"]) for line in share.lines if line["k"] == "gen"]


def windows(share: Share, load: dict[str, Any] = CLOSED) -> list[dict[str, Any]]:
    data = b"".join(orjson.dumps(line) + b"\n" for line in share.lines)
    return [found for _, found in sorted(parse(data, 1, 1, counted=parse_load(load).counted_ns).windows.items())]


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
        ("stopped: budget: only_errors: no turn was good for 10 s", "unanswered"),
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


def test_such_an_end_fails_nobody_whose_answer_is_not_overdue(tmp_path: Path) -> None:
    share = hold(hangs(5.0), CLOSED, tmp_path, stop_at_s=7.0, reason="stopped: threshold: e2e_ms.max<50 is 100")
    assert [turn["code"] for turn in share.turns if turn["out"] != "ok"] == ["stopped"] * USERS


def aborted_at(share: Share, only_errors_s: float) -> tuple[int, str]:
    """The second in which the run would be ended, and why; -1: never."""
    watch = Watch(Budget.model_validate({"only_errors_s": only_errors_s}), 60.0)
    for data in windows(share):
        watch.add(data)
        if why := watch.why_abort(data["second"] + 1.0):
            return data["second"], why
    return -1, ""


def test_a_hang_ends_a_run_although_no_turn_failed(tmp_path: Path) -> None:
    second, why = aborted_at(hold(hangs(3.0), CLOSED, tmp_path), 10.0)
    assert 17 <= second <= 20  # overdue from the eighth on
    assert why.startswith("budget: only_errors: no turn was good for 1")
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


@pytest.mark.parametrize(("load", "to_s"), [(CLOSED, 12), (OPEN, 12), ({**CLOSED, "users": 60}, 30)])
def test_a_level_that_hangs_at_its_end_is_a_failed_level(load: dict[str, Any], to_s: int, tmp_path: Path) -> None:
    level = measure(windows(hold(hangs(3.0), load, tmp_path)), 0, to_s)
    assert level.hangs.startswith("the target hung: at the end ")
    assert level.figures["turns"]["failed"] == level.overdue > 0
    assert [one["passed"] for one in judge(["turns_failed<1", "error_rate<0.1%", "e2e_ms.p95<500"], level)] == [
        False,
        False,
        True,
    ]
    assert level_row(5, 0, to_s, level, good=False)["overdue"] == level.overdue


def test_a_level_with_a_single_turn_that_hangs_has_a_failed_turn_and_did_not_hang(tmp_path: Path) -> None:
    rule = Rule(lambda number, _at_s: NEVER if number == 8 else 0.1)
    level = measure(windows(hold(rule, OPEN, tmp_path)), 0, 12)
    assert (level.overdue, level.figures["turns"]["failed"], level.hangs) == (1, 1, "")


def test_a_level_that_recovered_did_not_hang(tmp_path: Path) -> None:
    level = measure(windows(hold(hangs(3.0, until_s=11.0), CLOSED, tmp_path)), 0, 20)
    assert (level.overdue, level.figures["turns"]["failed"], level.hangs) == (0, 0, "")


@pytest.mark.parametrize("conditions", [(), ("e2e_ms.p95<500",)])
def test_a_sweep_calls_the_level_bad_at_which_the_target_hung(conditions: tuple[str, ...], tmp_path: Path) -> None:
    load = parse_load({"kind": "closed", "sweep": {"levels": [2, 4], "hold_s": 16, "conditions": conditions}})
    assert load.kind == "closed" and load.sweep is not None
    stored = windows(hold(hangs(22.0), load.model_dump(mode="json"), tmp_path))
    rows, _ = swept(load, load.sweep, lambda from_s, to_s: [w for w in stored if from_s <= w["second"] < to_s])
    assert rows is not None
    assert [row["good"] for row in rows] == [True if conditions else None, False]
    assert rows[1]["missed"] == ["the target hung: at the end 4 turns waited for longer than its answers explain"]


def test_a_level_whose_last_turns_were_never_answered_is_bad_however_short_they_had_waited(tmp_path: Path) -> None:
    load = parse_load({"kind": "closed", "sweep": {"levels": [2, 4, 6], "hold_s": 6}})
    assert load.kind == "closed" and load.sweep is not None
    stored = windows(hold(hangs(9.0), load.model_dump(mode="json"), tmp_path))
    end_s = merge(stored).last_answer_s
    assert 9 <= end_s <= 10
    rows, _ = swept(
        load, load.sweep, lambda from_s, to_s: [w for w in stored if from_s <= w["second"] < to_s], last_answer_s=end_s
    )
    assert rows is not None
    assert [(row["overdue"], row["good"]) for row in rows[:2]] == [(0, None), (4, False)]
    assert rows[1]["missed"] == ["the target hung: at the end 4 turns waited in vain"]
    assert rows[1]["error_rate"] > 0


def test_a_rate_of_a_sweep_that_dropped_arrivals_was_not_held(tmp_path: Path) -> None:
    load = parse_load({
        "kind": "open", "max_sessions": 6, "sweep": {"levels": [2, 20], "hold_s": 8, "conditions": ["e2e_ms.p95<900"]},
    })  # fmt: skip
    assert load.kind == "open" and load.sweep is not None
    stored = windows(hold(Rule(lambda _number, _at_s: 0.5), load.model_dump(mode="json"), tmp_path))
    rows, _ = swept(load, load.sweep, lambda from_s, to_s: [w for w in stored if from_s <= w["second"] < to_s])
    assert rows is not None
    assert [row["good"] for row in rows] == [True, False]
    assert rows[1]["missed"][0].startswith("dropped_arrivals==0 (is ")


def test_a_search_goes_down_from_a_level_that_hangs(tmp_path: Path) -> None:
    search = {"conditions": ["e2e_ms.p95<500"], "settle_s": 1, "measure_s": 12}
    load = parse_load({"kind": "closed", "users": 5, "search": search})
    assert load.kind == "closed"
    stored = windows(hold(hangs(3.0), CLOSED, tmp_path))
    read = [data for data in stored if data["second"] < 13]
    step = look(
        load, begin(load), Seen(13.5, 5, lambda from_s, to_s: [w for w in read if from_s <= w["second"] < to_s])
    )
    assert step is not None
    (tried,) = step.state.tried
    assert not tried.good
    assert tried.missed == ("the target hung: at the end 5 turns waited for longer than its answers explain",)


def test_who_could_not_come_during_a_hang_is_load_that_was_not_offered(tmp_path: Path) -> None:
    rule, load = hangs(3.0), {**OPEN, "max_sessions": 10}
    report = report_of(windows(hold(rule, load, tmp_path)), load, ["dropped_arrivals<1"])
    assert len(rule.asked) + report["dropped_arrivals"] == 4 * 30
    assert report["turns"]["failed"] == 10
    assert [one["passed"] for one in report["thresholds"]] == [False]
    (reason,) = (text for text in report["verdict"]["reasons"] if text.startswith("arrivals_dropped"))
    assert reason.endswith("would have waited as well.")


def report_of(stored: list[dict[str, Any]], load: dict[str, Any], thresholds: list[str]) -> Report:
    return build_report(RunFacts(1, "completed", "t", "s", load, None), merge(stored), thresholds)


@pytest.mark.django_db
def test_abort_on_fail_counts_what_has_hung_and_the_page_what_is_overdue(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "publish", lambda *_: True)
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
        if totals.standings()[0]["state"] == "missed":
            ticker.tick("running")
            break
    assert 8 <= seen["overdue"] <= 9
    assert 38 <= data["second"] <= 40
    assert ticker.why_abort().startswith(("threshold: error_rate<1% is 0.0", "budget: only_errors"))


def standings_by(share: Share, thresholds: list[str], load: dict[str, Any] = CLOSED) -> dict[str, tuple[int, str]]:
    """By threshold: the second in which it was missed, and what a reason says of it then."""
    totals = RunTotals(a_run(1, parse_load(load), thresholds=thresholds))
    found: dict[str, tuple[int, str]] = {}
    for data in windows(share, load):
        totals.take(1, data)
        totals.settle([1])
        for one in totals.standings():
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
    assert [(one["value"] >= 6000, one["high"], one["passed"]) for one in report["thresholds"]] == [(True, None, False)]


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
def test_the_grace_ends_when_nobody_will_be_answered(
    from_s: float, asked: list[str], end_s: int, tmp_path: Path
) -> None:
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
    assert said[0] == "is 100.0, of answered turns; 5 had no whole answer"
    assert said[1].endswith(", of answered turns; 5 had no whole answer")
    assert not any("answered" in words for words in said[2:])
    assert [one.get("unanswered") for one in report["thresholds"]] == [5, 5, None, None, None]
    assert any(line.split()[:2] == ["kept", asked[0]] and said[0] in line for line in lines)
    assert said[0].removeprefix("is ") in summary_md(report)
    healthy = report_of(windows(hold(Rule(lambda _number, _at_s: 0.5), OPEN, tmp_path)), OPEN, asked[:1])
    assert healthy["thresholds"][0].keys() == {"expr", "value", "passed"}
