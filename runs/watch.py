"""What is watched over a whole run while it goes on: errors, summed over all engines. Pure.

One supervisor sees the windows that all of them have stored, and asks once a second. It is asked about the time up to
which every engine's windows are there: an engine that stores late does not make the others look alone.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from metrics.columns import LEFT
from metrics.totals import GeneratorSample
from metrics.words import counted
from runs.engine.budget import Budget

FEWEST_FAILURES: Final = 20
"""Failed turns, with no good one after them, before a run is aborted because nothing but errors comes."""
REMEMBERED_S: Final = 3600
HANGING_SHARE: Final = 0.5
"""Of the most conversations that were open at once: when fewer wait for too long it is not the whole target."""


class Watch:
    """`add` each window's data once, in any order; then ask `why_abort`."""

    def __init__(self, budget: Budget, ends_s: float | None = None) -> None:
        """`ends_s`: when the load ends by itself, in s since its start; None: when its conversations are over."""
        self._budget = budget
        self._ends_s = math.inf if ends_s is None else ends_s
        self._seconds: dict[int, tuple[int, int]] = {}
        """Good and failed turns by the second of their end."""
        self._failed = 0
        self._codes: Counter[str] = Counter()
        self._last_good = -1
        self._latest: dict[int, GeneratorSample] = {}
        """By shard, while it is at work."""
        self._most_active = 0
        self._hangs_since: int | None = None

    def add(self, data: Mapping[str, Any]) -> None:
        """Count a window (see `metrics.windows`); turns of the warm-up and cool-down count here as well."""
        for row in data.get("gen", ()):
            self._latest[data["shard"]] = GeneratorSample(*row)
        if "tail" in data:
            self._latest.pop(data["shard"], None)
        good, failed = _judged(data)
        if not good and not failed:
            return
        second = data["second"]
        before = self._seconds.get(second, (0, 0))
        self._seconds[second] = before[0] + good, before[1] + failed
        self._failed += failed
        self._codes.update(data.get("codes", {}))
        if good:
            self._last_good = max(self._last_good, second)

    def why_abort(self, now_s: float) -> str:
        """Why the run must end, as `runs.outcome.ABORTING` begins it; empty: it may go on. `now_s`: since its start."""
        now = int(now_s)
        why = self._too_many() or self._too_often(now) or self._nothing_else(now) or self._hangs(now)
        for second in [second for second in self._seconds if second < now - REMEMBERED_S]:
            del self._seconds[second]
        return why

    def _too_many(self) -> str:
        allowed = self._budget.errors
        if allowed is None or self._failed < allowed:
            return ""
        return f"budget: errors: {counted(self._failed, 'turn')} failed, the budget allows {allowed:,}{self._mostly()}"

    def _too_often(self, now: int) -> str:
        limit = self._budget.error_rate
        if limit is None:
            return ""
        begin = now - math.ceil(limit.window_s)
        found = [counts for second, counts in self._seconds.items() if begin <= second < now]
        failed = sum(count for _, count in found)
        turns = failed + sum(count for count, _ in found)
        if turns < limit.turns or failed <= limit.above * turns:
            return ""
        share, allowed = failed / turns, limit.above
        return (
            f"budget: error_rate: {share:.1%} of {turns:,} turns in {limit.window_s:g} s failed, "
            f"the budget allows {allowed * 100:g}%{self._mostly()}"
        )

    def _nothing_else(self, now: int) -> str:
        longest_s = self._budget.only_errors_s
        if longest_s is None or now - (self._last_good + 1) < longest_s:
            return ""
        failed = sum(count for second, (_, count) in self._seconds.items() if self._last_good < second < now)
        if failed < FEWEST_FAILURES:
            return ""
        since = "since the start" if self._last_good < 0 else f"for {now - self._last_good - 1} s"
        return f"budget: only_errors: no turn was good {since}, and {failed:,} failed{self._mostly()}"

    def _hangs(self, now: int) -> str:
        """For `only_errors_s` no turn was good, and of all who talked half or more wait for too long. When the load is
        over nobody else could be answered, and its grace judges them."""
        latest, longest_s = self._latest.values(), self._budget.only_errors_s
        waiting = sum(sample.overdue for sample in latest)
        self._most_active = max(self._most_active, sum(sample.active for sample in latest))
        if not waiting or waiting < HANGING_SHARE * self._most_active or now >= self._ends_s:
            self._hangs_since = None
            return ""
        since = now if self._hangs_since is None else self._hangs_since
        self._hangs_since = since = max(since, self._last_good + 1)
        if longest_s is None or now - since < longest_s:
            return ""
        quiet_s = now - self._last_good - 1
        return f"budget: only_errors: no turn was good for {quiet_s} s, and {waiting:,} wait for their answers"

    def _mostly(self) -> str:
        """The most frequent error: what to do depends on it."""
        return "".join(f"; most often {code}" for code, _ in self._codes.most_common(1))


def _judged(data: Mapping[str, Any]) -> tuple[int, int]:
    """Good and failed turns of a window."""
    good = failed = 0
    if "out" in data:
        good, error, timeout = data["out"][:3]
        failed = error + timeout + data.get("codes", {}).get(LEFT, 0)
    for ok, wrong, *_ in data.get("uncounted_spent", {}).values():
        good, failed = good + ok, failed + wrong
    return good, failed
