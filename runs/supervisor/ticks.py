"""Publishes a run's ticks and log lines for pages and the command line.

Every supervisor shows lines of its own shard. The tick covers the whole run and comes from one of them, the one with
the lowest active shard, which merges the windows that all of them have stored: percentiles cannot be merged later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import chain
from typing import Any, NamedTuple

from django.db.models import Q

from metrics.analysis.counts import Counts
from metrics.analysis.engines import GeneratorSample
from metrics.analysis.figures import waits_in_flight, with_waiting
from metrics.analysis.spending import used
from metrics.analysis.threshold_status import ThresholdStatus, threshold_statuses
from metrics.analysis.thresholds import parse_all
from metrics.definitions import BOUNDED, find
from metrics.earlier_names import TRUNCATED
from metrics.end_codes import Cause, EndCode
from metrics.histogram import Histogram
from metrics.ingest.batch import Batch
from metrics.models import Window
from metrics.report.bound_words import missed_words
from metrics.storage.aggregate import Aggregate
from metrics.storage.chunks import in_chunks
from runs import live_stream
from runs.capacity.search_controller import doing_of
from runs.lifecycle.transitions import SHARD_ACTIVE
from runs.live_stream import GroupsSoFar, Kind, Line, Lines, Payload, Quantiles, Tick
from runs.load.budget import Budget
from runs.load.groups import frozen_groups
from runs.models import Run, Shard
from runs.reporting.live_rates import LiveRates
from runs.supervisor.error_monitor import ErrorMonitor
from runs.supervisor.line_sample import sample

LINES_A_TICK = 50
GROUPS_A_TICK = 20
NS_PER_MS = 1e6
MS_DIGITS = 3
NS_PER_S = 1e9
NOTHING_READ = -1


class TickInfo(NamedTuple):
    """`tick` covers the whole run; None if the supervisor of another shard publishes it. `lines` are this shard's."""

    run_id: int
    status: str
    tick: Tick | None
    lines: Lines


class RunTotals:
    """The whole run so far, updated from the stored windows; `monitor` receives each of them too."""

    def __init__(self, run: Run, monitor: ErrorMonitor | None = None) -> None:
        self._run_id = run.pk
        self._load: Mapping[str, Any] = run.load
        self._groups = frozen_groups(run.scenario_specs, run.load, run.target_spec)
        self._thresholds = parse_all(run.thresholds)
        self._warm_up_s: float = run.load.get("warm_up_s", 0.0)
        self._monitor = monitor
        self._aggregate = Aggregate()
        self._rates = LiveRates(self._load, self._groups)
        self._read_to: dict[int, int] = {}  # by shard: the last ledger offset that was read
        self._latest: dict[int, GeneratorSample] = {}  # by shard
        self._waits: dict[int, list[list[int]]] = {}  # by shard: those of its latest window
        self._ended: set[int] = set()
        self._working: set[int] = set()
        """Shards that are not over, whether or not they have stored anything."""
        self._doing = doing_of(run)

    def update(self) -> None:
        """Read new windows. The windows of a batch share one offset and one commit, so none is missed."""
        active = list(Shard.objects.filter(run=self._run_id, status__in=SHARD_ACTIVE).values_list("pk", flat=True))
        new = Q()
        for shard_id in self._shard_ids():
            new |= Q(shard=shard_id, ledger_offset__gt=self._read_to.get(shard_id, NOTHING_READ))
        rows = Window.objects.filter(new).order_by("shard_id", "ledger_offset", "second")
        for shard_id, offset, data in in_chunks(rows.values_list("shard_id", "ledger_offset", "data"), 200):
            self.take(shard_id, data)
            self._read_to[shard_id] = offset
        self.settle(active)

    def take(self, shard_id: int, data: Mapping[str, Any]) -> None:
        """A window of that shard. Then `settle`."""
        self._aggregate.add(data)
        self._rates.add(data)
        if self._monitor is not None:
            self._monitor.add(data)
        for row in data.get("gen", ()):
            self._latest[shard_id] = GeneratorSample(*row)
        if "gen" in data:
            self._waits[shard_id] = data.get("waits", [])
        if "tail" in data:
            self._waits.pop(shard_id, None)
            self._latest[shard_id] = GeneratorSample(data["tail"]["at"], 0, 0, 0, 0, 0)
            self._ended.add(shard_id)

    def settle(self, active: Iterable[int]) -> None:
        """All windows have been added that existed while the shards `active` were not over."""
        self._working = set(active) - self._ended
        everything = self._aggregate if self._ended and not self._working else None
        self._rates.reach(self.complete_s, everything)

    @property
    def complete_s(self) -> float:
        """Seconds since the start up to which the windows of every active engine are stored; 0 while one has stored
        nothing."""
        times = {shard: latest.at_ns for shard, latest in self._latest.items()}
        working = [times.get(shard, 0) for shard in self._working]
        return (min(working) if working else max(times.values(), default=0)) / NS_PER_S

    @property
    def active(self) -> int:
        """Number of open conversations."""
        return sum(latest.active for latest in self._latest.values())

    def threshold_statuses(self) -> list[ThresholdStatus]:
        """Of each of the run's thresholds."""
        if not self._thresholds:
            return []
        found = self._aggregate
        hung = sum(latest.hung for latest in self._latest.values())
        waits = waits_in_flight(chain.from_iterable(self._waits.values()))
        whole = with_waiting(self._rates.figures(found, waits=waits), hung)
        counted_s = self.complete_s - self._warm_up_s
        return threshold_statuses(
            self._thresholds, whole, lambda where: self._rates.figures(found, where, waits=waits), counted_s
        )

    def _shard_ids(self) -> list[int]:
        if not self._read_to:
            self._read_to = dict.fromkeys(
                Shard.objects.filter(run=self._run_id).values_list("pk", flat=True), NOTHING_READ
            )
        return list(self._read_to)

    def tick(self) -> Tick:
        """The tick's content."""
        found = self._aggregate
        latest = self._latest.values()
        at_ns = max([found.last_ns or 0, *(engine.at_ns for engine in latest)])
        tick: Tick = {
            "at_s": at_ns / NS_PER_S,
            "counters": {
                "sent": found.sums["sent"],
                **found.outcomes,
                "sessions_started": found.sessions_started,
                "sessions_ended": found.sessions_ended.total(),
                "sessions_completed": found.sessions_ended["completed"],
                "sessions_failed": found.sessions_ended["failed"],
                "sessions_lost": found.sessions_ended["lost"],
                "sessions_truncated": found.sessions_ended[TRUNCATED],
                "output_tokens": found.sums["tokens_out_ok"],
                "dropped_arrivals": found.dropped,
                "unsolicited": found.unsolicited,
            },
            "rates": self._rates.rates(found),
            "complete": self._rates.complete,
            "metrics": dict(self._quantiles()),
            "active": self.active,
            "inflight": sum(engine.inflight for engine in latest),
            "overdue": sum(engine.overdue for engine in latest),
            "budget": used(self._load, found, self._groups),
            "thresholds": self.threshold_statuses(),
        }
        if self._doing is not None:
            tick["doing"] = self._doing(tick["at_s"])
        if len(self._groups) > 1:
            tick["groups"] = self._groups_so_far()
        return tick

    def _groups_so_far(self) -> GroupsSoFar:
        numbers = sorted(self._aggregate.groups)
        rows: list[tuple[int, int, float | None, float | None, float | None]] = []
        for number in numbers[:GROUPS_A_TICK]:
            counts = self._aggregate.groups[number]
            turns = counts.outcomes["ok"] + counts.failed
            rows.append((number, turns, counts.rates()["error_rate"], _p95(counts, "ttft_ms"), _p95(counts, "e2e_ms")))
        return {"rows": rows, "more": len(numbers) - len(rows)}

    def _quantiles(self) -> Iterator[tuple[str, Quantiles]]:
        found = self._aggregate
        waits = {BOUNDED: Histogram.merged((found.histograms.get(BOUNDED, Histogram()), found.given_up))}
        for name, histogram in (found.histograms | (waits if found.given_up.count else {})).items():
            metric = find(name)
            if metric is None:
                continue
            values = [*histogram.quantiles([0.5, 0.95, 0.99]), histogram.mean()]
            p50, p95, p99, mean = (None if v is None else v / metric.scale for v in values)
            yield name, {"p50": p50, "p95": p95, "p99": p99, "mean": mean, "count": histogram.count}


def _p95(counts: Counts, metric: str) -> float | None:
    """In ms."""
    histogram = counts.histograms.get(metric)
    found = histogram.quantile(0.95) if histogram is not None else None
    return None if found is None else round(found / NS_PER_MS, MS_DIGITS)


class Ticker:
    """One supervisor's part: `note` what was stored, then `tick`."""

    def __init__(self, shard: Shard, on_tick: Callable[[TickInfo], None] | None) -> None:
        self._shard = shard
        self._on_tick = on_tick
        self._monitor = ErrorMonitor(_watched(shard.run.load), shard.run.load.get("duration_s"))
        self._totals = RunTotals(shard.run, self._monitor)
        self.leading: RunTotals | None = None
        """The run so far, if this supervisor published the last tick; None: another one leads."""
        self._missed: Cause | None = None
        self._lines: list[Line] = []
        self._held_back = 0

    def note(self, batch: Batch) -> None:
        """Keep a sample of the batch's turns for the next tick."""
        shown = sample(batch, LINES_A_TICK - len(self._lines))
        self._lines += shown
        self._held_back += len(batch.turns) - len(shown)

    def tick(self, status: str) -> None:
        """Publish new data. Call it only after the commit: everything shown is stored."""
        lines: Lines = {"items": self._lines, "held_back": self._held_back}
        tick: Tick | None = None
        self.leading = self._totals if self._leads() else None
        if self.leading is not None:
            self._totals.update()
            tick = self._totals.tick()
            if self._shard.run.abort_on_fail and (missed := missed_words(tick["thresholds"])):
                why = f"threshold: {missed}, after {self._totals.complete_s:.0f} s"
                self._missed = Cause(EndCode.THRESHOLD_MISSED, why)
        entries: list[tuple[Kind, Payload]] = [("tick", tick)] if tick else []
        if self._lines or self._held_back:
            entries.append(("lines", lines))
        published = not entries or live_stream.publish(self._shard.run_id, entries)
        self._held_back = 0 if published else self._held_back + len(self._lines)
        self._lines = []
        if self._on_tick is not None:
            self._on_tick(TickInfo(self._shard.run_id, status, tick, lines))

    def why_abort(self) -> Cause | None:
        """Why the whole run must end now, from the data of the last tick; None: it may continue, or another supervisor
        decides."""
        return self._monitor.why_abort(self._totals.complete_s) or self._missed

    def _leads(self) -> bool:
        active = Shard.objects.filter(run=self._shard.run_id, status__in=SHARD_ACTIVE).order_by("index")
        leader = active.values_list("pk", flat=True).first()
        return leader in {self._shard.pk, None}  # None: ours was the last to end, so it publishes the last tick


def _watched(load: Mapping[str, Any]) -> Budget:
    """A search itself judges a level with nothing but errors, and goes down."""
    budget = Budget.model_validate(load.get("budget", {}))
    return budget.model_copy(update={"no_success_timeout_s": None}) if load.get("search") else budget
