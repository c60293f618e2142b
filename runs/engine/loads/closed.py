"""A closed loop: each user holds one conversation after another, as long as the level is above the user's number."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, NamedTuple, cast

from runs.engine.arrivals import jitter_ns
from runs.engine.clock import sleep_until
from runs.engine.levels import level_of
from runs.engine.loads.base import Driver, until_cancelled
from runs.engine.session import User
from runs.engine.spec import ClosedLoad

if TYPE_CHECKING:
    from runs.engine.shard import Shard

START_GAP_NS: Final = 1_000_000
"""Between users who come in the same instant: nobody's users do, and no loop can serve that."""
LATER_WITHIN_NS: Final = 500_000_000
"""Within this time all come whom a jump of the level brings after the start."""


class _Seat(NamedTuple):
    user: User
    task: asyncio.Task[None]


class ClosedDriver(Driver):
    def __init__(self, shard: Shard) -> None:
        self._load = load = cast("ClosedLoad", shard.spec.load)
        super().__init__(shard, level_of(load.users, load.stages, load.duration_s))
        total = load.conversations
        self._left = None if total is None else total // self.of + (self.index < total % self.of)
        self._there = 0
        """Of all users, over all shards, those below this number are there."""
        self._at_once = range(load.people.at_once)
        self._seats: dict[tuple[int, int], _Seat] = {}
        """By the user's number, and which of the conversations that a user holds at the same time."""

    def most_level(self, connections: int) -> float:
        return connections // self._load.people.connections * self.of

    async def _lead(self) -> None:
        """Brings and sends away users as the level says."""
        if self._left == 0:
            return
        t0_ns = self.shard.t0_ns
        later_gap_ns = min(START_GAP_NS, LATER_WITHIN_NS // max(1, int(self.level.peak) // self.of))
        instant_s, place = -1.0, 0
        for at_s, number, comes in self.level.crossings(self._there, self.from_s):
            place = place + (number % self.of == self.index) if at_s == instant_s else 0
            instant_s = at_s
            planned_ns = t0_ns + int(at_s * 1e9) + place * (later_gap_ns if at_s else START_GAP_NS) * comes
            if at_s:  # who is there from the start is made ready before it
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
                seat.user.leaving = False  # whose last turn is still in flight, and who stays then
                continue
            user = self.shard.new_user(number)
            task = self.shard.start(self._hold_conversations(user, planned_ns), user)
            self._seats[number, place] = _Seat(user, task)

    def _go(self, number: int) -> None:
        for place in self._at_once:
            user, task = self._seats[number, place]
            user.leaving = True
            if not (user.in_flight or user.paid):
                del self._seats[number, place]
                task.cancel()

    async def _hold_conversations(self, user: User, planned_ns: int) -> None:
        await sleep_until(planned_ns)
        shard = self.shard
        try:
            while not (shard.stopping or user.leaving) and self._take_conversation():
                planned_ns = await user.converse(planned_ns, shard.new_session(user.number))
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
            self._leading.cancel()  # nobody who came later would have anything to say
        return True
