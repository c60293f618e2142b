"""Whether numbers come from a distribution."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np


def ks_limit(count: int) -> float:
    """Of `count` values that do come from a distribution, one set in a hundred is farther away from it than this
    (Kolmogorov's limit, for many values)."""
    return 1.628 / math.sqrt(count)


def ks_distance(values: np.ndarray, cumulative: Callable[[np.ndarray], np.ndarray]) -> float:
    """The statistic of Kolmogorov and Smirnov: the most by which the share of values up to x differs from
    `cumulative(x)`, on either side of each step."""
    values = np.sort(values)
    expected, steps = cumulative(values), np.arange(len(values) + 1) / len(values)
    return float(max(np.max(steps[1:] - expected), np.max(expected - steps[:-1])))
