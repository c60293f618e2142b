"""What brings a shard's users or arrivals, and changes their level while it goes on."""

from __future__ import annotations

import asyncio
import math
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from runs.engine.levels import Level

if TYPE_CHECKING:
    from runs.engine.shard import Shard


class Change(NamedTuple):
    """From `at_s` since the common start on, the level is `level`."""

    at_s: float
    level: float


class Driver(ABC):
    """Begins the conversations of one shard: `_lead` is a task of the shard's that goes on until none will come.

    It may be cancelled wherever it waits, and begun anew with another level.
    """

    def __init__(self, shard: Shard, level: Level) -> None:
        self.shard = shard
        self.index, self.of, self.seed = shard.spec.index, shard.spec.of, shard.spec.seed
        self.level = level
        self.from_s = 0.0
        """Since when the level is followed, in s since the start."""
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
        """How many conversations should have begun by now and have not: at the end they are counted as dropped."""
        return 0

    def arrivals_end_s(self) -> float | None:
        """When one more conversation would have begun, had their number not been reached; None: nobody can say."""
        return None

    def most_level(self, connections: int) -> float:
        """The highest level at which no more than so many connections of this shard's are certain to be open."""
        return math.inf

    @abstractmethod
    async def _lead(self) -> None: ...


async def until_cancelled() -> None:
    """Wait for the load's end, or for a change."""
    await asyncio.get_running_loop().create_future()
