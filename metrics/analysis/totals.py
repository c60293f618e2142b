"""The sum of any number of windows: counts, merged histograms, a time series, and the engines' own reports. Pure;
independent of order."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from metrics.analysis.counts import Counts
from metrics.analysis.engines import Engine, GeneratorSample
from metrics.columns import LEFT
from metrics.histogram import Histogram

MAX_POINTS = 600
"""Points of the series: beyond that many seconds, each point covers 2, 4, 8 ... of them."""
SERIES_METRICS = ("ttft_ms", "e2e_ms")


@dataclass
class Point:
    """What ended within one piece of the time axis."""

    ok: int = 0
    failed: int = 0
    tokens_out_ok: int = 0
    histograms: dict[str, Histogram] = field(default_factory=lambda: {m: Histogram() for m in SERIES_METRICS})

    def add(self, other: Point) -> None:
        self.ok += other.ok
        self.failed += other.failed
        self.tokens_out_ok += other.tokens_out_ok
        for name, histogram in other.histograms.items():
            self.histograms[name].merge(histogram)


class Aggregate(Counts):
    """Start empty and `add` the data of windows, in any order; each window once."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[int, Counts] = {}
        """By number, groups with data; empty in a run with one group."""
        self.uncounted = 0
        self.uncounted_spent: dict[int, tuple[int, ...]] = {}
        """By group: ok, failed, tokens in and out of those."""
        self.waited = 0
        """Turns of the warm-up that were unanswered when the load ended."""
        self.unsolicited = 0
        """Messages that belong to no question."""
        self.farewell_codes: Counter[str] = Counter()
        """Of requests at the end of conversations that failed."""
        self.loop_lag = Histogram()
        self.engines: dict[int, Engine] = {}
        self.bad_lines = 0
        self.bad_texts: list[str] = []
        self.point_s = 1
        self.points: dict[int, Point] = {}

    def add(self, data: Mapping[str, Any]) -> None:
        """Add one window (see `metrics.ingest.windows` for its keys)."""
        self.add_part(data)
        if "out" in data:
            ok, error, timeout = data["out"][:3]
            point = Point(ok, error + timeout + data.get("codes", {}).get(LEFT, 0), data["tokens_out_ok"])
            found = data.get("m", {})
            point.histograms |= {name: Histogram.from_json(found[name]) for name in SERIES_METRICS if name in found}
            self._add_point(data["second"], point)
        for number, part in data.get("groups", {}).items():
            self.groups.setdefault(int(number), Counts()).add_part(part)
        self.unsolicited += data.get("uns", 0)
        self.waited += data.get("waited", 0)
        self.farewell_codes.update(data.get("bye_codes", {}))
        if "uncounted" in data:
            self._add_uncounted(data)
        if "lag" in data:
            self.loop_lag.merge(Histogram.from_json(data["lag"]))
        if not data.keys().isdisjoint(("gen", "head", "tail", "stall")):
            self._add_engine(data)
        if "bad" in data:
            self.bad_lines += data["bad"]["n"]
            self.bad_texts += data["bad"]["text"]

    def add_all(self, windows: Iterable[Mapping[str, Any]]) -> None:
        for data in windows:
            self.add(data)

    def _add_uncounted(self, data: Mapping[str, Any]) -> None:
        self.uncounted += data["uncounted"]
        for number, spent in data.get("uncounted_spent", {}).items():  # windows of an earlier version have none
            before = self.uncounted_spent.get(int(number), (0, 0, 0, 0))
            self.uncounted_spent[int(number)] = tuple(a + b for a, b in zip(before, spent, strict=True))

    def of_groups(self, numbers: Iterable[int]) -> Counts:
        """Those groups together."""
        counts = Counts()
        for number in numbers:
            if number in self.groups:
                counts.include(self.groups[number])
        return counts

    def _add_engine(self, data: Mapping[str, Any]) -> None:
        engine = self.engines.setdefault(data["shard"], Engine())
        engine.head = data.get("head", engine.head)
        engine.tail = data.get("tail", engine.tail)
        for row in data.get("gen", ()):
            sample = GeneratorSample(*row)
            engine.samples[sample.at_ns] = sample
        if "stall" in data:
            stalled_ns, longest_ns = data["stall"]
            engine.stalled_ns += stalled_ns
            engine.stall_ns = max(engine.stall_ns, longest_ns)

    def _add_point(self, second: int, point: Point) -> None:
        while second // self.point_s >= MAX_POINTS:
            self.point_s *= 2
            finer, self.points = self.points, {}
            for index, old in finer.items():
                self._at(index // 2).add(old)
        self._at(second // self.point_s).add(point)

    def _at(self, index: int) -> Point:
        return self.points.setdefault(index, Point())

    @property
    def last_answer_s(self) -> float:
        """Time of the last good answer, in seconds since the start."""
        return max(((index + 1) * self.point_s for index, point in self.points.items() if point.ok), default=0)

    @property
    def dropped(self) -> int:
        return sum(engine.dropped for engine in self.engines.values())

    def from_turns(self) -> dict[str, Any]:
        """Everything that follows from turns and sessions alone: the same from windows and from rows (invariant B)."""
        groups = {number: counts.counted() for number, counts in self.groups.items()}
        series = (self.point_s, self.points)
        return {
            **self.counted(),
            "uncounted": (self.uncounted, self.uncounted_spent),
            "series": series,
            "groups": groups,
        }


def merge(windows: Iterable[Mapping[str, Any]]) -> Aggregate:
    """The aggregate of the data of these windows."""
    aggregate = Aggregate()
    aggregate.add_all(windows)
    return aggregate
