"""The bench's judgement: what it calls met, missed and equal."""

from __future__ import annotations

from dataclasses import replace
from math import inf

import pytest
from rich.console import Console

from tests.bench import run
from tests.bench.measure import K6, K6_READS, LOCUST, OURS, Cost, Fidelity, Goal, Round, compare

STREAMS = Fidelity(400, "SSE", 25_600, 17_000.0, "kernel", 50.02, 3, (Goal("arrival error p99, ms", 0.02, 0.1),), ())


def costs(ours: float, k6: float, locust: float = 1000, mismatches: tuple[str, ...] = ()) -> list[Cost]:
    rates = {OURS: ours, K6: k6, K6_READS: k6, LOCUST: locust}
    return [Cost(tool, (Round(rate, 50.0, mismatches),)) for tool, rate in rates.items()]


def printed(streams: list[Fidelity], found: list[Cost]) -> tuple[str, bool]:
    table, fine = run.make_table(streams, found)
    console = Console(width=200)
    with console.capture() as captured:
        console.print(table)
    return captured.get(), fine


@pytest.mark.parametrize(
    ("value", "at_least", "met"), [(2.0, True, True), (1.99, True, False), (2.0, False, True), (2.01, False, False)]
)
def test_a_goal_counts_its_limit_as_met(value: float, at_least: bool, met: bool) -> None:
    assert Goal("x", value, 2.0, at_least).met is met


def test_all_well() -> None:
    text, fine = printed([STREAMS], costs(ours=2000, k6=1000))
    assert fine and "missed" not in text and "kernel timestamps" in text


@pytest.mark.parametrize(
    ("streams", "found", "said"),
    [
        ([replace(STREAMS, goals=(Goal("arrival error p99, ms", 0.2, 0.1),))], [], "missed"),
        ([replace(STREAMS, mismatches=("turns: 1 against 2",))], [], "turns: 1 against 2"),
        ([], costs(ours=1999, k6=1000), "missed"),
        ([], costs(ours=2000, k6=1000, mismatches=("tokens: 3 against 4",)), "tokens: 3 against 4"),
    ],
)
def test_a_miss_is_shown_and_makes_the_exit_code(streams: list[Fidelity], found: list[Cost], said: str) -> None:
    text, fine = printed(streams, found)
    assert not fine and said in text


def test_what_has_no_goal_is_shown_and_never_missed() -> None:
    text, fine = printed([replace(STREAMS, over="Socket.IO", goals=(Goal("arrival error p99, ms", 5.0, inf),))], [])
    assert fine and "over Socket.IO" in text and "5.000" in text and "inf" not in text


def test_rates_are_medians_of_the_rounds() -> None:
    rounds = tuple(Round(rate, rate / 10, ()) for rate in (900.0, 100.0, 300.0))
    assert (Cost(K6, rounds).rate, Cost(K6, rounds).cpu_us) == (300.0, 30.0)


def test_only_what_differs_is_a_mismatch() -> None:
    assert compare({"turns": (3, 3), "tokens": (4, 5)}) == ("tokens: 4 against 5",)


def test_bad_usage_exits_2() -> None:
    with pytest.raises(SystemExit, match="2"):
        run.main(["--only", "everything"])
