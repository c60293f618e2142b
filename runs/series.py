"""A run as time series, out of its windows: what charts draw after the fact."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, TypedDict

from metrics.histogram import Histogram
from metrics.models import Window

POINTS = 300
METRICS = ("ttft_ms", "e2e_ms")
QUANTILES = {"p50": 0.5, "p95": 0.95, "p99": 0.99}
NS_PER_MS = 1e6
OK = 0  # place of "ok" among a window's outcomes
AT, ACTIVE = 0, 3  # places in a window's generator lines


class Series(TypedDict):
    """Columns of equal length, `step_s` apart. Rates are per second, quantiles ms; null: nothing was measured."""

    step_s: int
    at_s: list[int]
    turns_per_s: list[float]
    failed_per_s: list[float]
    active: list[int | None]
    metrics: dict[str, dict[str, list[float | None]]]


class _Slot:
    """What happened in `step_s` seconds."""

    def __init__(self) -> None:
        self.ok = 0
        self.failed = 0
        self.histograms: dict[str, Histogram] = {}
        self.active: dict[int, tuple[int, int]] = {}  # shard -> (time, sessions) of its last report

    def add(self, data: dict[str, Any]) -> None:
        outcomes = data.get("out", [0])
        self.ok += outcomes[OK]
        self.failed += sum(outcomes) - outcomes[OK]
        for name in METRICS:
            if name in data.get("m", {}):
                self.histograms.setdefault(name, Histogram()).merge(Histogram.from_json(data["m"][name]))
        for line in data.get("gen", []):
            shard = data["shard"]
            self.active[shard] = max(self.active.get(shard, (-1, 0)), (line[AT], line[ACTIVE]))


def run_series(run_id: int, *, so_far: bool = False, points: int = POINTS) -> Series:
    """At most about `points` points. `so_far`: quantiles over everything until then, as live ticks give them."""
    last = Window.objects.filter(run_id=run_id).order_by("-second").values_list("second", flat=True).first()
    step_s = max(1, -(-(1 if last is None else last + 1) // points))
    rows = Window.objects.filter(run_id=run_id).order_by("second").values_list("second", "data")
    slots = [_Slot() for _ in range(0 if last is None else last // step_s + 1)]
    for second, data in rows.iterator(chunk_size=500):
        slots[max(second, 0) // step_s].add(data)
    return {
        "step_s": step_s,
        "at_s": [(number + 1) * step_s for number in range(len(slots))],
        "turns_per_s": [slot.ok / step_s for slot in slots],
        "failed_per_s": [slot.failed / step_s for slot in slots],
        "active": [sum(n for _, n in slot.active.values()) if slot.active else None for slot in slots],
        "metrics": {name: _quantiles((slot.histograms.get(name) for slot in slots), so_far) for name in METRICS},
    }


def _quantiles(histograms: Iterable[Histogram | None], so_far: bool) -> dict[str, list[float | None]]:
    columns: dict[str, list[float | None]] = {name: [] for name in QUANTILES}
    whole = Histogram()
    for histogram in histograms:
        if so_far and histogram is not None:
            whole.merge(histogram)
        shown = whole if so_far else (histogram or Histogram())
        for name, value in zip(QUANTILES, shown.quantiles(list(QUANTILES.values())), strict=True):
            columns[name].append(None if value is None else value / NS_PER_MS)
    return columns
