"""What becomes of turns that are in flight when the load ends: in virtual time, against targets that are a rule."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from itertools import chain
from pathlib import Path
from typing import Any

import orjson
import pytest

from connectors.errors import Unanswered
from metrics.analysis.totals import merge
from metrics.ingest.batch import parse
from metrics.report.build import RunFacts, build_report
from runs.engine.shard import STOP_GRACE_S
from tests.support.engines import Share
from tests.support.virtual import NEVER, Rule, hold

CLOSED = {"kind": "closed", "users": 5, "duration_s": 20}
OPEN = {"kind": "open", "rate_per_s": 4, "duration_s": 10}
UNANSWERED = ("timeout", "unanswered")
STOPPED = ("aborted", "stopped")


def outcomes(share: Share) -> Counter[tuple[str, str | None]]:
    return Counter((turn["out"], turn["code"]) for turn in share.turns)


def hangs(from_s: float, usual_s: float = 0.1) -> Rule:
    return Rule(lambda _number, at_s: NEVER if at_s >= from_s else usual_s)


@pytest.mark.parametrize("from_s", [0.5, 3.0, 12.0, 19.85])
def test_who_waits_for_a_target_that_hangs_is_unanswered_at_the_end(from_s: float, tmp_path: Path) -> None:
    share = hold(hangs(from_s), CLOSED, tmp_path)
    found = outcomes(share)
    assert found[UNANSWERED] == 5
    assert set(found) == {("ok", None), UNANSWERED}
    closes = [line for line in share.lines if line["k"] == "close" and line["out"] != "completed"]
    assert [(line["out"], line["code"]) for line in closes] == [("failed", "unanswered")] * 5


def test_every_arrival_after_the_hang_is_unanswered(tmp_path: Path) -> None:
    found = outcomes(hold(hangs(2.9), OPEN, tmp_path))
    assert found == {("ok", None): 12, UNANSWERED: 28}


def test_a_target_that_never_answers_leaves_no_turn_aborted(tmp_path: Path) -> None:
    assert outcomes(hold(hangs(0.0), OPEN, tmp_path)) == {UNANSWERED: 40}


def test_one_answer_that_never_comes_is_one_failure(tmp_path: Path) -> None:
    rule = Rule(lambda number, _at: NEVER if number == 7 else 0.3)
    found = outcomes(hold(rule, OPEN, tmp_path))
    assert found == {("ok", None): 39, UNANSWERED: 1}


def test_answers_that_come_within_the_grace_are_answers(tmp_path: Path) -> None:
    rule = Rule(lambda _number, _at: 25.0)
    assert outcomes(hold(rule, OPEN, tmp_path)) == {("ok", None): 40}


def test_a_wait_that_the_runs_own_answers_explain_is_no_failure(tmp_path: Path) -> None:
    rule = Rule(lambda number, _at: 18.0 if number % 2 else 9.0)
    found = outcomes(hold(rule, {**CLOSED, "grace_s": 4}, tmp_path))
    assert found[STOPPED] > 0
    assert set(found) == {("ok", None), STOPPED}


def test_a_short_wait_is_no_hang(tmp_path: Path) -> None:
    found = outcomes(hold(hangs(19.8), {**CLOSED, "grace_s": 0.5}, tmp_path))
    assert found[STOPPED] == 5


@pytest.mark.parametrize("reason", ["stopped", "supervisor_gone", "budget: tokens: x", "aborted: engine_error: x"])
def test_what_somebody_stops_stays_stopped(reason: str, tmp_path: Path) -> None:
    found = outcomes(hold(hangs(3.0), CLOSED, tmp_path, stop_at_s=15.0, reason=reason))
    assert found[STOPPED] == 5
    assert UNANSWERED not in found


def test_a_stop_within_the_grace_is_a_stop(tmp_path: Path) -> None:
    found = outcomes(hold(hangs(3.0), CLOSED, tmp_path, stop_at_s=25.0))
    assert found[STOPPED] == 5


def test_a_threshold_says_how_long_a_turn_may_wait(tmp_path: Path) -> None:
    rule = Rule(lambda number, _at: NEVER if number > 1 else 9.0)
    load = {**CLOSED, "users": 3, "grace_s": 3}
    assert outcomes(hold(rule, load, tmp_path)) == {("ok", None): 2, UNANSWERED: 1, STOPPED: 2}
    assert outcomes(hold(rule_again(), load, tmp_path, answer_within_s=10.0)) == {("ok", None): 2, UNANSWERED: 3}


def rule_again() -> Rule:
    return Rule(lambda number, _at: NEVER if number > 1 else 9.0)


def test_a_user_who_waits_for_a_connection_is_a_failure_too(tmp_path: Path) -> None:
    rule = Rule(lambda _number, _at: 0.1, connects=lambda at_s: NEVER if at_s >= 2 else 0.0)
    load: dict[str, Any] = {
        "kind": "closed",
        "users": 0,
        "stages": [{"duration_s": 4, "to": 4}, {"duration_s": 6, "to": 4}],
    }
    share = hold(rule, load, tmp_path)
    waited = [turn for turn in share.turns if turn["code"] == "unanswered"]
    assert len(waited) == 2
    assert {turn["sent"] for turn in waited} == {None}


def test_a_hang_is_seen_while_the_run_goes_on(tmp_path: Path) -> None:
    share = hold(hangs(3.0), CLOSED, tmp_path, thresholds_wait_s=60.0)
    seen = [(line["at"] / 1e9, line["overdue"]) for line in share.lines if line["k"] == "gen"]
    assert all(overdue == 0 for at_s, overdue in seen if at_s < 8)
    assert all(overdue == 5 for at_s, overdue in seen if 9 < at_s < 49)


def drips(takes: Callable[[int, float], float], every_s: float = 0.5) -> Rule:
    return Rule(takes, drips_s=every_s)


def from_then_on(from_s: float, usual_s: float) -> Callable[[int, float], float]:
    return lambda _number, at_s: NEVER if at_s >= from_s else usual_s


def told(share: Share, load: dict[str, Any]) -> set[str]:
    """The codes of the verdict's reasons and notes."""
    ledger = b"".join(orjson.dumps(line) + b"\n" for line in share.lines)
    facts = RunFacts(1, "completed", "t", "s", load, None)
    verdict = build_report(facts, merge(parse(ledger, 1, 1).windows.values()))["verdict"]
    return {text.partition(":")[0] for text in [*verdict["reasons"], *verdict["notes"]]}


@pytest.mark.parametrize(("every_s", "usual_s"), [(0.5, 1.0), (0.01, 1.0), (4.0, 2.5)])
def test_an_answer_that_drips_for_ever_is_unanswered(every_s: float, usual_s: float, tmp_path: Path) -> None:
    share = hold(drips(from_then_on(15.0, usual_s), every_s), CLOSED, tmp_path)
    found = outcomes(share)
    assert found[UNANSWERED] == 5
    assert set(found) == {("ok", None), UNANSWERED}
    details = [turn["detail"] for turn in share.turns if turn["code"] == "unanswered"]
    assert all(re.search(r"its last text came [\d.]+ s before", detail) for detail in details)
    assert "stopped_answering" in told(share, CLOSED)


def test_one_of_many_answers_that_drips_for_ever_is_one_failure(tmp_path: Path) -> None:
    rule = drips(lambda number, _at: NEVER if number == 20 else 0.9)
    assert outcomes(hold(rule, OPEN, tmp_path)) == {("ok", None): 39, UNANSWERED: 1}


def test_a_long_stream_that_others_explain_is_no_failure(tmp_path: Path) -> None:
    """It has gone on for 20 s among answers of 11 s when it is cut off."""
    load = {**CLOSED, "users": 12, "duration_s": 21, "grace_s": 10}
    share = hold(drips(lambda number, _at: 40.0 if number == 12 else 11.0), load, tmp_path)
    found = outcomes(share)
    assert (found[STOPPED], found[UNANSWERED]) == (1, 0)
    assert told(share, load) >= {"few_cut_off"}


def test_a_long_stream_that_ends_within_the_grace_is_an_answer(tmp_path: Path) -> None:
    rule = drips(lambda number, _at: 25.0 if number == 12 else 1.0)
    assert set(outcomes(hold(rule, CLOSED, tmp_path))) == {("ok", None)}


@pytest.mark.parametrize("whole", [0, 1, 9])
def test_with_few_whole_answers_the_verdict_says_that_a_stream_was_not_judged(whole: int, tmp_path: Path) -> None:
    rule = drips(lambda number, _at: NEVER if number >= whole else 0.9)
    share = hold(rule, OPEN, tmp_path)
    assert outcomes(share) == Counter({STOPPED: 40 - whole, ("ok", None): whole})
    assert "hang_not_judged" in told(share, OPEN)


@pytest.mark.parametrize("hangs_from", [2, 10_000])
def test_users_who_wait_since_the_warm_up_are_missing_from_the_load(hangs_from: int, tmp_path: Path) -> None:
    """Their turns are in no figure, and half of the load that was asked for never was."""
    load = {**CLOSED, "users": 4, "warm_up_s": 5}
    rule = Rule(lambda number, _at: NEVER if hangs_from <= number < hangs_from + 2 else 0.5)
    share = hold(rule, load, tmp_path)
    assert outcomes(share)[UNANSWERED] == (2 if hangs_from < 5 else 0)
    ledger = b"".join(orjson.dumps(line) + b"\n" for line in share.lines)
    windows = parse(ledger, 1, 1, counted=(5 * 10**9, None)).windows.values()
    report = build_report(RunFacts(1, "completed", "t", "s", load, None), merge(windows))
    said = [text for text in report["verdict"]["reasons"] if text.startswith("load_missing")]
    assert [("2 messages of the warm-up wait" in text) for text in said] == ([True] if hangs_from < 5 else [])


def test_one_engine_without_an_answer_is_not_hidden_by_another(tmp_path: Path) -> None:
    """Two of 1,000 turns are far below the share from which cut-off turns are a reason."""
    load = {**CLOSED, "users": 2}
    dripping = hold(drips(lambda _number, _at: NEVER), load, tmp_path)
    healthy = hold(Rule(lambda _number, _at: 0.02), load, tmp_path)
    parts = [
        parse(b"".join(orjson.dumps(line) + b"\n" for line in share.lines), 1, shard).windows.values()
        for shard, share in enumerate((dripping, healthy), 1)
    ]
    report = build_report(RunFacts(1, "completed", "t", "s", load, None), merge(chain(*parts)))
    (said,) = (text for text in report["verdict"]["reasons"] if text.startswith("hang_not_judged"))
    assert "2 of them had lasted long" in said


def test_a_dripping_answer_is_seen_while_the_run_goes_on(tmp_path: Path) -> None:
    share = hold(drips(from_then_on(10.0, 1.0)), CLOSED, tmp_path, thresholds_wait_s=60.0)
    seen = [(line["at"] / 1e9, line["overdue"], line["hung"]) for line in share.lines if line["k"] == "gen"]
    assert all(overdue == 0 for at_s, overdue, _ in seen if at_s < 15)
    assert all(overdue == 5 for at_s, overdue, _ in seen if 17 < at_s < 49)
    assert all(hung == 5 for at_s, _, hung in seen if 47 < at_s < 49)


def test_the_ledger_says_when_the_load_ended(tmp_path: Path) -> None:
    def end_s(load: dict[str, Any], **how: Any) -> float | None:
        (tail,) = (line for line in hold(Rule(lambda _n, _a: 2.0), load, tmp_path, **how).lines if line["k"] == "tail")
        return None if tail["load"] is None else round(tail["load"] / 1e9, 2)

    assert end_s(OPEN) == 10
    assert end_s(OPEN, stop_at_s=4.0) == 4
    assert end_s({"kind": "open", "rate_per_s": 10, "conversations": 30}) == 3
    assert end_s({"kind": "closed", "users": 3, "conversations": 30}) is None


def test_the_load_s_own_end_gives_no_more_time_to_what_is_being_stopped(tmp_path: Path) -> None:
    """The supervisor kills an engine that has not ended ten seconds after a stop."""
    reason = "stopped: budget: no_success: no turn was good for 15 s"
    share = hold(hangs(3.0), {**CLOSED, "grace_s": 30.0}, tmp_path, stop_at_s=19.0, reason=reason)
    (tail,) = (line for line in share.lines if line["k"] == "tail")
    assert 19 < tail["at"] / 1e9 < 19 + STOP_GRACE_S + 1
    assert outcomes(share)[UNANSWERED] == 5


def test_a_text_whose_end_never_came_names_the_end_mark() -> None:
    assert "`done`" in Unanswered(9.0, 0.0, silent_s=3.0).detail
    assert "`done`" not in Unanswered(9.0, 0.0).detail
