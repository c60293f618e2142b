"""Calm connections are read together, restless ones at once; nothing is lost when it changes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager

from connectors.wire import gather
from connectors.wire.gather import BUSY, CALM, Gatherer


class Wires:
    """Socket pairs, whose near ends are read by a Gatherer; how many reads it counts is set by `pace`."""

    def __init__(self, number: int) -> None:
        self.samples = 0
        self._per_nap = self._before = 0.0
        self._since = time.monotonic()
        self.got: dict[int, bytes] = {}
        self.near: list[socket.socket] = []
        self.far: list[socket.socket] = []
        self.gatherer = Gatherer(asyncio.get_running_loop(), self._reads)
        for at in range(number):
            near, far = socket.socketpair()
            near.setblocking(False)
            self.near.append(near)
            self.far.append(far)
            self.got[at] = b""
            self.gatherer.add(near.fileno(), lambda at=at: self.read(at))  # type: ignore[misc] # a default in a lambda

    def read(self, at: int) -> None:
        self.got[at] += self.near[at].recv(100)

    def close(self, at: int) -> None:
        if self.near[at].fileno() >= 0:
            self.gatherer.remove(self.near[at].fileno())
        self.near[at].close()

    async def pace(self, per_nap: float) -> None:
        """Let two whole samples pass in which `per_nap` reads are counted a nap, by the clock."""
        self._before = self._counted()
        self._since, self._per_nap = time.monotonic(), per_nap
        seen = self.samples
        while self.samples < seen + 3:  # the first began at another pace
            await asyncio.sleep(gather.SAMPLE_S / 10)

    def _reads(self) -> int:
        self.samples += 1
        return int(self._counted())

    def _counted(self) -> float:
        return self._before + self._per_nap * (time.monotonic() - self._since) / gather.NAP_S


@contextmanager
def wires(number: int) -> Iterator[Wires]:
    made = Wires(number)
    try:
        yield made
    finally:
        for at in range(number):
            made.close(at)
            made.far[at].close()


def test_many_calm_connections_are_gathered_until_they_are_few_or_restless() -> None:
    async def run() -> None:
        number = BUSY * CALM * 2
        with wires(number) as found:
            states = []
            for per_nap in (1, BUSY * 1.5, number / 2, BUSY * 1.5, 1):
                await found.pace(per_nap)
                states.append(found.gatherer.gathering)
                for at in (0, number - 1):
                    found.far[at].send(b"x")
            await asyncio.sleep(0.05)
            assert states == [False, True, False, True, False]
            assert found.got[0] == found.got[number - 1] == b"xxxxx"

    asyncio.run(run())


def test_a_reader_may_close_the_connection_that_is_read_next() -> None:
    async def run() -> None:
        number = BUSY * CALM * 2
        with wires(number) as found:
            await found.pace(BUSY * 1.5)
            assert found.gatherer.gathering
            for at in range(number):
                found.far[at].send(b"x")
            read = found.read

            def closing(at: int) -> None:
                read(at)
                if at < 4:
                    found.close(3 - at)

            found.read = closing  # type: ignore[method-assign] # the test's own reader
            await asyncio.sleep(0.05)
            assert sum(found.got[at] == b"x" for at in range(4)) == 2
            assert all(found.got[at] == b"x" for at in range(4, number))

    asyncio.run(run())


def test_the_loop_is_left_as_it_was_when_the_last_connection_ends() -> None:
    async def run() -> bool:
        with wires(BUSY * CALM * 2) as found:
            await found.pace(BUSY * 1.5)
            assert found.gatherer.gathering
        return found.gatherer.gathering

    assert not asyncio.run(run())
