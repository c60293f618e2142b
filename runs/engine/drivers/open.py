"""Open loop: conversations start at a rate or at the times of a trace, however fast the target answers."""

from __future__ import annotations

import asyncio
import time
from typing import Final, cast

from connectors.wire.transport.clock import EARLY_NS
from runs.engine.core.context import DriverContext, VirtualUser
from runs.engine.core.precise_timer import Alarm
from runs.engine.drivers.base import Driver, until_cancelled
from runs.load.arrivals import Arriving, arrival_ns, level_for, own_areas
from runs.load.profile import OpenLoad

AWAKE: Final = 0.1
"""Maximum share of its time that an engine spends busy-waiting for the moment of an arrival."""
OF_LAST_GAP: Final = 0.05


class OpenDriver(Driver):
    """Takes its share of the arrivals one by one; those that come while too many sessions are open, or that the end
    overtakes, are dropped.

    Each is begun a little early: its request is rendered when its time comes, and leaves then (see `not_before`).
    """

    def __init__(self, shard: DriverContext) -> None:
        load = cast("Arriving", shard.spec.load)
        super().__init__(shard, level_for(load))
        self._limit = max(1, load.max_sessions // self.of)
        self._areas = own_areas(load, self.seed, self.index, self.of)
        self._next = next(self._areas, None)
        self._idle: list[VirtualUser] = []
        self._waking = 0
        """Arrivals whose tasks have not run yet: the end of the load discards them."""
        self._gap_ns = 0.0
        """Mean time between two arrivals of this engine, over the latest ones."""
        self._last_ns = 0

    async def _lead(self) -> None:
        t0_ns = self.shard.t0_ns
        self._last_ns = self._last_ns or t0_ns
        with Alarm() as alarm:
            while self._next is not None:
                number, area = self._next
                at_ns = arrival_ns(self.level, area)
                if at_ns is None:
                    await until_cancelled()
                    return
                planned_ns = t0_ns + at_ns
                await alarm.until(planned_ns - min(EARLY_NS, int(AWAKE * self._gap_ns)))
                self._next = next(self._areas, None)
                self._gap_ns += OF_LAST_GAP * (planned_ns - self._last_ns - self._gap_ns)
                self._last_ns = planned_ns
                self._arrive(number, planned_ns)

    def missed(self) -> int:
        now_ns = time.monotonic_ns() - self.shard.t0_ns
        count = self._waking
        while self._next is not None:
            at_ns = arrival_ns(self.level, self._next[1])
            if at_ns is None or at_ns > now_ns:
                break
            count += 1
            self._next = next(self._areas, None)
        return count

    def arrivals_end_s(self) -> float | None:
        load = self.shard.spec.load
        if self._next is not None or not isinstance(load, OpenLoad) or load.conversations is None:
            return None
        return self.level.time_of_area(load.conversations)

    def _arrive(self, number: int, planned_ns: int) -> None:
        shard = self.shard
        if shard.active + self._waking >= self._limit:
            shard.dropped += 1
            return
        user = self._idle.pop() if self._idle else shard.new_user(number)
        user.number = number
        self._waking += 1
        shard.start(self._hold_one(user, planned_ns), user)

    async def _hold_one(self, user: VirtualUser, planned_ns: int) -> None:
        self._waking -= 1
        try:
            await user.converse(planned_ns, self.shard.new_session(user.number, user.number))
        except asyncio.CancelledError:
            await user.leave()
            raise
        self._idle.append(user)
