"""An open loop: conversations arrive, whatever the target does."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, cast

from runs.engine.arrivals import share
from runs.engine.clock import sleep_until
from runs.engine.loads.base import Driver
from runs.engine.session import User
from runs.engine.spec import OpenLoad

if TYPE_CHECKING:
    from runs.engine.shard import Shard


class OpenDriver(Driver):
    def __init__(self, shard: Shard) -> None:
        super().__init__(shard)
        self._load = cast("OpenLoad", shard.spec.load)
        self._idle: list[User] = []

    def start(self) -> None:
        self.shard.start(self._arrive(), None)

    async def _arrive(self) -> None:
        load, shard = self._load, self.shard
        limit = max(1, load.max_sessions // self.of)
        for number, at_ns in share(load, self.seed, self.index, self.of):
            planned_ns = shard.t0_ns + at_ns
            await sleep_until(planned_ns)
            if shard.active >= limit:
                shard.dropped += 1
                continue
            user = self._idle.pop() if self._idle else User(shard, number)
            user.number = number
            shard.start(self._hold_one(user, planned_ns), user)
        if load.duration_s is not None:
            await sleep_until(shard.t0_ns + int(load.duration_s * 1e9))

    async def _hold_one(self, user: User, planned_ns: int) -> None:
        try:
            await user.converse(planned_ns, self.shard.new_session(user.number, user.number))
        except asyncio.CancelledError:
            await user.leave()
            raise
        self._idle.append(user)
