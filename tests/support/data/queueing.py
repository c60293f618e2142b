"""Windows as a queue would leave them: `places` answers at once, each of which takes `service_s`; the rest waits.

By queueing theory, without noise: what a load test of such a target finds once it has settled.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from metrics.columns import OUTCOMES, TOKEN_SOURCES
from metrics.histogram import Histogram

NS = 1_000_000_000
TOKENS = 10


@dataclass(frozen=True)
class Queue:
    """A target whose limit is `places` users, or `places / service_s` conversations a second."""

    places: float
    service_s: float = 0.1

    def closed(self, users: float) -> tuple[float, float]:
        """(turns a second, seconds a turn): the users share the places (Little's law)."""
        return min(users, self.places) / self.service_s, self.service_s * max(1.0, users / self.places)

    def open(self, rate: float, since_s: float) -> tuple[float, float]:
        """The same `since_s` after the beginning: beyond the limit the line grows without end."""
        limit = self.places / self.service_s
        return min(rate, limit), self.service_s + max(0.0, rate / limit - 1) * since_s


def window(second: int, turns_per_s: float, turn_s: float, *, shard: int = 1, active: int = 1, **more: Any) -> Any:
    """One second's window of equal turns that began as long before their end as they took."""
    count = round(turns_per_s)
    values = [round(turn_s * NS)] * count
    histograms = {name: Histogram.of(values).to_json() for name in ("ttft_ms", "e2e_ms", "send_lag_ms")}
    nothing = dict.fromkeys(("chunks", "bytes_in", "bytes_out", "tokens_in"), 0)
    turns = {
        "out": [count if word == "ok" else 0 for word in OUTCOMES],
        "sources": [count if word == "usage" else 0 for word in TOKEN_SOURCES],
        "sent": count,
        "tokens_out": count * TOKENS,
        "tokens_out_ok": count * TOKENS,
        "first": round((second - turn_s) * NS),
        "last": second * NS + NS // 2,
        "m": histograms,
        **nothing,
    }
    at = second * NS + NS // 2
    generator = {"gen": [[at, at // 100, 60_000_000, active, active, 0]]}
    return {"v": 1, "shard": shard, "second": second, **(turns if count else {}), **generator, **more}


Measured = Callable[[float, float], tuple[float, float]]
"""(level, seconds since it was set) to (turns a second, seconds a turn)."""


def windows(level: float, set_s: float, from_s: int, to_s: int, measured: Measured, **more: Any) -> list[Any]:
    """Of the seconds [from_s, to_s), in which `level` is held since `set_s`."""
    return [
        window(second, *measured(level, second - set_s), active=round(level), **more) for second in range(from_s, to_s)
    ]
