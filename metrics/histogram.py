"""A mergeable histogram of whole numbers (nanoseconds, for times) with logarithmic buckets.

Bucket k holds the whole numbers v with GAMMA**k <= v < GAMMA**(k + 1). What it stands for is the harmonic
middle of its smallest and largest whole number, so that a quantile is at most RELATIVE_ERROR away from the
exact nearest-rank value; minimum, maximum, count and sum are exact. Zero has a bucket of its own and negative
values mirror the positive ones (a clock can read a few ns early). The idea of the buckets is DDSketch's
(Masson, Rim, Lee: "DDSketch", VLDB 2019).

Bounds are whole numbers computed without floats, and a float's rounding is corrected against them: the same
value falls into the same bucket on every machine, which is what makes aggregates reproducible from rows.

By hand for that reason: the package ddsketch trusts the float, hdrhistogram needs the range of values in advance and
takes no negative ones, and both take values one by one where ingest has arrays of them.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from typing import Any

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]

GAMMA = 1.01
RELATIVE_ERROR = 0.005
"""(GAMMA - 1) / (GAMMA + 1) is 0.004975, the maximum relative error of a quantile."""
LIMIT = 2**52
"""Larger values (52 days in ns) are counted in the last bucket; sum, min and max still contain them exactly."""


def _bounds() -> Ints:
    """The smallest whole number of each bucket: ceil(1.01**k), by exact integer arithmetic."""
    bounds, numerator, denominator = [], 1, 1
    while True:
        bound = -(-numerator // denominator)
        bounds.append(bound)
        if bound > LIMIT:
            return np.array(bounds, dtype=np.int64)
        numerator, denominator = numerator * 101, denominator * 100
        excess = denominator.bit_length() - 2000
        if excess > 0:  # 2000 bits are far more than rounding at 52 bits can notice
            numerator, denominator = numerator >> excess, denominator >> excess


_BOUNDS = _bounds()
_LAST = len(_BOUNDS) - 2
_LOWS, _HIGHS = _BOUNDS[:-1].astype(float), (_BOUNDS[1:] - 1).astype(float)
_MIDDLES = 2 * _LOWS * np.maximum(_HIGHS, _LOWS) / (_LOWS + np.maximum(_HIGHS, _LOWS))
FEW = 16
"""Buckets up to which a loop is faster than arrays."""
DENSE = 16
"""Buckets a value up to which an array of all buckets is cheaper than a sorted list of the filled ones."""
_PER_LOG = 1 / math.log(GAMMA)
_PIECE = 65536  # values at a time: processing that fits the processor's cache is ten times as fast


def bucket_indices(values: Ints) -> Ints:
    """The signed bucket of each value: k + 1 for positive ones, 0 for zero, -(k + 1) for negative ones."""
    size = np.minimum(np.abs(values), LIMIT)
    size_or_one = np.maximum(size, 1)
    k = (np.log(size_or_one) * _PER_LOG).astype(np.int64)
    k += size_or_one >= _BOUNDS[k + 1]
    k -= size_or_one < _BOUNDS[k]
    k += 1
    if len(values) and int(values.min()) > 0:
        return k
    return k * np.sign(values)


class Histogram:
    """Counts per bucket, and the exact count, sum, minimum and maximum. Equal when all of these are equal."""

    __slots__ = ("_base", "_counts", "count", "maximum", "minimum", "total")

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self.minimum: int | None = None
        self.maximum: int | None = None
        self._base = 0  # the signed bucket index of _counts[0]
        self._counts: Ints = np.zeros(0, dtype=np.int64)

    @classmethod
    def of(cls, values: Ints | Sequence[int]) -> Histogram:
        histogram = cls()
        histogram.record(values)
        return histogram

    @classmethod
    def merged(cls, histograms: Iterable[Histogram]) -> Histogram:
        result = cls()
        for histogram in histograms:
            result.merge(histogram)
        return result

    def record(self, values: Ints | Sequence[int]) -> None:
        """Add whole numbers. Cheap per value in large arrays, about 20 us per call for small ones."""
        array = np.asarray(values, dtype=np.int64)
        for start in range(0, len(array), _PIECE):
            piece = array[start : start + _PIECE]
            indices = bucket_indices(piece)
            low = int(indices.min())
            self._add_counts(low, np.bincount(indices - low))
            self._add_exact(len(piece), int(piece.sum()), int(piece.min()), int(piece.max()))

    def merge(self, other: Histogram) -> None:
        """Add all that `other` holds. The order of merging does not matter."""
        if other.minimum is not None and other.maximum is not None:
            self._add_counts(other._base, other._counts)
            self._add_exact(other.count, other.total, other.minimum, other.maximum)

    def _add_exact(self, count: int, total: int, minimum: int, maximum: int) -> None:
        self.count += count
        self.total += total
        self.minimum = minimum if self.minimum is None else min(self.minimum, minimum)
        self.maximum = maximum if self.maximum is None else max(self.maximum, maximum)

    def _add_counts(self, base: int, counts: Ints) -> None:
        self._reach(base, base + len(counts))
        self._counts[base - self._base : base - self._base + len(counts)] += counts

    def _reach(self, low: int, high: int) -> None:
        """Have a place for each bucket of [low, high)."""
        if not len(self._counts):
            self._base, self._counts = low, np.zeros(high - low, dtype=np.int64)
            return
        low, high = min(low, self._base), max(high, self._base + len(self._counts))
        if low != self._base or high != self._base + len(self._counts):
            grown = np.zeros(high - low, dtype=np.int64)
            grown[self._base - low : self._base - low + len(self._counts)] = self._counts
            self._base, self._counts = low, grown

    def mean(self) -> float | None:
        """From the exact sum, not from buckets; None without values."""
        return self.total / self.count if self.count else None

    def quantile(self, q: float) -> float | None:
        """The nearest-rank quantile (the ceil(q * count)-th smallest value) for 0 <= q <= 1; None without values."""
        return self.quantiles([q])[0]

    def quantiles(self, qs: Sequence[float], beyond: int = 0) -> list[float | None]:
        """The same of several; `beyond`: with so many more values that are larger than all of these, None where the
        quantile is one of them."""
        if not self.count or self.minimum is None or self.maximum is None:
            return [None] * len(qs)
        cumulated = np.cumsum(self._counts)
        ranks = (rank_of(q, self.count + beyond) for q in qs)
        return [self._at_rank(cumulated, rank) if rank <= self.count else None for rank in ranks]

    def _at_rank(self, cumulated: Ints, rank: int) -> float:
        low, high = float(self.minimum or 0), float(self.maximum or 0)
        if rank == 1:
            return low
        if rank == self.count:
            return high
        index = self._base + int(np.searchsorted(cumulated, rank))
        middle = math.copysign(float(_MIDDLES[abs(index) - 1]), index) if index else 0.0
        return min(max(middle, low), high)

    def to_json(self) -> dict[str, Any]:
        """The compact form: n, sum, min, max, and the filled buckets as steps from one to the next and counts."""
        if not self.count:
            return {"n": 0}
        filled = np.flatnonzero(self._counts)
        steps = np.diff(filled + self._base, prepend=0).tolist()
        counts = self._counts[filled].tolist()
        return {
            "n": self.count, "sum": self.total, "min": self.minimum, "max": self.maximum, "i": steps, "c": counts,
        }  # fmt: skip

    @classmethod
    def from_json(cls, data: dict[str, Any]) -> Histogram:
        """The opposite of `to_json`. Raises KeyError or ValueError for data that `to_json` did not make."""
        result = cls()
        result.add_json(data)
        return result

    def add_json(self, data: dict[str, Any]) -> None:
        """Add the result of `to_json`. Cheaper than merging, because most histograms of a run have few values."""
        if not data["n"]:
            return
        steps, counts = data["i"], data["c"]
        if len(steps) <= FEW:
            indices = list(accumulate(steps))
            self._reach(indices[0], indices[-1] + 1)
            for index, count in zip(indices, counts, strict=True):
                self._counts[index - self._base] += count
        else:
            places = np.cumsum(np.array(steps, dtype=np.int64))
            self._reach(int(places[0]), int(places[-1]) + 1)
            self._counts[places - self._base] += np.array(counts, dtype=np.int64)
        self._add_exact(data["n"], data["sum"], data["min"], data["max"])

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Histogram) and self.to_json() == other.to_json()

    __hash__ = None  # type: ignore[assignment]  # mutable: equal today, other tomorrow

    def __repr__(self) -> str:
        return f"Histogram(count={self.count}, min={self.minimum}, max={self.maximum})"


def packed(keys: Ints, values: Ints) -> Iterator[tuple[int, dict[str, Any]]]:
    """`to_json` of a histogram of values per key, in order: many small ones at little more than the cost of one large.

    `keys[i]` is that of `values[i]`.
    """
    if not len(values):
        return
    order = np.argsort(keys, kind="stable")
    values = values[order]
    found, starts, numbers = np.unique(keys[order], return_index=True, return_counts=True)
    owners, filled, counts = _filled(np.repeat(np.arange(len(found)), numbers), bucket_indices(values))
    begins = np.searchsorted(owners, np.arange(len(found) + 1))
    steps = np.diff(filled, prepend=0)
    steps[begins[:-1]] = filled[begins[:-1]]
    all_steps, all_counts, edges = steps.tolist(), counts.tolist(), begins.tolist()
    exact = (reduce.reduceat(values, starts).tolist() for reduce in (np.add, np.minimum, np.maximum))
    rows = zip(found.tolist(), numbers.tolist(), *exact, edges[:-1], edges[1:], strict=True)
    for key, n, total, low, high, begin, end in rows:
        yield key, {
            "n": n, "sum": total, "min": low, "max": high, "i": all_steps[begin:end], "c": all_counts[begin:end],
        }  # fmt: skip


def _filled(owners: Ints, indices: Ints) -> tuple[Ints, Ints, Ints]:
    """The buckets that hold something, ordered: whose they are (0, 1, ..), which, and how many values are in them."""
    low = int(indices.min())
    span = int(indices.max()) - low + 1
    places = owners * span + (indices - low)
    if int(owners[-1] + 1) * span <= DENSE * len(places):  # counting is faster than sorting while most buckets count
        counts = np.bincount(places)
        buckets = np.flatnonzero(counts)
        counts = counts[buckets]
    else:
        buckets, counts = np.unique(places, return_counts=True)
    return buckets // span, buckets % span + low, counts


def rank_of(q: float, count: int) -> int:
    """The nearest rank, from 1: ceil(q * count), corrected for the rounding of floats."""
    return min(max(1, math.ceil(q * count - 1e-9)), count)
