"""Open-loop arrivals: every shard computes its own share of one plan."""

import math
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from runs.load.arrivals import arrivals
from runs.load.profile import OpenLoad
from tests.support.data.statistics import ks_distance, ks_limit

LOADS = st.builds(
    OpenLoad,
    rate_per_s=st.floats(0.5, 500),
    arrivals=st.sampled_from(["constant", "poisson"]),
    duration_s=st.floats(0.1, 5),
)


@given(LOADS, st.integers(0, 2**32))
@example(OpenLoad(rate_per_s=50, duration_s=1.1), 0)
def test_arrivals_ascend_within_the_duration(load: OpenLoad, seed: int) -> None:
    times = list(arrivals(load, seed))
    assert all(a <= b for a, b in pairwise(times))
    assert load.duration_s is not None
    assert all(0 <= at < load.duration_s * 1e9 for at in times)


def test_a_constant_rate_does_not_drift() -> None:
    times = list(arrivals(OpenLoad(rate_per_s=30, conversations=9001), seed=1))
    assert times[-1] == 300 * 10**9


def test_poisson_gaps_have_the_mean_and_spread_of_their_rate() -> None:
    times = list(arrivals(OpenLoad(rate_per_s=500, arrivals="poisson", conversations=50_000), seed=3))
    gaps = [(b - a) / 1e9 for a, b in pairwise(times)]
    mean = sum(gaps) / len(gaps)
    spread = (sum((gap - mean) ** 2 for gap in gaps) / len(gaps)) ** 0.5
    assert abs(mean * 500 - 1) < 0.02
    assert abs(spread * 500 - 1) < 0.03


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("of", [1, 2, 3])
def test_the_gaps_of_a_poisson_plan_are_exponential_and_those_of_a_share_are_sums_of_them(seed: int, of: int) -> None:
    load = OpenLoad(rate_per_s=500, arrivals="poisson", conversations=20_000)
    whole = np.array(list(arrivals(load, seed))) / 1e9
    gaps = np.diff(whole[1::of])

    def erlang(x: np.ndarray) -> np.ndarray:
        """Of a Poisson process every `of`-th arrival: the sum of so many gaps."""
        terms = sum((500 * x) ** k / math.factorial(k) for k in range(of))
        return np.asarray(1 - np.exp(-500 * x) * terms)

    assert ks_distance(gaps, erlang) < ks_limit(len(gaps))


def test_the_test_of_gaps_finds_what_is_no_poisson_process() -> None:
    load = OpenLoad(rate_per_s=500, arrivals="poisson", conversations=20_000)
    whole = np.array(list(arrivals(load, 3))) / 1e9

    def far(times: np.ndarray) -> bool:
        gaps = np.diff(times)
        return bool(ks_distance(gaps, lambda x: 1 - np.exp(-500 * x)) > ks_limit(len(gaps)))

    assert not far(whole)
    assert far(whole * 1.03)
    assert far(np.sort(np.round(whole, 3)))  # whole milliseconds, as an event loop's timers
    assert far(np.array(list(arrivals(OpenLoad(rate_per_s=500, conversations=20_000), 3))) / 1e9)
