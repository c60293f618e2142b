"""An engine's share of the budget: counted before and after each turn."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.end_codes import EndCode
from runs.engine.core.budget_meter import KNOWN_TURNS, BudgetMeter, SpentError
from runs.load.budget import Budget

PRICES = {"small": {"input": 1.0, "output": 2.0}, "*": {"input": 10.0, "output": 20.0}}


class Engine:
    """Sends turns as a budget allows, and keeps what it was told."""

    def __init__(self, index: int = 0, of: int = 1, **budget: Any) -> None:
        self.ended: list[tuple[EndCode, str, bool]] = []
        self.meter = BudgetMeter(
            Budget.model_validate(budget), index, of, "small", lambda *told: self.ended.append(told)
        )
        self.user: Any = SimpleNamespace(budget_reserved=False)

    def begin(self, turns: int = 1) -> None:
        for _ in range(turns):
            self.meter.reserve(self.user)

    def end(
        self, tokens_in: int | None, tokens_out: int | None, model: str = "", out: str = "ok", code: str | None = None
    ) -> None:
        self.meter.record_usage({"ti": tokens_in, "to": tokens_out, "out": out, "code": code}, model, self.user)

    def turn(self, tokens_in: int | None, tokens_out: int | None, model: str = "", out: str = "ok") -> None:
        self.begin()
        self.end(tokens_in, tokens_out, model, out)

    @property
    def words(self) -> list[str]:
        return [reason for _, reason, _ in self.ended]


@given(st.integers(1, 500), st.integers(1, 9))
def test_engines_together_begin_as_many_turns_as_the_budget_has(turns: int, of: int) -> None:
    begun = 0
    for index in range(of):
        engine = Engine(index, of, turns=turns)
        with pytest.raises(SpentError):
            for _ in range(turns + 1):
                engine.begin()
                begun += 1
        assert engine.words == ["budget: turns: its share is used up"] or turns < of
    assert begun == turns


def test_the_last_turn_is_its_users_to_finish() -> None:
    engine = Engine(turns=2)
    engine.turn(1, 1)
    assert not engine.user.budget_reserved
    engine.begin()
    assert engine.user.budget_reserved
    assert engine.ended == [(EndCode.BUDGET_TURNS, "budget: turns: its share is used up", True)]


def test_tokens_in_and_out_count_and_those_of_failed_turns_too() -> None:
    engine = Engine(tokens=30)
    engine.turn(5, 5)
    engine.turn(4, None, out="timeout")
    engine.turn(None, None, out="error")
    engine.turn(7, 8, out="aborted")
    assert not engine.ended
    engine.turn(1, 0)
    assert engine.ended == [
        (EndCode.BUDGET_TOKENS, "budget: tokens: its share is used, counting turns in flight", True)
    ]


def test_what_is_in_flight_counts_at_the_mean_of_the_turns_so_far() -> None:
    engine = Engine(tokens=1000)
    engine.begin(50)
    for _ in range(KNOWN_TURNS - 1):
        engine.end(5, 5)
    assert not engine.ended
    engine.end(5, 5)  # 200 are spent, 300 on their way
    assert not engine.ended
    engine.begin(49)
    engine.end(5, 5)  # 210, and 78 more on their way
    assert not engine.ended
    engine.begin(2)
    engine.end(5, 5)  # 220 and 79 turns on their way: 1010
    assert len(engine.ended) == 1


def test_each_model_has_its_price_and_the_star_is_for_the_others() -> None:
    engine = Engine(cost=1.0, prices=PRICES)
    engine.turn(100_000, 100_000)  # the target's own model: 0.1 + 0.2
    engine.turn(10_000, 10_000, "unknown")  # 0.1 + 0.2
    engine.turn(199_999, 100_000, "small")  # one millionth short of 1.0
    assert not engine.ended
    engine.turn(2, 0, "small")
    assert engine.words == ["budget: cost: its share is used, counting turns in flight"]


def test_money_is_divided_evenly_and_tokens_to_the_last() -> None:
    engines = [Engine(index, 3, tokens=10, cost=3.0, prices=PRICES) for index in range(3)]
    for engine, share in zip(engines, (4, 3, 3), strict=True):
        engine.turn(share - 1, 0)
        assert not engine.ended
        engine.turn(1, 0)
        assert len(engine.ended) == 1


def test_errors_are_the_whole_runs_and_end_an_engine_that_has_them_alone() -> None:
    engine = Engine(1, 4, errors=3)
    for out in ("error", "timeout", "ok", "aborted", "unknown"):
        engine.turn(1, 1, out=out)
    assert not engine.ended
    engine.begin()
    engine.end(1, 1, out="aborted", code="user_left")
    why = "budget: errors: 3 turns failed, as many as the budget allows"
    assert engine.ended == [(EndCode.BUDGET_ERRORS, why, False)]


def test_the_end_is_told_once() -> None:
    engine = Engine(tokens=1, turns=2, errors=1)
    engine.turn(1, 1, out="error")
    engine.turn(1, 1, out="error")
    assert len(engine.ended) == 1
