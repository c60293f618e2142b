"""Waits until a time with an accuracy of microseconds. Timers of an event loop count whole milliseconds, which would
delay each of 500 arrivals per second by up to a quarter of its gap.

Linux has timers that are files (timerfd), and a loop waits for files without rounding; Python has them from 3.13 on.
Elsewhere the loop's timers are used.
"""

from __future__ import annotations

import asyncio
import ctypes
import os
import time
from types import TracebackType
from typing import Final, Self

from runs.engine.core.clock import sleep_until

_ABSOLUTE: Final = 1  # TFD_TIMER_ABSTIME
NS_PER_S: Final = 1_000_000_000


class _Setting(ctypes.Structure):
    """struct itimerspec: once, at `second` and `ns`."""

    _fields_ = (
        ("interval_s", ctypes.c_long),
        ("interval_ns", ctypes.c_long),
        ("second", ctypes.c_long),
        ("ns", ctypes.c_long),
    )


class Alarm:
    """A context manager, for one waiting task at a time."""

    def __init__(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._fd = _new_timer()
        self._rings: asyncio.Future[None] | None = None

    def __enter__(self) -> Self:
        if self._fd >= 0:
            self._loop.add_reader(self._fd, self._ring)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._fd >= 0:
            self._loop.remove_reader(self._fd)
            os.close(self._fd)
            self._fd = -1

    async def until(self, at_ns: int) -> None:
        """Return at `at_ns` (CLOCK_MONOTONIC) or some microseconds later."""
        if self._fd < 0:
            await sleep_until(at_ns)
            return
        if at_ns <= time.monotonic_ns():
            return
        self._rings = self._loop.create_future()
        setting = _Setting(0, 0, *divmod(at_ns, NS_PER_S))
        if _libc.timerfd_settime(self._fd, _ABSOLUTE, ctypes.byref(setting), None):
            raise OSError(ctypes.get_errno(), "timerfd_settime")
        await self._rings

    def _ring(self) -> None:
        try:
            os.read(self._fd, 8)
        except BlockingIOError:  # it was rearmed after it fired
            return
        if self._rings is not None and not self._rings.done():
            self._rings.set_result(None)


_libc = ctypes.CDLL(None, use_errno=True)


def _new_timer() -> int:
    """Its descriptor, or -1 where there is none."""
    try:
        return int(_libc.timerfd_create(time.CLOCK_MONOTONIC, os.O_NONBLOCK | os.O_CLOEXEC))
    except AttributeError:
        return -1
