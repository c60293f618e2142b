"""Rates of a run in progress, over the seconds that every engine has stored. Pure.

Engines store at their own pace. Turns of one that is ahead, over the time of one that is late, would be too many a
second; and what a late one catches up with is not the rate of the second in which it came.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final

from metrics.analysis.counts import Counts
from metrics.analysis.figures import figures, of_choice, rounded_rates, with_waits
from metrics.analysis.load_time import load_s, load_so_far_s
from metrics.analysis.totals import Aggregate
from metrics.groups import Group, Where, chosen
from metrics.histogram import Histogram
from metrics.report_schema import Figures

_NONE_WAITS: Final[Mapping[int, Histogram]] = MappingProxyType({})
_NOT_FOR_RATES: Final = frozenset({"m", "given_up", "gen", "waits", "lag", "stall", "head", "tail", "bad"})
"""Keys of a window that rates do not need, mostly histograms."""


class LiveRates:
    """`add` each window's data once, in any order, and call `reach` with the time that all engines have stored."""

    def __init__(self, load: Mapping[str, Any], groups: Sequence[Group]) -> None:
        self._load = load
        self._groups = groups
        self._later: dict[int, list[dict[str, Any]]] = {}
        """By second: windows of seconds that some engines have not stored yet."""
        self._stored = Aggregate()
        self._at_s = 0
        self._seconds = 0.0
        """Duration of the counted part of the load at `_at_s`."""

    def add(self, data: Mapping[str, Any]) -> None:
        """A window (see `metrics.ingest.windows`)."""
        part = _counters(data)
        part["groups"] = {number: _counters(group) for number, group in data.get("groups", {}).items()}
        self._later.setdefault(data["second"], []).append(part)

    def reach(self, complete_s: float, ended: Aggregate | None = None) -> None:
        """All windows of the first `complete_s` seconds have been added. `ended`: all windows of a run whose engines
        have ended; rates are then those of its report."""
        self._at_s = max(self._at_s, int(complete_s))
        for second in [second for second in self._later if ended is not None or second < self._at_s]:
            self._stored.add_all(self._later.pop(second))
        self._seconds = load_so_far_s(self._load, self._at_s) if ended is None else load_s(ended, self._load)

    @property
    def complete(self) -> dict[str, int]:
        """{at_s, ok, failed}: turns that ended in the first `at_s` seconds; those that are not ok have failed."""
        ok = self._stored.outcomes["ok"]
        return {"at_s": self._at_s, "ok": ok, "failed": self._stored.turns - ok}

    def rates(self, counts: Counts) -> dict[str, float | None]:
        """Rates of the whole run, as `Counts.rates`. The error rate covers everything that is known: `counts`."""
        return self._stored.rates(self._seconds) | {"error_rate": counts.rates()["error_rate"]}

    def figures(self, found: Aggregate, where: Where = (), waits: Mapping[int, Histogram] = _NONE_WAITS) -> Figures:
        """Everything that a threshold may refer to, for the run or for the groups that are chosen. `waits`, by group,
        are those of turns in flight that count."""
        if not where:
            part = with_waits(figures(found, self._seconds, found.dropped), found, waits.values())
            return {**part, "rates": rounded_rates(self.rates(found))}
        numbers = chosen(self._groups, where)
        here = [waits[number] for number in numbers if number in waits]
        part = of_choice(found, self._groups, self._seconds)(where)
        if here:
            part = with_waits(part, found.of_groups(numbers) if len(self._groups) > 1 else found, here)
        rates = of_choice(self._stored, self._groups, self._seconds)(where)["rates"]
        return {**part, "rates": {**rates, "error_rate": part["rates"]["error_rate"]}}


def _counters(data: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in data.items() if name not in _NOT_FOR_RATES}
