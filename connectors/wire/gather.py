"""Reading many calm connections together: most of what a chunk costs is waking up for it alone.

Reads carry the kernel's own stamps, so that reading two milliseconds later makes no arrival time worse, unless two
chunks of one connection fall into them: they then share a stamp. Reads are therefore gathered only while
connections are read rarely (on average at most once in `CALM` naps) and often enough in all for it to save something.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

NAP_S: Final = 0.002
CALM: Final = 8
BUSY: Final = 16
"""Reads per nap, of all connections, from which on gathering pays."""
SAMPLE_S: Final = 0.1


class Gatherer:
    """The connections of one event loop: each has the loop's own reader, or all are polled once every `NAP_S`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reads: Callable[[], int]) -> None:
        self._loop = loop
        self._reads = reads
        self._readers: dict[int, Callable[[], None]] = {}
        self._poll: select.epoll | None = None
        self._sampled = (0, 0)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def gathering(self) -> bool:
        return self._poll is not None

    def add(self, fd: int, reader: Callable[[], None]) -> None:
        """Call `reader` from the loop whenever `fd` can be read."""
        self._readers[fd] = reader
        if self._poll is not None:
            self._poll.register(fd, select.EPOLLIN)
        else:
            self._loop.add_reader(fd, reader)
        if self._timer is None and hasattr(select, "epoll"):
            self._sample()

    def remove(self, fd: int) -> None:
        """Call it before `fd` is closed. Safe for one that was never added."""
        if self._readers.pop(fd, None) is None:
            return
        if self._poll is not None:
            self._poll.unregister(fd)
        else:
            self._loop.remove_reader(fd)
        if not self._readers:
            self._stop()

    def _sample(self) -> None:
        """Every `SAMPLE_S`: is it worth while, or still?"""
        reads, now_ns = self._reads(), time.monotonic_ns()
        before, then_ns = self._sampled
        self._sampled = reads, now_ns
        if then_ns:
            per_nap = (reads - before) * NAP_S * 1e9 / (now_ns - then_ns)
            slack = 2 if self._poll is not None else 1
            worth = BUSY / slack <= per_nap <= slack * len(self._readers) / CALM
            if worth and self._poll is None:
                self._begin()
            elif not worth and self._poll is not None:
                self._end()
        self._timer = self._loop.call_later(SAMPLE_S, self._sample)

    def _begin(self) -> None:
        self._poll = select.epoll()
        for fd in self._readers:
            self._loop.remove_reader(fd)
            self._poll.register(fd, select.EPOLLIN)
        self._loop.call_later(NAP_S, self._read, self._poll)

    def _end(self) -> None:
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.close()
        for fd, reader in self._readers.items():
            self._loop.add_reader(fd, reader)

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._poll is not None:
            self._end()
        self._sampled = (0, 0)

    def _read(self, poll: select.epoll) -> None:
        if poll is not self._poll:
            return  # it ended meanwhile
        self._loop.call_later(NAP_S, self._read, poll)
        readers = self._readers
        for fd, _ in poll.poll(0, len(readers)):
            if (reader := readers.get(fd)) is not None:  # one reader may close another's connection
                reader()


_gatherers: WeakKeyDictionary[asyncio.AbstractEventLoop, Gatherer] = WeakKeyDictionary()


def gatherer(loop: asyncio.AbstractEventLoop, reads: Callable[[], int]) -> Gatherer:
    """The loop's one Gatherer. `reads` counts all reads so far."""
    if (found := _gatherers.get(loop)) is None:
        found = _gatherers[loop] = Gatherer(loop, reads)
    return found
