"""The live rate is that of the target: true for loads with warm-up, for engines that begin at different times, and for
engines that store late. The truth is counted turn by turn, never read from the windows."""

from __future__ import annotations

from bisect import bisect_left
from itertools import pairwise
from typing import Any

import orjson
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from metrics.analysis.totals import Aggregate
from metrics.ingest.batch import parse
from runs.reporting.live_rates import LiveRates
from tests.unit.metrics.made import turn

S = 10**9
DURATION_S = 30
LATENCY_NS = S // 50


class Engine:
    """Sends `rate` turns a second from `begin_s` on; stores at a time t what it wrote up to t - `late_s(t)`."""

    def __init__(self, shard: int, rate: int, begin_s: float, late: list[float]) -> None:
        self.shard = shard
        self.planned = [int(begin_s * S) + number * S // rate for number in range(int((DURATION_S - begin_s) * rate))]
        self._late = late
        self._lines = [*map(self._turn, self.planned), *map(self._sample, range(1, DURATION_S + 1)), self._tail()]
        self._lines.sort(key=lambda pair: pair[0])
        self._stored = 0

    def _turn(self, planned_ns: int) -> tuple[int, dict[str, Any]]:
        done_ns = planned_ns + LATENCY_NS
        number = self.shard << 32 | planned_ns % (1 << 32)
        times = dict.fromkeys(("planned", "sent"), planned_ns) | dict.fromkeys(("fb", "fc", "ft", "lc"), done_ns)
        return done_ns, turn(number, n=0, **times, done=done_ns)

    def _sample(self, second: int) -> tuple[int, dict[str, Any]]:
        at = second * S + 30_000_000
        line = {"k": "gen", "at": at, "cpu_ns": 0, "rss": 0, "lag": [], "active": 1, "inflight": 1, "dropped": 0}
        return at, line

    def _tail(self) -> tuple[int, dict[str, Any]]:
        at = (DURATION_S + 1) * S
        line = {
            "k": "tail",
            "at": at,
            "reason": "done",
            "turns": len(self.planned),
            "sessions": 0,
            "load": DURATION_S * S,
        }
        return at, line

    def store(self, at_s: int, counted: tuple[int, int | None]) -> list[dict[str, Any]]:
        """The windows that it stores then."""
        until_ns = (at_s - self._late[at_s % len(self._late)]) * S
        first = self._stored
        while self._stored < len(self._lines) and self._lines[self._stored][0] <= until_ns:
            self._stored += 1
        if self._stored == first:
            return []
        lines = b"".join(orjson.dumps(line) + b"\n" for _, line in self._lines[first : self._stored])
        return list(parse(lines, 1, self.shard, counted=counted).windows.values())


class Truth:
    """Of turns that count: how many ended when."""

    def __init__(self, engines: list[Engine], counted: tuple[int, int | None]) -> None:
        first, last = counted[0], counted[1] or DURATION_S * S
        found = (planned for engine in engines for planned in engine.planned if first <= planned < last)
        self._ends = sorted(planned + LATENCY_NS for planned in found)

    def turns(self, from_s: int, to_s: int) -> int:
        """In [from_s, to_s)."""
        return bisect_left(self._ends, to_s * S) - bisect_left(self._ends, from_s * S)


late = st.lists(st.floats(0, 6), min_size=1, max_size=5)
engines = st.lists(st.tuples(st.integers(5, 25), st.floats(0, 4), late), min_size=1, max_size=4)
ONE_LATE = [(40, 0.0, [0.0]), (43, 0.0, [0.2, 3.4])]


@settings(max_examples=25, deadline=None)
@given(engines, st.sampled_from([0.0, 2.5, 8.0]), st.sampled_from([0.0, 6.0]))
@example(ONE_LATE, 0.0, 0.0)
@example([(40, 0.0, [0.0]), (40, 3.0, [5.0])], 4.0, 0.0)
def test_the_live_rate_is_the_true_one(made: list[tuple[int, float, list[float]]], warm_up: float, cool: float) -> None:
    load = {"duration_s": float(DURATION_S), "warm_up_s": warm_up, "cool_down_s": cool}
    counted = int(warm_up * S), int((DURATION_S - cool) * S) if cool else None
    working = [Engine(shard, *engine) for shard, engine in enumerate(made, 1)]
    rates, everything = LiveRates(load, []), Aggregate()
    reached = dict.fromkeys((engine.shard for engine in working), 0.0)
    seen = [rates.complete]
    truth = Truth(working, counted)
    for at_s in range(1, DURATION_S + 8):
        for engine in working:
            for data in engine.store(at_s, counted):
                everything.add(data)
                rates.add(data)
                for row in data.get("gen", ()):
                    reached[engine.shard] = row[0] / S
        rates.reach(min(reached.values()))
        complete = rates.complete
        assert complete["at_s"] == int(min(reached.values()))
        whole = truth.turns(0, complete["at_s"])
        per_s = rates.rates(everything)["turns_per_s"]
        lasted_s = min(float(complete["at_s"]), DURATION_S - cool) - warm_up
        assert (per_s is None) == (lasted_s <= 0)
        if per_s is not None:
            assert per_s * lasted_s == pytest.approx(whole, abs=1e-6)
        seen.append(complete)
    for before, now in pairwise(seen):  # as the live page draws it
        assert now["ok"] - before["ok"] == truth.turns(before["at_s"], now["at_s"])
    rates.reach(DURATION_S, everything)
    assert rates.complete["ok"] == everything.outcomes["ok"] == truth.turns(0, DURATION_S + 1)
    assert rates.rates(everything)["turns_per_s"] == pytest.approx(whole / (DURATION_S - cool - warm_up), rel=0.01)


def test_a_late_engine_does_not_make_the_others_look_faster() -> None:
    """What one looked like: 83 turns a second, and 119 on the page."""
    working = [Engine(shard, *engine) for shard, engine in enumerate(ONE_LATE, 1)]
    rates, everything = LiveRates({"duration_s": 30.0}, []), Aggregate()
    for engine, stored_s in zip(working, (10, 4), strict=True):
        engine._late = [0.0]
        for data in engine.store(stored_s, (0, None)):
            everything.add(data)
            rates.add(data)
    rates.reach(4.0)
    assert everything.rates(4.0)["turns_per_s"] == pytest.approx((40 * 10 + 43 * 4) / 4, rel=0.02)
    assert rates.rates(everything)["turns_per_s"] == pytest.approx(83, rel=0.02)
    assert rates.figures(everything)["rates"]["turns_per_s"] == pytest.approx(83, rel=0.02)
    assert rates.figures(everything)["rates"]["error_rate"] == 0
