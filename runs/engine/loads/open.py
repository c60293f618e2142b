"""Conversations arrive, whatever the target does: at a rate, or at the times of a trace."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from runs.engine.alarm import Alarm
from runs.engine.arrivals import Arriving, arrival_ns, level_for, own_areas
from runs.engine.loads.base import Driver, until_cancelled
from runs.engine.session import User

if TYPE_CHECKING:
    from runs.engine.shard import Shard


class OpenDriver(Driver):
    """Takes its share of the arrivals one by one; those that come while too many sessions are open are dropped."""

    def __init__(self, shard: Shard) -> None:
        load = cast("Arriving", shard.spec.load)
        super().__init__(shard, level_for(load))
        self._limit = max(1, load.max_sessions // self.of)
        self._areas = own_areas(load, self.seed, self.index, self.of)
        self._next = next(self._areas, None)
        self._idle: list[User] = []

    async def _lead(self) -> None:
        t0_ns = self.shard.t0_ns
        with Alarm() as alarm:
            while self._next is not None:
                number, area = self._next
                at_ns = arrival_ns(self.level, area)
                if at_ns is None:
                    await until_cancelled()
                    return
                planned_ns = t0_ns + at_ns
                await alarm.until(planned_ns)
                self._next = next(self._areas, None)
                self._arrive(number, planned_ns)

    def _arrive(self, number: int, planned_ns: int) -> None:
        shard = self.shard
        if shard.active >= self._limit:
            shard.dropped += 1
            return
        user = self._idle.pop() if self._idle else shard.new_user(number)
        user.number = number
        shard.start(self._hold_one(user, planned_ns), user)

    async def _hold_one(self, user: User, planned_ns: int) -> None:
        try:
            await user.converse(planned_ns, self.shard.new_session(user.number, user.number))
        except asyncio.CancelledError:
            await user.leave()
            raise
        self._idle.append(user)
