"""Which waits for an answer the run's own answers do not explain. Decided by each engine, from its own turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

from connectors.timeline import Timeline

if TYPE_CHECKING:
    from runs.engine.session import User

TIMES_THE_LONGEST: Final = 2
"""A wait is unexplained when it is longer than so many times the longest answer of the run."""
VAIN_TIMES_THE_LONGEST: Final = 10
"""The grace ends early only behind waits longer than so many times the longest answer: slow ones get all of it."""
ENOUGH_ANSWERS: Final = 10
"""So many whole answers must have come before an answer whose text still comes can be too long: the next of ten like
them is longer than twice all of them about once in a hundred times."""
LEAST_NS: Final = 1_000_000_000
"""No wait below it is: where answers take milliseconds, a pause of the target is no hang yet."""
LEAST_LIVE_NS: Final = 5_000_000_000
"""The same while the run goes on, and its first answers may still be on their way."""
TARGET_ENDS: Final = ("budget: errors: ", "budget: error_rate: ", "budget: only_errors: ", "threshold: ")
"""Beginnings of reasons for which a run is ended by what its target did: what is overdue then has failed. Whoever stops
a run otherwise does so at any moment."""
NS_PER_MS: Final = 1_000_000
Span = tuple[int, int | None]
_STEP_MS: Final = 100
"""Waits are told in whole steps of it, rounded down: they are lower bounds."""


class Waits:
    """`longest_ns` is that of the run's good turns, from when each was planned: it tells a hang from an answer that is
    merely slow."""

    def __init__(self, allowed_ns: int | None = None) -> None:
        """`allowed_ns`: the longest time for which a turn may wait at all, by the run's thresholds."""
        self._allowed_ns = allowed_ns
        self.longest_ns = 0
        self.unjudged = 0
        """Answers that the load's end cut off after a long while, with too few whole ones to judge them by."""

    def is_overdue(self, timeline: Timeline, now_ns: int, answers: int) -> bool:
        """Whether a turn waits for too long while the run goes on, by the run's own answers alone: before the first one
        nobody can tell a hang from a target that needs its time, and whom a threshold calls slow may yet be
        answered. `answers`: whole ones by now."""
        return self.longest_ns > 0 and self._waits_longer(timeline, now_ns, LEAST_LIVE_NS, answers)

    def has_failed(self, timeline: Timeline, now_ns: int, answers: int) -> bool:
        """Whether a turn fails if the target ends the run now: it is overdue, or waits for longer than the run's
        thresholds allow any turn."""
        if self.is_overdue(timeline, now_ns, answers):
            return True
        return self._allowed_ns is not None and now_ns - timeline.planned_ns > max(self._allowed_ns, LEAST_LIVE_NS)

    def bounds(self, users: Iterable[User | None], now_ns: int, answers: int, counted: Span) -> list[list[int]]:
        """`[group, ms, number of turns]` of the turns that have failed if the target ends the run now: each waits for
        so long at least. `counted`: from when until when turns count, monotonic ns."""
        from_ns, to_ns = counted
        found: Counter[tuple[int, int]] = Counter()
        for user in users:
            if user is None or user.waits_for is None:
                continue
            planned_ns = user.waits_for.planned_ns
            is_counted = planned_ns >= from_ns and (to_ns is None or planned_ns < to_ns)
            if is_counted and self.has_failed(user.waits_for, now_ns, answers):
                found[user.group, (now_ns - planned_ns) // NS_PER_MS // _STEP_MS * _STEP_MS] += 1
        return [[*key, count] for key, count in sorted(found.items())]

    def nobody_will_be_answered(
        self, users: Iterable[User | None], now_ns: int, answers: int, grace_s: float, allowed_s: float
    ) -> bool:
        """Whether nothing can be learned any more once the load has ended: each turn in flight is overdue, has waited
        for `grace_s`, which is what an answer gets, for longer than any threshold on a time (`allowed_s`) asks for, and
        for far longer than the run's answers took."""
        least_ns = max(int(max(grace_s, allowed_s) * 1e9), VAIN_TIMES_THE_LONGEST * self.longest_ns)
        return answers >= ENOUGH_ANSWERS and all(
            user is not None
            and user.waits_for is not None
            and now_ns - user.waits_for.planned_ns > least_ns
            and self.is_overdue(user.waits_for, now_ns, answers)
            for user in users
        )

    def is_unexplained(self, timeline: Timeline, now_ns: int, answers: int) -> bool:
        """Whether a turn without a whole answer waited for too long when the load has ended."""
        if self._allowed_ns is not None and now_ns - timeline.planned_ns > self._allowed_ns:
            return True
        return self._waits_longer(timeline, now_ns, LEAST_NS, answers)

    def goes_on_for_long(self, timeline: Timeline, now_ns: int) -> bool:
        """Whether the wait is too long since the turn was planned, however lately the last piece of its text came."""
        return self._is_too_long(now_ns - timeline.planned_ns, LEAST_NS)

    def _waits_longer(self, timeline: Timeline, now_ns: int, least_ns: int, answers: int) -> bool:
        """Since it was planned; an answer that has begun, since its last text, for as long as there are few answers to
        judge the whole of it by."""
        since_ns = timeline.planned_ns if answers >= ENOUGH_ANSWERS else timeline.last_content_ns or timeline.planned_ns
        return self._is_too_long(now_ns - since_ns, least_ns)

    def _is_too_long(self, wait_ns: int, least_ns: int) -> bool:
        return wait_ns > max(least_ns, TIMES_THE_LONGEST * self.longest_ns)
