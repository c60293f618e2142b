"""Which waits for an answer the run's own answers do not explain. Decided by each engine, from its own turns."""

from __future__ import annotations

from typing import Final

from connectors.timeline import Timeline

TIMES_THE_LONGEST: Final = 2
"""A wait is unexplained when it is longer than so many times the longest answer of the run."""
LEAST_NS: Final = 1_000_000_000
"""No wait below it is: where answers take milliseconds, a pause of the target is no hang yet."""
LEAST_LIVE_NS: Final = 5_000_000_000
"""The same while the run goes on, and its first answers may still be on their way."""
TARGET_ENDS: Final = ("budget: errors: ", "budget: error_rate: ", "budget: only_errors: ", "threshold: ")
"""Beginnings of reasons for which a run is ended by what its target did: what is overdue then has failed. Whoever stops
a run otherwise does so at any moment."""


class Waits:
    """`answered` for the longest good turn of each conversation; then `is_unexplained` tells a hang from an answer that
    is merely slow."""

    def __init__(self, allowed_ns: int | None = None) -> None:
        """`allowed_ns`: the longest time for which a turn may wait at all, by the run's thresholds."""
        self._allowed_ns = allowed_ns
        self.longest_ns = 0

    def answered(self, after_ns: int) -> int:
        """A turn got its whole answer, so long after it was planned. Returns this."""
        self.longest_ns = max(self.longest_ns, after_ns)
        return after_ns

    def is_overdue(self, timeline: Timeline, now_ns: int) -> bool:
        """Whether a turn waits for too long while the run goes on, by the run's own answers alone: before the first one
        nobody can tell a hang from a target that needs its time, and whom a threshold calls slow may yet be
        answered."""
        return self.longest_ns > 0 and self._waits_longer(timeline, now_ns, LEAST_LIVE_NS)

    def is_unexplained(self, timeline: Timeline, now_ns: int) -> bool:
        """Whether a turn without a whole answer waited for too long when the load has ended."""
        if self._allowed_ns is not None and now_ns - timeline.planned_ns > self._allowed_ns:
            return True
        return self._waits_longer(timeline, now_ns, LEAST_NS)

    def _waits_longer(self, timeline: Timeline, now_ns: int, least_ns: int) -> bool:
        """Since its last text, or since it was planned."""
        limit_ns = max(least_ns, TIMES_THE_LONGEST * self.longest_ns)
        return now_ns - (timeline.last_content_ns or timeline.planned_ns) > limit_ns
