"""Reads many quiet connections in one batch, because waking up for a single chunk is most of its cost.

Reads carry the kernel's own time stamps, so reading two milliseconds later does not change arrival times, unless two
chunks of one connection arrive within them: they then share a stamp. Connections are therefore polled together only
while each is read rarely (on average at most once in `POLLS_PER_READ` polls) and all of them often enough to save time.
"""

from __future__ import annotations

import asyncio
import select
import time
from collections.abc import Callable
from typing import Final
from weakref import WeakKeyDictionary

POLL_S: Final = 0.002
POLLS_PER_READ: Final = 8
READS_PER_POLL: Final = 16
"""Reads of all connections per poll from which on polling pays."""
SAMPLE_S: Final = 0.1


class BatchReader:
    """The connections of one event loop: each has the loop's own reader, or all are polled once every `POLL_S`."""

    def __init__(self, loop: asyncio.AbstractEventLoop, reads: Callable[[], int]) -> None:
        self._loop = loop
        self._reads = reads
        self._readers: dict[int, Callable[[], None]] = {}
        self._grouped: set[int] = set()
        """Those that may be polled."""
        self._poll: select.epoll | None = None
        self._ended: select.epoll | None = None
        self._sampled = (0, 0)
        self._timer: asyncio.TimerHandle | None = None

    @property
    def is_polling(self) -> bool:
        return self._poll is not None

    def add(self, fd: int, reader: Callable[[], None], *, alone: bool = False) -> None:
        """Call `reader` from the loop whenever `fd` can be read; `alone`: never once in a while with others."""
        self._readers[fd] = reader
        self._watch_for_the_end(fd)
        if not alone:
            self._grouped.add(fd)
        if self._poll is not None and not alone:
            self._poll.register(fd, select.EPOLLIN)
        else:
            self._loop.add_reader(fd, reader)
        if self._timer is None and hasattr(select, "epoll"):
            self._sample()

    def remove(self, fd: int) -> None:
        """Call it before `fd` is closed. Safe for one that was never added."""
        if self._readers.pop(fd, None) is None:
            return
        if self._ended is not None:
            self._ended.unregister(fd)
        if self._poll is not None and fd in self._grouped:
            self._poll.unregister(fd)
        else:
            self._loop.remove_reader(fd)
        self._grouped.discard(fd)
        if not self._readers:
            self._stop()

    def _watch_for_the_end(self, fd: int) -> None:
        """Wake up when `fd` was reset. libuv tells its reader of that once and never again: where bytes came in front
        of the reset, the reader took these, and would wait for the rest until its deadline."""
        if not hasattr(select, "epoll"):
            return
        if self._ended is None:
            self._ended = select.epoll()
            self._loop.add_reader(self._ended.fileno(), self._read_ended, self._ended)
        self._ended.register(fd, 0)  # errors and hang-ups are reported whatever is asked for

    def _read_ended(self, ended: select.epoll) -> None:
        if ended is not self._ended:
            return  # it was closed meanwhile
        for fd, _ in ended.poll(0, len(self._readers)):
            if (reader := self._readers.get(fd)) is not None:  # one reader may close another's connection
                reader()

    def _sample(self) -> None:
        """Every `SAMPLE_S`: is it worth while, or still?"""
        reads, now_ns = self._reads(), time.monotonic_ns()
        before, then_ns = self._sampled
        self._sampled = reads, now_ns
        if then_ns:
            per_poll = (reads - before) * POLL_S * 1e9 / (now_ns - then_ns)
            slack = 2 if self._poll is not None else 1
            worth = READS_PER_POLL / slack <= per_poll <= slack * len(self._grouped) / POLLS_PER_READ
            if worth and self._poll is None:
                self._begin()
            elif not worth and self._poll is not None:
                self._end()
        self._timer = self._loop.call_later(SAMPLE_S, self._sample)

    def _begin(self) -> None:
        self._poll = select.epoll()
        for fd in self._grouped:
            self._loop.remove_reader(fd)
            self._poll.register(fd, select.EPOLLIN)
        self._loop.call_later(POLL_S, self._read, self._poll)

    def _end(self) -> None:
        poll, self._poll = self._poll, None
        if poll is not None:
            poll.close()
        for fd in self._grouped:
            self._loop.add_reader(fd, self._readers[fd])

    def _stop(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if self._poll is not None:
            self._end()
        if self._ended is not None:
            self._loop.remove_reader(self._ended.fileno())
            self._ended.close()
            self._ended = None
        self._sampled = (0, 0)

    def _read(self, poll: select.epoll) -> None:
        if poll is not self._poll:
            return  # it ended meanwhile
        self._loop.call_later(POLL_S, self._read, poll)
        readers = self._readers
        for fd, _ in poll.poll(0, len(readers)):
            if (reader := readers.get(fd)) is not None:  # as above
                reader()


_readers_of_loops: WeakKeyDictionary[asyncio.AbstractEventLoop, BatchReader] = WeakKeyDictionary()


def batch_reader(loop: asyncio.AbstractEventLoop, reads: Callable[[], int]) -> BatchReader:
    """The loop's one reader. `reads` counts all reads so far."""
    if (found := _readers_of_loops.get(loop)) is None:
        found = _readers_of_loops[loop] = BatchReader(loop, reads)
    return found
