"""A run's ticks: what pages and the command line show while it runs."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from metrics.ingest import Batch
from runs.live import Lines, Tick
from runs.models import Shard


class TickInfo(NamedTuple):
    """`tick` covers the whole run and comes from one of its shards' supervisors only; `lines` are this shard's."""

    run_id: int
    status: str
    tick: Tick | None
    lines: Lines | None


class Ticker:
    def __init__(self, shard: Shard, on_tick: Callable[[TickInfo], None] | None) -> None:
        self._shard = shard
        self._on_tick = on_tick

    def tick(self, batch: Batch | None, status: str) -> None: ...
