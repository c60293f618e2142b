"""What brings a shard's users or arrivals."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from runs.engine.shard import Shard


class Driver(ABC):
    """Begins the conversations of one shard. The shard keeps the tasks, and ends them."""

    def __init__(self, shard: Shard) -> None:
        self.shard = shard
        self.index, self.of, self.seed = shard.spec.index, shard.spec.of, shard.spec.seed

    @abstractmethod
    def start(self) -> None:
        """Called once, when the shard knows its start (`t0_ns`)."""
