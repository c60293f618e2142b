"""What single engines reported about themselves: CPU and memory samples, pauses, first and last line. Pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any


@dataclass(frozen=True)
class GeneratorSample:
    """One generator line of one engine: cumulative CPU ns and dropped arrivals, bytes of memory."""

    at_ns: int
    cpu_ns: int
    rss: int
    active: int
    inflight: int
    dropped: int
    overdue: int = 0
    """Turns that wait for longer than the run's own answers explain, and (`hung`) did so a `grace_s` ago already."""
    hung: int = 0


@dataclass
class Engine:
    """Data that one engine (shard) reported about itself."""

    head: dict[str, Any] = field(default_factory=dict)
    tail: dict[str, Any] = field(default_factory=dict)
    samples: dict[int, GeneratorSample] = field(default_factory=dict)
    stalled_ns: int = 0
    """Total time for which it was suspended, and (`stall_ns`) the longest time."""
    stall_ns: int = 0

    @property
    def lasted_ns(self) -> int:
        """Time until its last line."""
        return max(int(self.tail.get("at", 0)), max(self.samples, default=0))

    @property
    def cpu_ns(self) -> int:
        return self._largest("cpu_ns")

    @property
    def rss(self) -> int:
        return self._largest("rss")

    @property
    def dropped(self) -> int:
        return self._largest("dropped")

    def _largest(self, name: str) -> int:
        """The tail's figure or the largest sample: the tail of a dead engine has neither CPU nor memory."""
        samples = (int(getattr(sample, name)) for sample in self.samples.values())
        return max(int(self.tail.get(name, 0)), max(samples, default=0))

    def cpu_shares(self) -> list[float]:
        """The share of one core that it used between one sample and the next."""
        ordered = [self.samples[at] for at in sorted(self.samples)]
        pairs = pairwise(ordered)
        return [(b.cpu_ns - a.cpu_ns) / (b.at_ns - a.at_ns) for a, b in pairs]
