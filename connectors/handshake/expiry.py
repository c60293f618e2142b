"""When the result of a handshake step must be renewed."""

from __future__ import annotations

import math
import time
from typing import Any

POINT_IN_TIME = 1e9
"""No token lives for thirty years: from this number on an expiry is a time since 1970."""
RENEW_EARLY_S = 10.0
RENEW_EARLY_SHARE = 0.05
"""A token is renewed this long before it expires: a request in flight at the expiry would be refused."""


def told_lifetime_s(told: Any) -> float | None:
    """Seconds after which to renew a value with the reported lifetime `told` (seconds or a time); None if it is
    unusable."""
    if isinstance(told, bool):
        return None
    try:
        number = float(told)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number) or number <= 0:
        return None
    if number >= POINT_IN_TIME:
        at_s = number / 1000 if number >= 1000 * POINT_IN_TIME else number
        number = max(at_s - time.time(), 0.0)
    return number - min(RENEW_EARLY_S, RENEW_EARLY_SHARE * number)
