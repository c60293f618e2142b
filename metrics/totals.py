"""The sum of any number of windows: counts, merged histograms, a series over time, and what the engines said of
themselves. Pure; adding in another order gives the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from metrics.columns import LEFT, OUTCOMES, TOKEN_SIDES, TOKEN_SOURCES
from metrics.histogram import Histogram

MAX_POINTS = 600
"""Points of the series: beyond that many seconds, each point covers 2, 4, 8 ... of them."""
SERIES_METRICS = ("ttft_ms", "e2e_ms")
_SUMS = ("sent", "chunks", "bytes_in", "bytes_out", "tokens_in", "tokens_out", "tokens_out_ok")


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
    """What one engine (shard) said of itself."""

    head: dict[str, Any] = field(default_factory=dict)
    tail: dict[str, Any] = field(default_factory=dict)
    samples: dict[int, GeneratorSample] = field(default_factory=dict)
    stalled_ns: int = 0
    """How long it stood still, all times together, and (`stall_ns`) the longest."""
    stall_ns: int = 0

    @property
    def lasted_ns(self) -> int:
        """Until its last word."""
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
        """The tail's figure or the largest sample: a dead engine's tail knows neither CPU nor memory."""
        samples = (int(getattr(sample, name)) for sample in self.samples.values())
        return max(int(self.tail.get(name, 0)), max(samples, default=0))

    def cpu_shares(self) -> list[float]:
        """The share of one core that it used between one sample and the next."""
        ordered = [self.samples[at] for at in sorted(self.samples)]
        pairs = pairwise(ordered)
        return [(b.cpu_ns - a.cpu_ns) / (b.at_ns - a.at_ns) for a, b in pairs]


class Counts:
    """What turns and sessions came to: of a whole run, or of one of its groups."""

    def __init__(self) -> None:
        self.outcomes: dict[str, int] = dict.fromkeys(OUTCOMES, 0)
        self.sources: dict[str, int] = dict.fromkeys(TOKEN_SOURCES, 0)
        self.sums: dict[str, int] = dict.fromkeys(_SUMS, 0)
        self.tokens_reasoning: int | None = None
        """Of the turns of which they are known; None: of none."""
        self.codes: Counter[str] = Counter()
        self.wasted: Counter[str] = Counter()
        """tokens_in and tokens_out of turns whose answer nobody waited for."""
        self.kinds: Counter[str] = Counter()
        """Of answers that are not plain text."""
        self.finish_reasons: Counter[str] = Counter()
        self.sessions_started = 0
        self.sessions_ended: Counter[str] = Counter()
        self.session_codes: Counter[str] = Counter()
        self.histograms: dict[str, Histogram] = {}
        self.given_up = Histogram()
        """How long turns waited that ended without an answer, in ns: lower bounds of `e2e_planned_ms`."""
        self.first_ns: int | None = None
        self.last_ns: int | None = None

    def add_part(self, data: Mapping[str, Any]) -> None:
        """Add the turns and sessions of one window, or of a group in it."""
        self.sessions_started += data.get("opened", 0)
        self.sessions_ended.update(data.get("closed", {}))
        self.session_codes.update(data.get("closed_codes", {}))
        if "out" not in data:
            return
        for word, count in zip(OUTCOMES, data["out"], strict=True):
            self.outcomes[word] += count
        for word, count in zip(TOKEN_SOURCES, data["sources"], strict=False):  # windows of before know fewer words
            self.sources[word] += count
        self._add_reasoning(data.get("tr"))
        for name in _SUMS:
            self.sums[name] += data[name]
        self.codes.update(data.get("codes", {}))
        self.kinds.update(data.get("kind", {}))
        self.finish_reasons.update(data.get("fin", {}))
        if "wasted" in data:
            self.wasted.update(dict(zip(("tokens_in", "tokens_out"), data["wasted"], strict=True)))
        self._span(data["first"], data["last"])
        for name, packed in data.get("m", {}).items():
            if name not in self.histograms:
                self.histograms[name] = Histogram()
            self.histograms[name].add_json(packed)
        if "given_up" in data:
            self.given_up.add_json(data["given_up"])

    def include(self, other: Counts) -> None:
        """Add all that `other` counts."""
        for ours, theirs in ((self.outcomes, other.outcomes), (self.sources, other.sources), (self.sums, other.sums)):
            for word, count in theirs.items():
                ours[word] += count
        self._add_reasoning(other.tokens_reasoning)
        self.codes.update(other.codes)
        self.kinds.update(other.kinds)
        self.finish_reasons.update(other.finish_reasons)
        self.wasted.update(other.wasted)
        self.sessions_started += other.sessions_started
        self.sessions_ended.update(other.sessions_ended)
        self.session_codes.update(other.session_codes)
        for name, histogram in other.histograms.items():
            self.histograms.setdefault(name, Histogram()).merge(histogram)
        self.given_up.merge(other.given_up)
        if other.first_ns is not None and other.last_ns is not None:
            self._span(other.first_ns, other.last_ns)

    def _add_reasoning(self, tokens: int | None) -> None:
        if tokens is not None:
            self.tokens_reasoning = (self.tokens_reasoning or 0) + tokens

    def token_sides(self) -> tuple[Counter[str], Counter[str]]:
        """Of how many turns the input, and the output, was told (usage), estimated (estimate), is not known (none)."""
        given: Counter[str] = Counter()
        made: Counter[str] = Counter()
        for word, count in self.sources.items():
            if count:
                given[TOKEN_SIDES[word][0]] += count
                made[TOKEN_SIDES[word][1]] += count
        return given, made

    def _span(self, first_ns: int, last_ns: int) -> None:
        self.first_ns = first_ns if self.first_ns is None else min(self.first_ns, first_ns)
        self.last_ns = last_ns if self.last_ns is None else max(self.last_ns, last_ns)

    @property
    def turns(self) -> int:
        return sum(self.outcomes.values())

    @property
    def failed(self) -> int:
        """Turns that got no good answer: error, timeout, and those whose user gave up."""
        return self.outcomes["error"] + self.outcomes["timeout"] + self.codes[LEFT]

    @property
    def duration_s(self) -> float:
        """From the first turn's begin to the last one's end."""
        if self.first_ns is None or self.last_ns is None:
            return 0.0
        return (self.last_ns - self.first_ns) / 1e9

    def rates(self, seconds: float | None = None) -> dict[str, float | None]:
        """Per second (sessions: per minute) of `seconds`, or of `duration_s`; None if that is zero.

        For a group, `seconds` is its run's duration: then the groups' rates add up to the run's.
        """
        seconds = self.duration_s if seconds is None else seconds
        judged = self.outcomes["ok"] + self.failed
        given, made = self.token_sides()
        # Of tokens that nobody told there is no rate.
        made_s = seconds if self.turns > made["none"] else 0.0
        both_s = seconds if self.turns > min(given["none"], made["none"]) else 0.0
        return {
            "turns_per_s": self.outcomes["ok"] / seconds if seconds else None,
            "sessions_per_min": self.sessions_ended["completed"] * 60 / seconds if seconds else None,
            "conversations_per_min": self.sessions_ended.total() * 60 / seconds if seconds else None,
            "output_tokens_per_s": self.sums["tokens_out_ok"] / made_s if made_s else None,
            "tokens_per_s": (self.sums["tokens_in"] + self.sums["tokens_out"]) / both_s if both_s else None,
            "error_rate": self.failed / judged if judged else None,
        }

    def counted(self) -> dict[str, Any]:
        """All of it, to compare."""
        return {
            "outcomes": self.outcomes, "sources": self.sources, "sums": self.sums, "codes": self.codes,
            "wasted": self.wasted, "tokens_reasoning": self.tokens_reasoning,
            "kinds": self.kinds, "finish_reasons": self.finish_reasons,
            "sessions": (self.sessions_started, self.sessions_ended, self.session_codes),
            "histograms": self.histograms, "given_up": self.given_up, "span": (self.first_ns, self.last_ns),
        }  # fmt: skip


class Aggregate(Counts):
    """Start empty and `add` the data of windows, in any order; each window once."""

    def __init__(self) -> None:
        super().__init__()
        self.groups: dict[int, Counts] = {}
        """By number, those that said something; empty in a run with one group."""
        self.uncounted = 0
        self.uncounted_spent: dict[int, tuple[int, ...]] = {}
        """By group: ok, failed, tokens in and out of those."""
        self.waited = 0
        """Turns of the warm-up that were unanswered when the load ended."""
        self.unsolicited = 0
        """Messages that belong to no question."""
        self.loop_lag = Histogram()
        self.engines: dict[int, Engine] = {}
        self.bad_lines = 0
        self.bad_texts: list[str] = []
        self.point_s = 1
        self.points: dict[int, Point] = {}

    def add(self, data: Mapping[str, Any]) -> None:
        """Add one window (see `metrics.windows` for its keys)."""
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
        """No good answer came later, in seconds since the start."""
        return max(((index + 1) * self.point_s for index, point in self.points.items() if point.ok), default=0)

    @property
    def dropped(self) -> int:
        return sum(engine.dropped for engine in self.engines.values())

    def from_turns(self) -> dict[str, Any]:
        """All that turns and sessions alone decide: the same from windows as from rows (invariant B)."""
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
