"""How many streams a target allows on a connection at a time, and who waits for one."""

from __future__ import annotations

import asyncio
from collections import deque

from connectors.errors import ClosedUnsent


class StreamLimit:
    """`active` streams are open, of `allowed`."""

    __slots__ = ("_waiting", "active", "allowed")

    def __init__(self) -> None:
        self.active = self.allowed = 0
        self._waiting: deque[asyncio.Future[None]] = deque()

    @property
    def is_reached(self) -> bool:
        return self.active >= self.allowed or bool(self._waiting)

    async def wait(self) -> None:
        """Until one more is allowed, which the caller then has. Raises ClosedUnsent if the connection ends."""
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiter)
        try:
            await waiter
        except asyncio.CancelledError:
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self.give_back()
            raise

    def give_back(self) -> None:
        """A stream is over."""
        self.active -= 1
        self.admit()

    def admit(self) -> None:
        """Those who wait, as far as is allowed, in the order in which they came."""
        while self._waiting and self.active < self.allowed:
            waiter = self._waiting.popleft()
            if not waiter.done():
                self.active += 1
                waiter.set_result(None)

    def drop(self) -> None:
        """The connection takes no more streams."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(ClosedUnsent())
