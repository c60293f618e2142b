"""Arrival times from kernel stamps: CLOCK_REALTIME, as the kernel gives them, turned into the monotonic clock."""

from __future__ import annotations

import socket
import struct
import time
from functools import cache
from typing import Literal

SO_TIMESTAMPNS = 35
"""Linux's number on every architecture but sparc and parisc; Python has no name for it."""

EARLY_NS = 400_000
"""How long before its time a request may be ready to be sent."""

_timespec = struct.Struct("qq").unpack
_LATENESS_LIMIT_NS = 2_000_000_000
"""A stamp older than this at the time of its read is a clock step, not a busy loop."""


def _offset_ns() -> int:
    """CLOCK_REALTIME minus CLOCK_MONOTONIC, from the tightest of five brackets (well under a microsecond)."""
    return min(_bracket() for _ in range(5))[1]


def _bracket() -> tuple[int, int]:
    before = time.monotonic_ns()
    real = time.time_ns()
    after = time.monotonic_ns()
    return after - before, real - (before + after) // 2


def not_before(at_ns: int) -> int:
    """The time (monotonic ns), at least `at_ns`: waits actively if called early, by at most `EARLY_NS`.

    It waits awake. To be woken takes a sleeping process tens of microseconds, now more, now less, and so much would
    each request be late, and the gaps between requests uneven.
    """
    now = time.monotonic_ns()
    if now < at_ns <= now + EARLY_NS:
        while now < at_ns:
            now = time.monotonic_ns()
    return now


class ArrivalClock:
    """One per process. Call `sample` at least every second: the offset moves when the wall clock is set or slewed."""

    __slots__ = ("_offset", "kernel", "steps", "user")

    def __init__(self) -> None:
        self.kernel = 0
        self.user = 0
        self.steps = 0
        self.sample()

    def sample(self) -> None:
        self._offset = _offset_ns()

    def forget(self) -> None:
        """Reset the counts of reads."""
        self.kernel = self.user = self.steps = 0

    def reads(self) -> int:
        """How many reads there were."""
        return self.kernel + self.user

    @property
    def source(self) -> Literal["kernel", "user"]:
        """Where arrival times come from: "user" as soon as more than one read in a hundred carried no stamp."""
        return "user" if self.user * 100 > self.kernel else "kernel"

    def arrival(self, ancillary: list[tuple[int, int, bytes]], now_ns: int) -> int:
        """When the kernel received the last byte of a read, or `now_ns` if unknown. Both monotonic ns.

        A stamp that lies in the future, or far back, shows that the wall clock was set since the last sample. The
        offset is taken anew; if that does not explain the stamp (it is from before the step), the read's own time
        counts.
        """
        if not ancillary:
            self.user += 1
            return now_ns
        _level, kind, stamp = ancillary[0]
        if kind != SO_TIMESTAMPNS:
            self.user += 1
            return now_ns
        self.kernel += 1
        seconds: int
        nanoseconds: int
        seconds, nanoseconds = _timespec(stamp)
        real = seconds * 1_000_000_000 + nanoseconds
        arrived_ns = real - self._offset
        late = now_ns - arrived_ns
        if late >= 0 and late < _LATENESS_LIMIT_NS:  # a chain of both costs a third more, for each read
            return arrived_ns
        self.sample()
        return now_ns - self._after_step(now_ns - (real - self._offset))

    def _after_step(self, late: int) -> int:
        if 0 <= late < _LATENESS_LIMIT_NS:
            return late
        self.steps += 1
        return 0


def stamp_reads(sock: socket.socket) -> None:
    """Ask the kernel for a stamp on every read of `sock`; quietly no stamps where it cannot."""
    try:
        sock.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
    except OSError:
        return  # `ArrivalClock` finds out at the first read and says "user"


def keep_stamping() -> socket.socket:
    """A stamped socket to hold open as long as the process lives: the kernel switches stamping on a moment after the
    first socket asks for it and off after the last one closes, so that each first read would go without."""
    sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    stamp_reads(sock)
    return sock


def probe(patience_s: float = 0.1) -> Literal["kernel", "user"]:
    """Whether reads on this machine carry the kernel's stamps. Takes up to `patience_s`, usually a millisecond."""
    until = time.monotonic() + patience_s
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection(server.getsockname()) as reader:
        writer, _ = server.accept()
        stamp_reads(reader)
        with writer:
            while time.monotonic() < until:
                writer.send(b"x")
                _, ancillary, _, _ = reader.recvmsg(1, 64)
                if ancillary:
                    return "kernel"
                time.sleep(0.001)
    return "user"


@cache
def arrival_clock() -> ArrivalClock:
    """The process's one clock of arrivals."""
    return ArrivalClock()
