"""Follows the load of one engine through its ledger: stores it, publishes it, and acts on it."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from metrics.end_codes import EndCode
from runs.capacity.search_controller import Searcher, searcher_of
from runs.completion.ingest import CHUNK_BYTES, LedgerIngest, ledger_gone, unstored
from runs.completion.shard_outcome import ShardEnding, shard_ending
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.services import abort_run
from runs.supervisor.engine_process import EngineProcess
from runs.supervisor.ticks import Ticker, TickInfo

LOOK_S = 0.25
"""How often the run's row is read, which is how fast the engine learns of a stop or a change of the load."""
CHECK_S = 1.0
"""How often new data of the ledger is stored."""


class LoadFollower:
    """Call `follow` at each check during the load, and `end` when its engine is gone."""

    def __init__(self, shard: Shard, engine: EngineProcess, on_tick: Callable[[TickInfo], None] | None) -> None:
        self._shard = shard
        self._engine = engine
        self._ingest = LedgerIngest(shard)
        self._ticker = Ticker(shard, on_tick)
        self._searcher = searcher_of(shard.run)
        self._changes = 0
        """Changes of the load that the engine has been told."""
        self._store_at = 0.0

    def follow(self, run: Run) -> None:
        """Tell the engine of changes of the load; every CHECK_S store new data and act on it. Raises LeaseLostError."""
        self._pass_on(run.load_changes)
        if time.monotonic() < self._store_at:
            return
        self._store_at = time.monotonic() + CHECK_S - LOOK_S / 2  # checks are never exactly on time
        self._store()
        self._ticker.tick(run.status)
        if run.status != RunStatus.RUNNING:
            return
        if why := self._ticker.why_abort():
            abort_run(run.pk, why)
        elif self._searcher is not None:
            self._search(self._searcher)

    def end(self, why: Callable[[str], str], *, is_done: bool, run_stops: bool) -> tuple[ShardEnding, bool]:
        """How the shard ended, and whether its whole ledger is stored. `why`: why the engine is gone, if it is;
        `is_done`: the engine reported that its work is done. Raises LeaseLostError."""
        shard = self._shard
        try:
            tail = self._ingest.rest(self._ticker.note)
        except OSError as exc:
            return ShardEnding(ShardStatus.LOST, EndCode.LEDGER_UNSTORED, unstored(shard.run_id, exc)), False
        if tail is None and (shard.ledger_offset or is_done):
            return ShardEnding(ShardStatus.LOST, EndCode.LEDGER_TAKEN, ledger_gone(shard)), False
        return shard_ending(tail, why, run_stops=run_stops), True

    def last_tick(self) -> None:
        """Publish the end."""
        self._ticker.tick(RunStatus.FINALIZING)

    def _search(self, searcher: Searcher) -> None:
        """Advance the run's search, or end the engine's load when it is over."""
        if searcher.is_over():
            self._engine.finish(searcher.grace_s)
            self._searcher = None
        elif (totals := self._ticker.leading) is not None:
            searcher.lead(totals.complete_s, totals.active)

    def _store(self) -> None:
        """Store new data of the ledger, as much as possible until the next check is due."""
        until = time.monotonic() + CHECK_S
        while (batch := self._ingest.step()) is not None:
            self._ticker.note(batch)
            if batch.consumed < CHUNK_BYTES // 2 or time.monotonic() > until:
                return
            self._pass_on(Run.objects.values_list("load_changes", flat=True).get(pk=self._shard.run_id))

    def _pass_on(self, changes: list[dict[str, Any]]) -> None:
        """Changes of the load that the engine has not been told."""
        if len(changes) > self._changes:
            self._changes = len(changes)
            self._engine.change_load(changes)
