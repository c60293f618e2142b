"""How many connections are made at the same time."""

from __future__ import annotations

import asyncio

import pytest

from connectors.wire.transport.dialling import DIAL_S, DIALS_AT_ONCE, dialling
from tests.support.virtual import VirtualLoop


class Dials:
    """So many that begin together; each takes `takes_s`, and fails if `fails`."""

    def __init__(self) -> None:
        self.now = self.most = 0
        self.longest_s = 0.0

    async def make(self, count: int, takes_s: float, *, fails: bool = False) -> None:
        await asyncio.gather(*(self._one(takes_s, fails) for _ in range(count)), return_exceptions=fails)

    async def _one(self, takes_s: float, fails: bool) -> None:
        async with dialling():
            self.now += 1
            self.most = max(self.most, self.now)
            try:
                await asyncio.sleep(takes_s)
                if fails:
                    raise ConnectionRefusedError
            finally:
                self.now -= 1
        self.longest_s = max(self.longest_s, asyncio.get_running_loop().time())


def held(count: int, takes_s: float) -> Dials:
    async def hold() -> Dials:
        dials = Dials()
        await dials.make(count, takes_s)
        return dials

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        return runner.run(hold())


def test_quick_dials_wait_for_each_other() -> None:
    assert held(200, DIAL_S / 2).most == DIALS_AT_ONCE


@pytest.mark.parametrize(("count", "takes_s"), [(200, 0.3), (64, 1.0), (1000, 0.1)])
def test_dials_of_a_target_that_is_far_away_do_not(count: int, takes_s: float) -> None:
    waves = -(-count // DIALS_AT_ONCE) - 1
    assert held(count, takes_s).longest_s == pytest.approx(waves * DIAL_S + takes_s)


def test_each_place_is_given_back_once() -> None:
    async def hold() -> int:
        dials = Dials()
        await dials.make(100, 3 * DIAL_S)
        await dials.make(100, 3 * DIAL_S, fails=True)
        await dials.make(100, DIAL_S / 2, fails=True)
        given_up = asyncio.create_task(dials.make(100, 1.0))
        await asyncio.sleep(DIAL_S / 2)
        given_up.cancel()
        await asyncio.wait([given_up])
        dials.most = 0
        await dials.make(200, DIAL_S / 2)
        return dials.most

    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        assert runner.run(hold()) == DIALS_AT_ONCE
