"""One engine's share of a load's `max_turns_per_s`."""

from __future__ import annotations

from runs.engine.core.clock import sleep_until


class TurnCap:
    """Spaces the turns of one engine evenly: `of` engines together send at most `turns_per_s`."""

    def __init__(self, turns_per_s: float, of: int) -> None:
        self._gap_ns = int(of * 1e9 / turns_per_s)
        self._next_ns = 0

    async def slot(self, planned_ns: int) -> int:
        """Wait until a turn may be sent, and return that time: `planned_ns` (monotonic), or later."""
        planned_ns = max(planned_ns, self._next_ns)
        self._next_ns = planned_ns + self._gap_ns
        await sleep_until(planned_ns)
        return planned_ns
