"""Limits the number of answers in progress; further requests wait for a free slot, as before a full GPU."""

from __future__ import annotations

import asyncio
import time
from collections import deque


class ConcurrencyLimit:
    """At most `limit` answers at once; later requests wait in the order of their arrival.

    A slot is taken over at the time at which its answer was due to end, so that a timer's lateness does not add up
    and the capacity is `limit` answers in the time of one.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[asyncio.Future[float]] = deque()

    async def take(self) -> float:
        """Returns when a slot is free, with the seconds by which that is later than now. `give` must follow."""
        if self._free:
            self._free -= 1
            return 0.0
        came_s = time.monotonic()
        turn: asyncio.Future[float] = asyncio.get_running_loop().create_future()
        self._waiting.append(turn)
        try:
            return max(0.0, await turn - came_s)
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give(turn.result())
            raise

    def give(self, ended_s: float) -> None:
        """The slot is free since `ended_s` (monotonic)."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(ended_s)
                return
        self._free += 1
