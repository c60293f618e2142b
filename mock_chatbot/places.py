"""How many answers are under way at once: beyond that a request waits for its turn, as before a GPU that is full."""

from __future__ import annotations

import asyncio
import time
from collections import deque


class Places:
    """At most `limit` answers at once; who comes later waits in the order of coming.

    A place is taken over at the time at which its answer was due to end, so that a timer's lateness does not add up
    and the capacity is `limit` answers in the time of one.
    """

    def __init__(self, limit: int) -> None:
        self._free = limit
        self._waiting: deque[asyncio.Future[float]] = deque()

    async def take(self) -> float:
        """Returns when it is one's turn, with the seconds by which that is later than now. `give` must follow."""
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
        """The place is free since `ended_s` (monotonic)."""
        while self._waiting:
            turn = self._waiting.popleft()
            if not turn.done():
                turn.set_result(ended_s)
                return
        self._free += 1
