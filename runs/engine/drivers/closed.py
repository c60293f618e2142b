"""Closed loop: each user holds one conversation after another while the level is above the user's number."""

from __future__ import annotations

import asyncio
from typing import Final, NamedTuple, cast

from runs.engine.core.clock import sleep_until
from runs.engine.core.context import DriverContext, VirtualUser
from runs.engine.drivers.base import Driver, until_cancelled
from runs.load.arrivals import jitter_ns
from runs.load.levels import level_of
from runs.load.profile import ClosedLoad

START_GAP_NS: Final = 1_000_000
"""Minimum gap between users who start together, because no event loop can serve them in the same instant."""
LATER_WITHIN_NS: Final = 500_000_000
"""Users who join after a jump of the level during the run are spread over this time."""


class _Seat(NamedTuple):
    user: VirtualUser
    task: asyncio.Task[None]


class ClosedDriver(Driver):
    def __init__(self, shard: DriverContext) -> None:
        self._load = load = cast("ClosedLoad", shard.spec.load)
        super().__init__(shard, level_of(load.users, load.stages, load.duration_s))
        total = load.conversations
        self._left = None if total is None else total // self.of + (self.index < total % self.of)
        self._there = 0
        """Users of all shards below this number are active."""
        self._at_once = range(load.user_profile.conversations_per_user)
        self._seats: dict[tuple[int, int], _Seat] = {}
        """By the user's number and the index of the conversation that a user holds in parallel."""

    def most_level(self, connections: int) -> float:
        return connections // self._load.user_profile.connections * self.of

    async def _lead(self) -> None:
        """Starts and removes users to follow the level."""
        if self._left == 0:
            return
        t0_ns = self.shard.t0_ns
        later_gap_ns = min(START_GAP_NS, LATER_WITHIN_NS // max(1, int(self.level.peak) // self.of))
        instant_s, place = -1.0, 0
        for at_s, number, comes in self.level.crossings(self._there, self.from_s):
            place = place + (number % self.of == self.index) if at_s == instant_s else 0
            instant_s = at_s
            planned_ns = t0_ns + int(at_s * 1e9) + place * (later_gap_ns if at_s else START_GAP_NS) * comes
            if at_s:  # users who are active from the start are prepared before it
                await sleep_until(planned_ns)
            self._there = number + comes
            if number % self.of == self.index:
                self._come(number, planned_ns) if comes else self._go(number)
        await until_cancelled()

    def _come(self, number: int, planned_ns: int) -> None:
        planned_ns = max(planned_ns, self.shard.t0_ns + jitter_ns(self._load, self.seed, number))
        for place in self._at_once:
            seat = self._seats.get((number, place))
            if seat is not None and not seat.task.done():
                seat.user.leaving = False  # its last turn is still in flight, and it stays now
                continue
            user = self.shard.new_user(number)
            task = self.shard.start(self._hold_conversations(user, planned_ns), user)
            self._seats[number, place] = _Seat(user, task)

    def _go(self, number: int) -> None:
        for place in self._at_once:
            user, task = self._seats[number, place]
            user.leaving = True
            if not (user.in_flight or user.budget_reserved):
                del self._seats[number, place]
                task.cancel()

    async def _hold_conversations(self, user: VirtualUser, planned_ns: int) -> None:
        await sleep_until(planned_ns)
        shard, new_session = self.shard, self.shard.new_session
        try:
            while not (shard.stopping or user.leaving) and self._take_conversation():
                planned_ns = await user.converse(planned_ns, new_session(user.number))
                if user.needs_rest and not shard.stopping:
                    planned_ns = await user.rest(planned_ns)
        finally:
            await user.leave()

    def _take_conversation(self) -> bool:
        if self._left is None:
            return True
        if self._left == 0:
            return False
        self._left -= 1
        if self._left == 0 and self._leading is not None:
            self._leading.cancel()  # later users would have nothing to send
        return True
