"""The next deadline of a turn and its error: one rule for all connectors of both lanes."""

from __future__ import annotations

from connectors.errors import TimedOut
from connectors.spec import Timeouts


def next_deadline(timeouts: Timeouts, *, began_ns: int, sent_ns: int, last_ns: int | None) -> tuple[int, str]:
    """The next deadline (monotonic ns) and its code. `began_ns`: when the turn's first request was sent; `sent_ns`: the
    one in flight, which may be another behind a redirect; `last_ns`: the last byte received, None before the first."""
    total = (began_ns + int(timeouts.total * 1e9), "total_timeout")
    if last_ns is None:
        return min(total, (sent_ns + int(timeouts.first_byte * 1e9), "first_byte_timeout"))
    return min(total, (last_ns + int(timeouts.idle * 1e9), "idle_timeout"))


def timed_out(code: str, timeouts: Timeouts, bytes_in: int, lacking: str = "") -> TimedOut:
    """The deadline with `code` has passed. `lacking`: what the answer still lacks (`Timeline.lacking`)."""
    seconds: float = getattr(timeouts, code.removesuffix("_timeout"))
    return TimedOut(code, f"{seconds:g} s passed; {bytes_in} bytes had come{lacking}")
