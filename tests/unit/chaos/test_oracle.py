"""The judge of chaos, with each way to be wrong planted once."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.chaos.case import Result
from tests.chaos.evidence import Request, holes
from tests.chaos.machine import Lateness, Machine, explains
from tests.chaos.oracle import Finding, Observed, judge
from tests.chaos.plan import Case, Fault
from tests.chaos.summary import Summary

NS = 10**9
MS = 10**6
TURNS = 80


def requests(until_s: float = 8.0, processes: int = 1, witness: int = 0) -> list[Request]:
    engines = [
        Request(int(index * 0.1 * NS), f"tb-5-{index}/1", index * processes + engine)
        for index in range(TURNS)
        for engine in range(processes)
        if index * 0.1 < until_s
    ]
    return [*engines, *(Request(number * NS, f"tb-5-w{number}/1", number) for number in range(witness))]


def run(received: list[Request], **changes: Any) -> dict[str, Any]:
    turns = [[request.turn, "ok", True] for request in received if "-w" not in request.turn]
    witness = sum("-w" in request.turn for request in received)
    return {
        "id": 5, "status": "completed", "reason": "", "terminal": True, "unstored": 0, "shards": ["done"],
        "turns": turns, "open_sessions": 0, "witness": {"turns": {"sent": witness, "ok": witness}},
        "reported": {"ok": len(turns)}, "verdict": {"trusted": True, "reasons": [], "notes": []},
        "late": [], "dropped": 0, "starts_ns": [0],
    } | changes  # fmt: skip


def doubted(*reasons: str, **changes: Any) -> dict[str, Any]:
    return {"verdict": {"trusted": not reasons, "reasons": list(reasons), "notes": []}, **changes}


def seen(
    *faults: str, done: tuple[str, ...] | None = None, until_s: float = 8.0, hit_s: float = 2.0, **changes: Any
) -> Observed:
    received = requests(until_s, witness=3)
    case = Case(1, "sqlite", "burn", 1, "--users 8", 8, tuple(Fault(name, 2.0) for name in faults))
    return Observed(case, dict.fromkeys(faults if done is None else done, hit_s), received, run(received, **changes))


def wrong(observed: Observed) -> list[str]:
    return [finding.category for finding in judge(observed)]


def test_a_healthy_run_that_is_trusted_is_right() -> None:
    assert wrong(seen()) == []


@pytest.mark.parametrize(
    ("observed", "category"),
    [
        (seen("kill_burn", done=(), **doubted("engine_died: x")), "fault_missed"),
        (replace(seen(), run=None), "unaccounted"),
        (seen(terminal=False, status="running"), "non-terminal"),
        (seen(turns=run(requests())["turns"][1:], reported={"ok": TURNS - 1}), "unaccounted"),
        (
            seen(turns=[*run(requests())["turns"], ["tb-5-999/1", "ok", True]], reported={"ok": TURNS + 1}),
            "unaccounted",
        ),
        (seen(reported={"ok": 1}), "unaccounted"),
        (seen(open_sessions=1), "unaccounted"),
        (seen(unstored=1), "unaccounted"),
        (replace(seen(), received=[*requests(witness=3), requests()[0]]), "duplicates"),
        (seen(turns=[*run(requests())["turns"], ["tb-5-1/1", "ok", True]], reported={"ok": TURNS + 1}), "duplicates"),
        (seen(witness=None), "witness mismatches"),
        (seen(witness={"turns": {"sent": 2}}), "witness mismatches"),
        (seen(witness={"turns": {"sent": 5, "unknown": 1}}), "witness mismatches"),
        (seen("kill_engine", status="failed"), "untrue verdicts"),
        (seen("pause_burn_long", status="failed", **doubted("load_missing: x")), "untrue verdicts"),
        (seen("kill_burn", status="failed", **doubted("load_missing: x")), "untrue verdicts"),
        (seen("kill_engine", status="failed", **doubted("send_lag: x")), "untrue verdicts"),
        (seen(until_s=5.0), "untrue verdicts"),
        (seen(verdict=None), "untrue verdicts"),
        (seen(status="failed", reason="x"), "untrue verdicts"),
        (seen(**doubted("engine_stalled: x")), "untrue verdicts"),
        (seen("interrupt_burn", until_s=5.0, status="completed"), "untrue verdicts"),
        (seen(verdict={"trusted": True, "reasons": ["few_samples: x"], "notes": []}), "untrue verdicts"),
    ],
)
def test_whatever_is_wrong_is_found(observed: Observed, category: str) -> None:
    assert category in wrong(observed)


@pytest.mark.parametrize(
    "observed",
    [
        seen("kill_engine", until_s=5.0, status="failed", **doubted("engine_died: x", "turns_unknown: 3")),
        seen("interrupt_burn", until_s=5.0, status="stopped"),
        seen("pause_engine", **doubted("engine_stalled: x", "send_lag: y")),
        seen("pause_burn"),
        seen("pause_engine", "disk_full", until_s=4.0, status="failed", **doubted("engine_died: x")),
        seen("pause_burn_long", until_s=7.0, status="failed", **doubted("load_missing: x")),
        seen("kill_burn", hit_s=7.8, until_s=7.9, status="failed", **doubted("load_missing: x")),
        seen(witness={"turns": {"sent": 4, "unknown": 1}}),
        seen(**doubted("few_samples: x")),
        replace(seen("target_dies", until_s=2.0), away=[(2.0, float("inf"))]),
        replace(
            seen("target_dies", "kill_burn", until_s=2.0, status="failed", **doubted("load_missing: x")),
            away=[(2.0, float("inf"))],
        ),
    ],
)
def test_a_fault_that_the_verdict_knows_of_is_right(observed: Observed) -> None:
    assert wrong(observed) == []


LATE = Lateness(at_once_ms=600, share=0.3)
BEGAN = "engine 1 began 2.2 s after the agreed start"


@pytest.mark.parametrize(
    ("reasons", "late", "categories"),
    [
        (["loop_lag: x"], LATE, {"machine_busy"}),
        (["loop_lag: x"], Lateness(90, 0.4, 0.4), {"untrue verdicts"}),
        (["engine_stalled: x"], Lateness(300, 0.4, 0.03), {"machine_busy"}),
        (["engine_stalled: x"], Lateness(300, 0.4, 0.02), {"untrue verdicts"}),
        (["engine_died: x"], LATE, {"untrue verdicts"}),
        (["send_lag: x"], LATE, {"untrue verdicts"}),  # late at some time is not late at that moment
        (["loop_lag: x", "witness_disagrees: y"], LATE, {"machine_busy", "untrue verdicts"}),
        ([f"load_missing: {BEGAN}. Its load is missing from then on."], Lateness(9, 0.3), {"machine_busy"}),
        (
            [f"load_missing: {BEGAN}; engine 2 ended early. Its load is missing from then on."],
            LATE,
            {"untrue verdicts"},
        ),
    ],
)
def test_a_busy_machine_excuses_lateness_and_nothing_else(
    reasons: list[str], late: Lateness, categories: set[str]
) -> None:
    assert set(wrong(replace(seen(**doubted(*reasons)), late=late))) == categories


def test_each_engine_is_looked_at_alone_and_a_target_that_was_away_is_no_hole() -> None:
    both = requests(processes=2)
    assert holes(both, 2, 8.0) == []
    one_gone = [request for request in both if request.number % 2 == 0 or request.at_ns < 3 * NS]
    assert [(hole.engine, hole.to_s) for hole in holes(one_gone, 2, 8.0)] == [(1, 8.0)]
    gap = [request for request in both if not 3 * NS < request.at_ns < 5 * NS]
    assert [hole.engine for hole in holes(gap, 2, 8.0)] == [0, 1]
    assert holes(gap, 2, 8.0, [(3.0, 5.0)]) == []
    assert len(holes([], 2, 8.0)) == 2


def test_lateness_is_the_sleepers_or_that_of_the_engine_that_waited_most() -> None:
    span = range(0, NS)
    assert Machine([(1, 50 * MS), (2 * NS, 900 * MS)]).lateness(span) == Lateness(50.0, 0.05)
    waits = {7: [(0, 0), (NS // 2, 200 * MS), (NS, 250 * MS)], 8: [(0, 7), (NS, 7)]}
    assert Machine([], waits).lateness(span) == Lateness(200.0, 0.25, 0.2)
    assert Machine().lateness(span) == Lateness()
    assert not explains(Lateness(10_000, 1.0, 1.0), "engine_died")


def engine_7(*waited_ms: float) -> dict[int, list[tuple[int, int]]]:
    """It was looked at each 200 ms, and had waited for so many ms more each time."""
    return {7: [(number * 200 * MS, int(sum(waited_ms[:number]) * MS)) for number in range(len(waited_ms) + 1)]}


LATE_40 = [(7, 250 * MS, 290 * MS, 40 * MS)] * 10
"""Ten messages of engine 7 that left 40 ms late, all between two looks."""


@pytest.mark.parametrize(
    ("machine", "late", "excused"),
    [
        (Machine(), LATE_40, False),
        (Machine(waits=engine_7(0, 20, 0)), LATE_40, True),
        (Machine(waits=engine_7(0, 19, 0)), LATE_40, False),
        (Machine(waits=engine_7(500, 0, 500)), LATE_40, False),  # it was late at other moments
        (Machine(waits={8: engine_7(0, 500, 0)[7]}), LATE_40, False),  # another engine was
        (Machine([(280 * MS, 20 * MS)]), LATE_40, True),
        (Machine([(271 * MS, 10 * MS), (281 * MS, 10 * MS)]), LATE_40, True),
        (Machine([(249 * MS, 200 * MS), (600 * MS, 200 * MS)]), LATE_40, False),
        (Machine(waits=engine_7(0, 20, 0)), [*LATE_40[1:], (7, 500 * MS, 540 * MS, 40 * MS)], True),  # nine of ten
        (Machine(waits=engine_7(0, 20, 0)), [*LATE_40[2:], *[(7, 500 * MS, 540 * MS, 40 * MS)] * 2], False),
        (Machine(waits=engine_7(0, 20, 30)), [(7, 350 * MS, 450 * MS, 100 * MS)], True),  # over two looks
        (Machine(waits=engine_7(500, 500, 500)), [], False),  # it is unknown which messages were late
    ],
)
def test_late_messages_are_the_machines_where_it_was_late_at_that_moment(
    machine: Machine, late: list[tuple[int, int, int, int]], excused: bool
) -> None:
    observed = replace(seen(**doubted("send_lag: x", late=late)), late=LATE, machine=machine)
    assert wrong(observed) == ["machine_busy" if excused else "untrue verdicts"]


@pytest.mark.parametrize(
    ("waited_ms", "dropped", "excused"),
    [
        ([0] * 39 + [15, 0], 3, True),  # 30 ms of arrivals are missing
        ([0] * 39 + [14, 0], 3, False),
        ([500] * 30 + [0] * 11, 3, False),  # it was late before
    ],
)
def test_dropped_arrivals_are_the_machines_where_it_was_late_at_the_end(
    waited_ms: list[float], dropped: int, excused: bool
) -> None:
    observed = seen(**doubted("arrivals_dropped: x", dropped=dropped))
    case = replace(observed.case, level="--rate 100/s")
    observed = replace(observed, case=case, late=LATE, machine=Machine(waits=engine_7(*waited_ms)))
    assert wrong(observed) == ["machine_busy" if excused else "untrue verdicts"]


def test_the_summary_counts_healthy_runs_and_what_became_of_them() -> None:
    summary, healthy = Summary(), seen().case
    busy = Finding("machine_busy", "send_lag")
    for findings, trusted in (([], True), ([busy], False), ([Finding("untrue verdicts", "x")], False)):
        summary.add(Result(healthy, (), 5, "completed", findings, LATE, 1.0, trusted))
    summary.add(Result(seen("kill_burn").case, ("kill_burn",), 5, "failed", [busy], LATE, 1.0))
    lines = list(summary.lines(60.0))
    assert "runs without a fault: 3, of which 1 trusted and 1 excused" in lines
    assert "machine_busy: 2 of 4 runs doubted, and excused by the late machine" in lines
