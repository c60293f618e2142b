"""The engine's one clock: CLOCK_MONOTONIC, in nanoseconds."""

from __future__ import annotations

import asyncio
import time


async def sleep_until(at_ns: int) -> None:
    """Return at `at_ns` or up to a millisecond later: the event loop's timers count whole milliseconds."""
    while (left := at_ns - time.monotonic_ns()) > 0:
        await asyncio.sleep(left / 1e9)
