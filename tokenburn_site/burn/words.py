"""Numbers as people read them."""

from __future__ import annotations

NONE = "-"
AWAY = "database away"
"""Shown instead of a run's status while nobody can read it."""


def clock(seconds: float) -> str:
    """`0:07`, `12:34` or `1:02:03`; parts of a second are cut off."""
    minutes, left = divmod(max(0, int(seconds)), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{left:02d}" if hours else f"{minutes}:{left:02d}"


def count(number: int) -> str:
    return f"{number:,}"


def ms(value: float | None) -> str:
    """Milliseconds with three significant figures, from 10 s on in seconds."""
    if value is None:
        return NONE
    if value >= 10_000:
        return f"{value / 1000:,.1f} s"
    digits = 0 if value >= 100 else 1 if value >= 10 else 2
    return f"{value:,.{digits}f} ms"


def per_s(value: float | None) -> str:
    return "" if value is None else f"{value:,.1f}/s"
