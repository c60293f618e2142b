"""How many connections of a process are made at the same time."""

from __future__ import annotations

import asyncio
from typing import Final
from weakref import WeakKeyDictionary

DIALS_AT_ONCE: Final = 32
"""Connections being made at the same time: more would wait in our own loop, and look like a slow target."""
DIAL_S: Final = 0.05
"""A connection attempt that takes longer waits for the target, and no longer counts: otherwise users of a distant or
slow target would wait for each other, and send late."""
_dials: WeakKeyDictionary[asyncio.AbstractEventLoop, asyncio.Semaphore] = WeakKeyDictionary()


class _Dial:
    """One of `DIALS_AT_ONCE`, for `DIAL_S` at most."""

    _timer: asyncio.TimerHandle | None = None

    def __init__(self, dials: asyncio.Semaphore) -> None:
        self._dials = dials

    async def __aenter__(self) -> None:
        await self._dials.acquire()
        self._timer = asyncio.get_running_loop().call_later(DIAL_S, self._over)

    async def __aexit__(self, *_: object) -> None:
        if self._timer is not None:
            self._over()

    def _over(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
            self._dials.release()


def dialling() -> _Dial:
    """To be held while a connection is made."""
    loop = asyncio.get_running_loop()
    if (found := _dials.get(loop)) is None:
        found = _dials[loop] = asyncio.Semaphore(DIALS_AT_ONCE)
    return _Dial(found)
