"""A closed loop: each user holds one conversation after another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, cast

from runs.engine.arrivals import jitter_ns
from runs.engine.clock import sleep_until
from runs.engine.levels import Level
from runs.engine.loads.base import Driver
from runs.engine.session import User
from runs.engine.spec import ClosedLoad

if TYPE_CHECKING:
    from runs.engine.shard import Shard

START_GAP_NS: Final = 1_000_000
"""Between the starts of a closed loop's users: nobody's users come in the same instant, and no loop can serve that."""


class ClosedDriver(Driver):
    def __init__(self, shard: Shard) -> None:
        super().__init__(shard)
        self._load = cast("ClosedLoad", shard.spec.load)
        total = self._load.conversations
        self._left = None if total is None else total // self.of + (self.index < total % self.of)

    def start(self) -> None:
        shard, load = self.shard, self._load
        users = range(self.index, load.peak, self.of)
        for number in users:
            user = User(shard, number)
            begin_ns = shard.t0_ns + number // self.of * START_GAP_NS + jitter_ns(load, self.seed, number)
            if load.stages:
                spans = Level(load.users, load.stages).times_above(number)
                shard.start(self._come_and_go(user, begin_ns, spans), user)
            else:
                shard.start(self._hold_conversations(user, begin_ns), user)
        if not users:
            shard.end("done")

    async def _come_and_go(self, user: User, begin_ns: int, spans: list[tuple[float, float]]) -> None:
        """A user of a load in stages: there while the level is above the user's number."""
        t0_ns = self.shard.t0_ns
        for from_s, to_s in spans:
            user.leaves_ns = t0_ns + int(to_s * 1e9)
            planned_ns = max(begin_ns, t0_ns + int(from_s * 1e9))
            if planned_ns < user.leaves_ns:
                await self._hold_conversations(user, planned_ns)

    async def _hold_conversations(self, user: User, planned_ns: int) -> None:
        await sleep_until(planned_ns)
        shard = self.shard
        try:
            while not shard.stopping and planned_ns < user.leaves_ns and self._take_conversation():
                planned_ns = await user.converse(planned_ns, shard.new_session(user.number))
                if user.needs_rest:
                    planned_ns = await user.rest(planned_ns)
        finally:
            await user.leave()

    def _take_conversation(self) -> bool:
        if self._left is None:
            return True
        self._left -= 1
        return self._left >= 0
