"""Brings a shard to the common start of all engines of its run."""

from __future__ import annotations

import time
from typing import NamedTuple

from runs.completion.ingest import LeaseLostError
from runs.db_clock import AHEAD_S, NS, SAMPLES, ClockWatch
from runs.models import Run, Shard, ShardStatus
from runs.supervisor.engine_process import Ready
from runs.workers.leases import START_DELAY_S, agree_anew, agree_start, fail_if_late, mark_ready, mark_running

FARTHEST_START_NS = int((START_DELAY_S + AHEAD_S) * NS)
"""A start that lies further in the future was agreed on before the database's clock was put back."""


class Start(NamedTuple):
    mono_ns: int
    """By this host's monotonic clock."""
    error_ns: int
    """Maximum deviation from the agreed time."""


class CommonStart:
    """One shard's steps to the start. Call `advance` at each check."""

    def __init__(self, shard: Shard) -> None:
        self._shard = shard
        self._clock = ClockWatch()

    def advance(self, run: Run, ready: Ready | None) -> Start | None:
        """Do the next steps. Returns the start once the shard is marked as running; the engine must then be told.

        `ready`: the engine's message, None: it is not ready yet. Raises LeaseLostError. The database's clock is read
        beforehand, because after the start is agreed a slow network leaves no time for it.
        """
        self._clock.look(SAMPLES if ready is None else 1)
        if ready is None:
            fail_if_late(run.pk)
            return None
        self._mark_ready(ready)
        if agree_start(run.pk):
            run.refresh_from_db(fields=["status", "start_at"])
        if run.start_at is None:
            fail_if_late(run.pk)
            return None
        offset = self._clock.offset()
        start_mono_ns = offset.to_mono_ns(run.start_at)
        if start_mono_ns - time.monotonic_ns() > FARTHEST_START_NS:
            agree_anew(run.pk)  # the next check reads it
            return None
        if not mark_running(self._shard):
            # Stopped or lost at this moment: the next check finds out which, and nothing was sent.
            return None
        self._shard.status = ShardStatus.RUNNING
        return Start(start_mono_ns, offset.error_ns)

    def _mark_ready(self, ready: Ready) -> None:
        if self._shard.status != ShardStatus.CLAIMED:
            return
        if not mark_ready(self._shard, ready.pid, ready.connections):
            raise LeaseLostError(f"shard {self._shard.pk} was lost before it was ready")
        self._shard.status = ShardStatus.READY
