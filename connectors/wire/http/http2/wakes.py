"""Wakes users whose answers are whole one at a time, with reads between them.

A read has one stamp, and many streams share a connection. Where many answers end at once, to go on with all their users
before reading again would make what arrives meanwhile seem late.
"""

from __future__ import annotations

import asyncio
from collections import deque
from weakref import WeakKeyDictionary


class Wakes:
    """Of one event loop, which reads between two of its turns."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._due: deque[asyncio.Future[None]] = deque()
        self._is_busy = False

    def wake(self, turn: asyncio.Future[None]) -> None:
        """Soon, or at once if no other is woken in this turn of the loop."""
        if self._is_busy:
            self._due.append(turn)
            return
        self._is_busy = True
        self._loop.call_soon(self._next)
        turn.set_result(None)

    def _next(self) -> None:
        while self._due:
            turn = self._due.popleft()
            if not turn.done():  # its user may have left meanwhile
                self._loop.call_soon(self._next)
                turn.set_result(None)
                return
        self._is_busy = False


_wakes: WeakKeyDictionary[asyncio.AbstractEventLoop, Wakes] = WeakKeyDictionary()


def wakes() -> Wakes:
    loop = asyncio.get_running_loop()
    if (found := _wakes.get(loop)) is None:
        found = _wakes[loop] = Wakes(loop)
    return found
