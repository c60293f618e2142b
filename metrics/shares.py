"""Reads shares as people write them: `30%` or `0.3`. Pure."""

from __future__ import annotations

import math


def parse_share(text: str) -> float:
    """The number that `text` stands for: 0.3 for `30%` and for `0.3`. Raises ValueError if it is not finite or not a
    number; the caller checks its range."""
    number = text.strip()
    percent = number.endswith("%")
    value = float(number.removesuffix("%")) / (100 if percent else 1)
    if not math.isfinite(value):
        raise ValueError(f"{text!r} is not a finite number")
    return value
