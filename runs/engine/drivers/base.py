"""Base of drivers, which start a shard's users or arrivals and apply level changes."""

from __future__ import annotations

import asyncio
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import NamedTuple

from runs.engine.core.context import DriverContext
from runs.load.levels import Level


class Change(NamedTuple):
    """From `at_s` after the common start on, the load has this `level`."""

    at_s: float
    level: float


class Driver(ABC):
    """Starts the conversations of one shard: `_lead` is a task of the shard that runs until all have started.

    It may be cancelled wherever it waits, and begun anew with another level.
    """

    def __init__(self, shard: DriverContext, level: Level) -> None:
        self.shard = shard
        self.index, self.of, self.seed = shard.spec.index, shard.spec.of, shard.spec.seed
        self.level = level
        self.from_s = 0.0
        """When the current level was set, in s since the start."""
        self._heard = 0
        self._leading: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Called once, when the shard knows its start (`t0_ns`)."""
        self._leading = self.shard.start(self._lead(), None)

    def change(self, changes: Sequence[Change], connections: int) -> None:
        """All changes since the start, in the order in which they were made; those that are known already are passed
        over. One that comes too late counts from now on, and none goes beyond what `connections` allow."""
        if self._heard >= len(changes):
            return
        if self._leading is not None:
            self.from_s = max(0.0, (time.monotonic_ns() - self.shard.t0_ns) / 1e9)
        for change in changes[self._heard :]:
            level = min(change.level, self.most_level(connections))
            self.level = self.level.changed(max(change.at_s, self.from_s), level)
        self._heard = len(changes)
        if self._leading is not None and not (self._leading.done() or self.shard.stopping):
            self._leading.cancel()
            self._leading = self.shard.start(self._lead(), None)

    def missed(self) -> int:
        """Number of conversations that should have begun by now but have not: at the end they count as dropped."""
        return 0

    def arrivals_end_s(self) -> float | None:
        """When the next conversation would have begun if their number were not limited; None: unknown."""
        return None

    def most_level(self, connections: int) -> float:
        """The highest level at which at most this many connections of the shard are open."""
        return math.inf

    @abstractmethod
    async def _lead(self) -> None: ...


async def until_cancelled() -> None:
    """Wait for the load's end, or for a change."""
    await asyncio.get_running_loop().create_future()
