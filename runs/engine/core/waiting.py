"""Detects waits for answers that the run's own answers do not explain. Each engine decides from its own turns."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Final, Protocol

from connectors.errors import Unanswered
from connectors.timeline import Timeline
from metrics.end_codes import EndCode

TIMES_THE_LONGEST: Final = 2
"""A wait is unexplained if it is longer than this multiple of the run's longest answer."""
VAIN_TIMES_THE_LONGEST: Final = 10
"""The grace period ends early only after waits longer than this multiple of the longest answer."""
ENOUGH_ANSWERS: Final = 10
"""Minimum number of complete answers before an answer whose text still arrives can be too long: of ten similar answers,
the next is longer than twice all of them about once in a hundred times."""
LEAST_NS: Final = 1_000_000_000
"""Shorter waits are never unexplained: where answers take milliseconds, a pause of the target is not yet a hang."""
LEAST_LIVE_NS: Final = 5_000_000_000
"""The same during the run, when the first answers may still be in flight."""
NS_PER_MS: Final = 1_000_000
Span = tuple[int, int | None]
_STEP_MS: Final = 100
"""Waits are reported in multiples of this step, rounded down, as lower bounds."""


class Waiter(Protocol):
    """A user who waits for an answer."""

    waits_for: Timeline | None
    """The turn whose answer is awaited, from its planned time on."""
    group: int
    """Number of the conversation's group (see `runs.load.groups`)."""


class Waits:
    """`longest_ns`: the longest good turn of the run, from its planned time; it tells a hang from a slow answer."""

    def __init__(self, allowed_ns: int | None = None) -> None:
        """`allowed_ns`: the longest wait that the run's thresholds allow any turn."""
        self._allowed_ns = allowed_ns
        self.longest_ns = 0
        self.answers = 0
        """Number of complete answers so far."""
        self.unjudged = 0
        """Answers that the load's end cut off after a long time, with too few complete ones for a judgement."""

    def is_overdue(self, timeline: Timeline, now_ns: int) -> bool:
        """Whether a turn waits too long during the run, judged only by the run's own answers: before the first answer,
        a hang cannot be told from a slow target, and a turn that exceeds a threshold may still be answered."""
        return self.longest_ns > 0 and self._waits_longer(timeline, now_ns, LEAST_LIVE_NS)

    def has_failed(self, timeline: Timeline, now_ns: int) -> bool:
        """Whether a turn fails if the run ends now because of the target: it is overdue, or waits longer than the run's
        thresholds allow."""
        if self.is_overdue(timeline, now_ns):
            return True
        return self._allowed_ns is not None and now_ns - timeline.planned_ns > max(self._allowed_ns, LEAST_LIVE_NS)

    def overdue(self, users: Iterable[Waiter | None], now_ns: int, before_ns: int) -> tuple[int, int]:
        """The number of turns that wait longer than the run's own answers explain, and of those that already did at
        `before_ns`."""
        found = [
            user.waits_for
            for user in users
            if user is not None and user.waits_for is not None and self.is_overdue(user.waits_for, now_ns)
        ]
        return len(found), sum(self.is_overdue(timeline, before_ns) for timeline in found)

    def unanswered(self, timeline: Timeline, now_ns: int, code: str, *, by_target: bool) -> Unanswered | None:
        """The failure of a turn that is ended now without an answer, by a load that ends with `code`; None: it was
        stopped, and nothing more can be said. `by_target`: the run ends for what its target did.

        Only the load's own end shows a hang, or an end for which the target itself is the reason.
        """
        if code == EndCode.DONE:
            too_long = self.is_unexplained(timeline, now_ns)
            self.unjudged += not too_long and self.goes_on_for_long(timeline, now_ns)
        else:
            too_long = by_target and self.has_failed(timeline, now_ns)
        if not too_long:
            return None
        last_ns = timeline.last_content_ns
        silent_s = None if last_ns is None else (now_ns - last_ns) / 1e9
        return Unanswered((now_ns - timeline.planned_ns) / 1e9, self.longest_ns / 1e9, silent_s=silent_s)

    def bounds(self, users: Iterable[Waiter | None], now_ns: int, counted: Span) -> list[list[int]]:
        """`[group, ms, number of turns]` of the turns that fail if the run ends now because of the target; each has
        waited at least that long. `counted`: the time span in which turns count, monotonic ns."""
        from_ns, to_ns = counted
        found: Counter[tuple[int, int]] = Counter()
        for user in users:
            if user is None or user.waits_for is None:
                continue
            planned_ns = user.waits_for.planned_ns
            is_counted = planned_ns >= from_ns and (to_ns is None or planned_ns < to_ns)
            if is_counted and self.has_failed(user.waits_for, now_ns):
                found[user.group, (now_ns - planned_ns) // NS_PER_MS // _STEP_MS * _STEP_MS] += 1
        return [[*key, count] for key, count in sorted(found.items())]

    def nobody_will_be_answered(
        self, users: Iterable[Waiter | None], now_ns: int, grace_s: float, allowed_s: float
    ) -> bool:
        """Whether nothing can be learned any more once the load has ended: each turn in flight is overdue, has waited
        for `grace_s`, which is what an answer gets, for longer than any threshold on a time (`allowed_s`) asks for, and
        for far longer than the run's answers took."""
        least_ns = max(int(max(grace_s, allowed_s) * 1e9), VAIN_TIMES_THE_LONGEST * self.longest_ns)
        return self.answers >= ENOUGH_ANSWERS and all(
            user is not None
            and user.waits_for is not None
            and now_ns - user.waits_for.planned_ns > least_ns
            and self.is_overdue(user.waits_for, now_ns)
            for user in users
        )

    def is_unexplained(self, timeline: Timeline, now_ns: int) -> bool:
        """Whether a turn without a complete answer waited too long when the load ended."""
        if self._allowed_ns is not None and now_ns - timeline.planned_ns > self._allowed_ns:
            return True
        return self._waits_longer(timeline, now_ns, LEAST_NS)

    def goes_on_for_long(self, timeline: Timeline, now_ns: int) -> bool:
        """Whether the wait since the planned time is too long, however recently its last text arrived."""
        return self._is_too_long(now_ns - timeline.planned_ns, LEAST_NS)

    def _waits_longer(self, timeline: Timeline, now_ns: int, least_ns: int) -> bool:
        """Since it was planned; an answer that has begun, since its last text, for as long as there are few answers to
        judge the whole of it by."""
        since_ns = (
            timeline.planned_ns if self.answers >= ENOUGH_ANSWERS else timeline.last_content_ns or timeline.planned_ns
        )
        return self._is_too_long(now_ns - since_ns, least_ns)

    def _is_too_long(self, wait_ns: int, least_ns: int) -> bool:
        return wait_ns > max(least_ns, TIMES_THE_LONGEST * self.longest_ns)
