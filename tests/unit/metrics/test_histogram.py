from __future__ import annotations

import math
import random
from itertools import pairwise

import numpy as np
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from metrics.histogram import GAMMA, LIMIT, RELATIVE_ERROR, Histogram, bucket_indices, packed, rank_of

TIMES = st.one_of(st.integers(-1000, 1000), st.integers(-(10**10), 10**15), st.sampled_from([0, 1, 2, 99, 100, 101]))
VALUES = st.lists(TIMES, min_size=1, max_size=300)
QUANTILES = st.one_of(st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 0.999, 1.0]), st.floats(0, 1))


def exact(values: list[int], q: float) -> int:
    return sorted(values)[rank_of(q, len(values)) - 1]


@given(VALUES, QUANTILES)
def test_a_quantile_is_within_the_stated_error_of_the_exact_nearest_rank(values: list[int], q: float) -> None:
    found = Histogram.of(values).quantile(q)
    assert found is not None
    truth = exact(values, q)
    assert abs(found - truth) <= RELATIVE_ERROR * abs(truth)


@pytest.mark.parametrize("q", [0.5, 0.9, 0.95, 0.99, 0.999])
def test_quantiles_of_many_values_agree_with_numpy_s_nearest_rank(q: float) -> None:
    values = np.random.default_rng(3).lognormal(17, 1.2, 200_000).astype(np.int64)
    found = Histogram.of(values).quantile(q)
    assert found == pytest.approx(float(np.quantile(values, q, method="inverted_cdf")), rel=RELATIVE_ERROR)


def test_the_stated_error_is_the_harmonic_middle_s_bound() -> None:
    assert (GAMMA - 1) / (GAMMA + 1) <= RELATIVE_ERROR <= 0.01


@given(VALUES)
def test_count_sum_minimum_and_maximum_are_exact(values: list[int]) -> None:
    histogram = Histogram.of(values)
    assert (histogram.count, histogram.total) == (len(values), sum(values))
    assert (histogram.minimum, histogram.maximum) == (min(values), max(values))
    assert histogram.mean() == sum(values) / len(values)
    assert (histogram.quantile(0), histogram.quantile(1)) == (min(values), max(values))


@given(st.lists(VALUES, min_size=1, max_size=6), st.randoms())
def test_merging_in_any_order_equals_recording_at_once(parts: list[list[int]], rng: random.Random) -> None:
    whole = Histogram.of([value for part in parts for value in part])
    shuffled = list(parts)
    rng.shuffle(shuffled)
    assert Histogram.merged(map(Histogram.of, shuffled)) == whole


@given(VALUES)
def test_the_json_form_survives_the_way_there_and_back(values: list[int]) -> None:
    histogram = Histogram.of(values)
    again = Histogram.from_json(orjson.loads(orjson.dumps(histogram.to_json())))
    assert again == histogram
    assert again.quantiles([0.1, 0.5, 0.9]) == histogram.quantiles([0.1, 0.5, 0.9])


def test_an_empty_histogram_knows_nothing() -> None:
    empty = Histogram()
    assert (empty.count, empty.mean(), empty.quantile(0.5)) == (0, None, None)
    assert Histogram.from_json(empty.to_json()) == empty
    empty.record([])
    empty.merge(Histogram())
    assert empty.to_json() == {"n": 0}


@given(st.integers(1, LIMIT))
def test_every_value_lies_within_its_bucket_s_bounds(value: int) -> None:
    k = int(bucket_indices(np.array([value]))[0]) - 1
    assert 101**k <= value * 100**k
    assert value * 100 ** (k + 1) < 101 ** (k + 1)


def test_bucket_bounds_hold_exactly_where_floats_round() -> None:
    bounds = [math.ceil(1.01**k) for k in range(500, 3000, 7)]
    for bound in bounds:
        for value in (bound - 1, bound, bound + 1):
            k = int(bucket_indices(np.array([value]))[0]) - 1
            assert 101**k <= value * 100**k
            assert value * 100 ** (k + 1) < 101 ** (k + 1)


def test_negative_values_mirror_positive_ones_and_zero_stands_between() -> None:
    indices = bucket_indices(np.array([-1000, -1, 0, 1, 1000]))
    assert indices.tolist() == [-index for index in reversed(indices.tolist())]
    assert all(a < b for a, b in pairwise(indices.tolist()))


def test_values_beyond_the_limit_are_counted_and_summed() -> None:
    histogram = Histogram.of([LIMIT * 4, LIMIT * 4, 5])
    assert (histogram.count, histogram.total, histogram.maximum) == (3, LIMIT * 8 + 5, LIMIT * 4)
    assert histogram.quantile(1) == LIMIT * 4


@pytest.mark.parametrize(
    ("q", "count", "rank"), [(0.95, 20, 19), (0.07, 100, 7), (0.99, 100, 99), (0.99, 101, 100), (0, 5, 1), (1, 5, 5)]
)
def test_ranks_are_not_pushed_on_by_a_float_s_last_digit(q: float, count: int, rank: int) -> None:
    assert rank_of(q, count) == rank


def test_many_pieces_are_recorded_like_one() -> None:
    values = np.arange(-70_000, 140_000, dtype=np.int64)
    whole = Histogram.of(values)
    assert whole.count == len(values)
    assert whole == Histogram.merged([Histogram.of(values[:100]), Histogram.of(values[100:])])


@given(st.lists(st.tuples(st.integers(-3, 10**12), TIMES), max_size=300))
def test_many_histograms_in_one_go_are_those_made_one_by_one(pairs: list[tuple[int, int]]) -> None:
    keys, values = (np.array([pair[part] for pair in pairs], dtype=np.int64) for part in (0, 1))
    one_by_one = {key: Histogram.of(values[keys == key]).to_json() for key in sorted(set(keys.tolist()))}
    assert dict(packed(keys, values)) == one_by_one


def test_many_histograms_are_the_same_whether_most_buckets_are_filled_or_few() -> None:
    values = np.arange(1, 4001, dtype=np.int64)
    for keys in (np.zeros(4000, dtype=np.int64), values):
        assert [found["n"] for _, found in packed(keys, values)] == np.unique(keys, return_counts=True)[1].tolist()
        assert sum(sum(found["c"]) for _, found in packed(keys, values)) == 4000


@given(st.lists(VALUES, min_size=1, max_size=6))
def test_adding_packed_histograms_is_merging_them(parts: list[list[int]]) -> None:
    added = Histogram()
    for values in parts:
        added.add_json(Histogram.of(values).to_json())
    added.add_json(Histogram().to_json())
    assert added == Histogram.merged(map(Histogram.of, parts))
    assert added.quantile(0.5) == Histogram.of([value for values in parts for value in values]).quantile(0.5)
