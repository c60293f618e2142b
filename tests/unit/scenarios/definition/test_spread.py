"""Distributions: their mean and spread, their cuts, and one draw a number."""

from __future__ import annotations

from random import Random
from statistics import fmean, pstdev

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from scenarios.definition.spread import Spread, at_pace_s

SHARES = [(n + 0.5) / 20_000 for n in range(20_000)]


@pytest.mark.parametrize(
    ("spread", "mean", "sd"),
    [
        (Spread(mean=3), 3.0, 0.0),
        (Spread(kind="uniform", low=2, high=6), 4.0, 4 / 12**0.5),
        (Spread(kind="normal", mean=512, sd=64), 512.0, 64.0),
        (Spread(kind="lognormal", mean=2, sd=1), 2.0, 1.0),
        (Spread(kind="exponential", mean=5), 5.0, 5.0),
    ],
)
def test_draws_have_the_mean_and_the_spread_that_are_asked_for(spread: Spread, mean: float, sd: float) -> None:
    values = [spread.at(share) for share in SHARES]
    assert fmean(values) == pytest.approx(mean, rel=0.005)
    assert pstdev(values) == pytest.approx(sd, rel=0.02, abs=1e-9)
    assert values == sorted(values)


@given(
    kind=st.sampled_from(["normal", "lognormal", "exponential", "uniform"]),
    low=st.floats(0, 100),
    width=st.floats(0, 100),
    share=st.floats(0, 1),
)
def test_no_draw_lies_outside_the_cuts(kind: str, low: float, width: float, share: float) -> None:
    sd = {"sd": 20} if "normal" in kind else {}
    spread = Spread.model_validate({"kind": kind, "mean": 50, "low": low, "high": low + width, **sd})
    assert low <= spread.at(share) <= low + width


def test_a_number_takes_one_draw_so_that_the_next_does_not_depend_on_its_kind() -> None:
    for kind in ("uniform", "normal", "lognormal", "exponential"):
        rng, other = Random(7), Random(7)
        Spread.model_validate({"kind": kind, "mean": 1, "high": 9}).draw(rng)
        other.random()
        assert rng.random() == other.random()


@pytest.mark.parametrize(
    ("data", "why"),
    [
        ({"kind": "uniform"}, "needs `high`"),
        ({"kind": "normal", "mean": 1, "low": 5, "high": 2}, "below low"),
        ({"kind": "lognormal", "sd": 1}, "needs a `mean`"),
        ({"kind": "exponential", "mean": 1, "sd": 1}, "has no `sd`"),
        ({"kind": "normal", "mean": float("nan")}, "than or equal"),
        ({"mean": -1}, "greater than or equal"),
    ],
)
def test_a_spread_that_makes_no_sense_is_refused(data: dict[str, object], why: str) -> None:
    with pytest.raises(ValidationError, match=why):
        Spread.model_validate(data)


def test_people_read_and_type_five_characters_a_word() -> None:
    assert at_pace_s(1000, 200) == pytest.approx(60.0)
    assert at_pace_s(1000, None) == 0.0
