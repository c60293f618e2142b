"""Monitors errors of a whole run, summed over all engines. Pure.

One supervisor reads the windows that all of them have stored, and asks once a second about the time up to which the
windows of every engine are stored. So an engine that stores late does not distort the sum.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping
from typing import Any, Final

from metrics.analysis.engines import GeneratorSample
from metrics.columns import LEFT
from metrics.end_codes import Cause, EndCode
from metrics.number_format import counted
from runs.load.budget import Budget

FEWEST_FAILURES: Final = 20
"""Minimum number of failed turns, with no good one after them, for aborting a run that has only errors."""
REMEMBERED_S: Final = 3600
HANGING_SHARE: Final = 0.5
"""Share of the maximum number of open conversations: if fewer wait too long, not the whole target hangs."""


class ErrorMonitor:
    """`add` each window's data once, in any order; then call `why_abort`."""

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
        """By shard, while it is active."""
        self._most_active = 0
        self._hangs_since: int | None = None

    def add(self, data: Mapping[str, Any]) -> None:
        """Count a window (see `metrics.ingest.windows`); turns of the warm-up and cool-down count here as well."""
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

    def why_abort(self, now_s: float) -> Cause | None:
        """Why the run must end; None: it may continue. `now_s`: since its start."""
        now = int(now_s)
        why = self._too_many() or self._too_often(now) or self._nothing_else(now) or self._hangs(now)
        for second in [second for second in self._seconds if second < now - REMEMBERED_S]:
            del self._seconds[second]
        return why

    def _too_many(self) -> Cause | None:
        allowed = self._budget.errors
        if allowed is None or self._failed < allowed:
            return None
        why = f"{counted(self._failed, 'turn')} failed, the budget allows {allowed:,}{self._mostly()}"
        return Cause(EndCode.BUDGET_ERRORS, f"budget: errors: {why}")

    def _too_often(self, now: int) -> Cause | None:
        limit = self._budget.error_rate
        if limit is None:
            return None
        begin = now - math.ceil(limit.window_s)
        found = [counts for second, counts in self._seconds.items() if begin <= second < now]
        failed = sum(count for _, count in found)
        turns = failed + sum(count for count, _ in found)
        if turns < limit.turns or failed <= limit.above * turns:
            return None
        share, allowed = failed / turns, limit.above
        why = (
            f"{share:.1%} of {turns:,} turns in {limit.window_s:g} s failed, "
            f"the budget allows {allowed * 100:g}%{self._mostly()}"
        )
        return Cause(EndCode.BUDGET_ERROR_RATE, f"budget: error_rate: {why}")

    def _nothing_else(self, now: int) -> Cause | None:
        longest_s = self._budget.no_success_timeout_s
        if longest_s is None or now - (self._last_good + 1) < longest_s:
            return None
        failed = sum(count for second, (_, count) in self._seconds.items() if self._last_good < second < now)
        if failed < FEWEST_FAILURES:
            return None
        since = "since the start" if self._last_good < 0 else f"for {now - self._last_good - 1} s"
        return _no_success(f"no turn was good {since}, and {failed:,} failed{self._mostly()}")

    def _hangs(self, now: int) -> Cause | None:
        """For `no_success_timeout_s` no turn succeeded, and at least half of all conversations wait too long. After the
        end of the load no further turns could succeed, and the grace period judges them."""
        latest, longest_s = self._latest.values(), self._budget.no_success_timeout_s
        waiting = sum(sample.overdue for sample in latest)
        self._most_active = max(self._most_active, sum(sample.active for sample in latest))
        if not waiting or waiting < HANGING_SHARE * self._most_active or now >= self._ends_s:
            self._hangs_since = None
            return None
        since = now if self._hangs_since is None else self._hangs_since
        self._hangs_since = since = max(since, self._last_good + 1)
        if longest_s is None or now - since < longest_s:
            return None
        quiet_s = now - self._last_good - 1
        return _no_success(f"no turn was good for {quiet_s} s, and {waiting:,} wait for their answers")

    def _mostly(self) -> str:
        """The most frequent error: what to do depends on it."""
        return "".join(f"; most often {code}" for code, _ in self._codes.most_common(1))


def _no_success(why: str) -> Cause:
    return Cause(EndCode.BUDGET_NO_SUCCESS, f"budget: no_success: {why}")


def _judged(data: Mapping[str, Any]) -> tuple[int, int]:
    """Good and failed turns of a window."""
    good = failed = 0
    if "out" in data:
        good, error, timeout = data["out"][:3]
        failed = error + timeout + data.get("codes", {}).get(LEFT, 0)
    for ok, wrong, *_ in data.get("uncounted_spent", {}).values():
        good, failed = good + ok, failed + wrong
    return good, failed
