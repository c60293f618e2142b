"""The names of time zones."""

from __future__ import annotations

from functools import cache
from zoneinfo import available_timezones


@cache
def zones() -> frozenset[str]:
    """Read once: the library opens six hundred files for them."""
    return frozenset(available_timezones())
