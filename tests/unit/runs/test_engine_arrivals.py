"""Open-loop arrivals: every shard computes its own share of one plan."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from runs.engine.arrivals import arrivals
from runs.engine.spec import OpenLoad

LOADS = st.builds(
    OpenLoad,
    rate_per_s=st.floats(0.5, 500),
    arrivals=st.sampled_from(["constant", "poisson"]),
    duration_s=st.floats(0.1, 5),
)


@given(LOADS, st.integers(0, 2**32))
def test_arrivals_ascend_within_the_duration(load: OpenLoad, seed: int) -> None:
    times = list(arrivals(load, seed))
    assert all(a <= b for a, b in pairwise(times))
    assert all(0 <= at < load.duration_s * 1e9 for at in times)  # type: ignore[operator] # drawn with a duration


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
