"""Calm connections are read together, restless ones at once; nothing is lost when it changes."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import pytest

from connectors.wire.transport import batch_reader
from connectors.wire.transport.batch_reader import POLLS_PER_READ, READS_PER_POLL, BatchReader


class Wires:
    """Socket pairs, whose near ends are read by a BatchReader; how many reads it counts is set by `pace`."""

    def __init__(self, number: int) -> None:
        self.samples = 0
        self._per_poll = self._before = 0.0
        self._since = time.monotonic()
        self.got: dict[int, bytes] = {}
        self.near: list[socket.socket] = []
        self.far: list[socket.socket] = []
        self.reader = BatchReader(asyncio.get_running_loop(), self._reads)
        for at in range(number):
            near, far = socket.socketpair()
            near.setblocking(False)
            self.near.append(near)
            self.far.append(far)
            self.got[at] = b""
            self.reader.add(near.fileno(), partial(self.readable, at))

    def readable(self, at: int) -> None:
        self.read(at)  # which a test may replace

    def read(self, at: int) -> None:
        self.got[at] += self.near[at].recv(100)

    def close(self, at: int) -> None:
        if self.near[at].fileno() >= 0:
            self.reader.remove(self.near[at].fileno())
        self.near[at].close()

    async def pace(self, per_poll: float) -> None:
        """Let two whole samples pass in which `per_poll` reads are counted per poll, by the clock."""
        self._before = self._counted()
        self._since, self._per_poll = time.monotonic(), per_poll
        seen = self.samples
        while self.samples < seen + 3:  # the first began at another pace
            await asyncio.sleep(batch_reader.SAMPLE_S / 10)

    def _reads(self) -> int:
        self.samples += 1
        return int(self._counted())

    def _counted(self) -> float:
        return self._before + self._per_poll * (time.monotonic() - self._since) / batch_reader.POLL_S


@contextmanager
def wires(number: int) -> Iterator[Wires]:
    made = Wires(number)
    try:
        yield made
    finally:
        for at in range(number):
            made.close(at)
            made.far[at].close()


def test_many_calm_connections_are_polled_until_they_are_few_or_restless() -> None:
    async def run() -> None:
        number = READS_PER_POLL * POLLS_PER_READ * 2
        with wires(number) as found:
            states = []
            for per_poll in (1, READS_PER_POLL * 1.5, number / 2, READS_PER_POLL * 1.5, 1):
                await found.pace(per_poll)
                states.append(found.reader.is_polling)
                for at in (0, number - 1):
                    found.far[at].send(b"x")
            await asyncio.sleep(0.05)
            assert states == [False, True, False, True, False]
            assert found.got[0] == found.got[number - 1] == b"xxxxx"

    asyncio.run(run())


def test_a_reader_may_close_the_connection_that_is_read_next() -> None:
    async def run() -> None:
        number = READS_PER_POLL * POLLS_PER_READ * 2
        with wires(number) as found:
            await found.pace(READS_PER_POLL * 1.5)
            assert found.reader.is_polling
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


def test_one_that_is_read_alone_waits_for_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    async def run() -> None:
        number = READS_PER_POLL * POLLS_PER_READ * 2
        with wires(number) as found:
            for alone in (0, 1):
                found.reader.remove(found.near[alone].fileno())
                found.reader.add(found.near[alone].fileno(), partial(found.readable, alone), alone=True)
            await found.pace(READS_PER_POLL * 1.5)
            states = [found.reader.is_polling]
            monkeypatch.setattr(found.reader, "_read", lambda poll: None)  # the others are not polled any longer
            await asyncio.sleep(5 * batch_reader.POLL_S)
            found.close(1)
            for at in (0, 2):
                found.far[at].send(b"x")
            while not found.got[0]:
                await asyncio.sleep(0.001)
            assert (found.got[0], found.got[2]) == (b"x", b"")
            await found.pace(1)
            assert [*states, found.reader.is_polling] == [True, False]
            assert (found.got[0], found.got[2]) == (b"x", b"x")

    asyncio.run(run())


def test_the_loop_is_left_as_it_was_when_the_last_connection_ends() -> None:
    async def run() -> bool:
        with wires(READS_PER_POLL * POLLS_PER_READ * 2) as found:
            await found.pace(READS_PER_POLL * 1.5)
            assert found.reader.is_polling
        return found.reader.is_polling

    assert not asyncio.run(run())
