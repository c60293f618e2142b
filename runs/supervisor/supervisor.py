"""Owns one engine from claim to finish: lease, common start, stop, ingest, ticks. Called by a Celery task or the CLI.

One thread, one loop. Whatever needs the database happens in `_check`, which may fail and be tried again: the engine
goes on meanwhile and its ledger keeps everything (see `runs.supervisor.engine_process` for how long).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from enum import Enum

from connectors.spec import SpecError
from metrics.analysis.coverage import WORKER_SHUT_DOWN
from metrics.end_codes import TARGET_ENDS, Cause, EndCode, end_code_of
from runs.completion.finalize import finalize_run
from runs.completion.ingest import LeaseLostError
from runs.database_name import database_name
from runs.db_clock import DATABASE_AWAY
from runs.lifecycle.transitions import RUN_BEFORE_START
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.planning.errors import RequestError
from runs.services import abort_run, shard_spec, stop_run
from runs.supervisor.common_start import CommonStart
from runs.supervisor.database_retries import DatabaseRetries, retry_until_stored
from runs.supervisor.engine_exit import EngineEvents, EngineExit
from runs.supervisor.engine_process import EngineProcess, Ready
from runs.supervisor.load_follower import LOOK_S, LoadFollower
from runs.supervisor.ticks import TickInfo
from runs.supervisor.witness_process import WitnessProcess
from runs.workers.leases import ORPHAN_S, claim_shard, fail_start, finish_shard, host_name, renew_lease
from sealing.secrets import SecretsError

logger = logging.getLogger(__name__)
CHECK_BEFORE_START_S = 0.2
RENEW_S = 2.0
STOP_LIMIT_S = 10.0
"""An engine that has not ended this long after a stop is killed."""
STORING_NICE = 19


def supervise(
    shard_id: int,
    *,
    on_tick: Callable[[TickInfo], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    command: tuple[str, ...] = (),
) -> bool:
    """Claim the shard and supervise it to its end; False if there was nothing to claim. `should_stop` turning true
    stops the whole run (the worker is shutting down). `command` replaces the engine's."""
    shard = claim_shard(shard_id, f"{host_name()}/{os.getpid()}")
    if shard is None:
        return False
    try:
        spec = shard_spec(shard)
    except (SecretsError, SpecError, RequestError) as exc:
        _fail_unstarted(shard, str(exc))
        return True
    engine = EngineProcess(spec, command, ORPHAN_S)
    witness = WitnessProcess(shard.run_id, spec, ORPHAN_S) if shard.run.with_witness and shard.index == 0 else None
    try:
        Supervisor(shard, engine, on_tick, should_stop, witness).run()
    finally:
        engine.close()
        if witness is not None:
            witness.close()
    return True


def _step_back() -> None:
    """Give engines, and a target on the same host, priority over storing.

    Not before the engine has its start, which a busy machine would delay too much. Only in a thread of its own, as in a
    local run: a worker's main thread would pass the priority on to its next engine.
    """
    if threading.current_thread() is not threading.main_thread():
        with suppress(OSError, AttributeError):  # on systems where threads have no priority of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), STORING_NICE)


def _fail_unstarted(shard: Shard, reason: str) -> None:
    """If an engine cannot start, the whole run fails immediately: the others need not wait for it."""
    if finish_shard(shard, ShardStatus.FAILED, EndCode.NOT_STARTED, reason):
        fail_start(shard.run_id, reason)
        finalize_run(shard.run_id)


class Phase(Enum):
    """The phase of a shard under its supervisor."""

    STARTING = "starting"
    """The engine has not been told the start."""
    RUNNING = "running"
    """The engine runs the load."""
    STOPPING = "stopping"
    """The run is over or stopping, and the engine was told so while it ran the load."""
    LOST = "lost"
    """Another supervisor holds the shard."""


class Supervisor:
    def __init__(
        self,
        shard: Shard,
        engine: EngineProcess,
        on_tick: Callable[[TickInfo], None] | None,
        should_stop: Callable[[], bool],
        witness: WitnessProcess | None = None,
    ) -> None:
        self._shard = shard
        self._engine = engine
        self._witness = witness
        self._should_stop = should_stop
        self._phase = Phase.STARTING
        self._events = EngineEvents()
        self._start = CommonStart(shard)
        self._load = LoadFollower(shard, engine, on_tick)
        self._retries = DatabaseRetries()
        self._renewed_at = time.monotonic()  # the claim was the first
        self._stop_sent_at: float | None = None

    def run(self) -> None:
        """Run until the engine has ended and its results are stored, or the shard is lost."""
        next_check = 0.0
        while True:
            event = self._engine.next_event(max(0.02, next_check - time.monotonic()))
            self._events.note(event)
            if self._events.exited is not None:
                break
            if isinstance(event, Ready):
                next_check = 0.0
            if time.monotonic() >= next_check and self._phase is not Phase.LOST:
                next_check = time.monotonic() + self._attempt()
            self._kill_if_stuck()
        if self._witness is not None:
            self._witness.stop()
        if self._phase is not Phase.LOST:
            retry_until_stored(self._shard.pk, self._settle)

    @property
    def _has_started(self) -> bool:
        """The engine was told the start."""
        return self._phase in {Phase.RUNNING, Phase.STOPPING}

    def _attempt(self) -> float:
        """Make one check. Returns the seconds until the next one is due."""
        try:
            self._check()
        except LeaseLostError:
            self._lose()
        except DATABASE_AWAY as exc:
            logger.warning("database_away: shard %s goes on without it: %s", self._shard.pk, exc)
            return self._retries.failed()
        self._retries.answered()
        return LOOK_S if self._has_started else CHECK_BEFORE_START_S

    def _check(self) -> None:
        self._renew()
        if self._should_stop():
            stop_run(self._shard.run_id, WORKER_SHUT_DOWN, EndCode.WORKER_SHUT_DOWN)
        run = Run.objects.only("status", "end_code", "reason", "start_at", "load_changes").get(pk=self._shard.run_id)
        if run.status in RUN_BEFORE_START or (run.status == RunStatus.RUNNING and not self._has_started):
            self._advance(run)
        elif run.status != RunStatus.RUNNING:
            self._end_with(run)
        if self._has_started:
            self._load.follow(run)

    def _renew(self) -> None:
        now = time.monotonic()
        if now - self._renewed_at < RENEW_S:
            return
        if not renew_lease(self._shard):
            raise LeaseLostError(f"shard {self._shard.pk}, epoch {self._shard.epoch}")
        self._renewed_at = now
        self._engine.keep()
        if self._witness is not None:
            self._witness.keep()

    def _advance(self, run: Run) -> None:
        start = self._start.advance(run, self._events.ready)
        if start is None:
            return
        self._phase = Phase.RUNNING
        self._engine.go(start.mono_ns, start.error_ns)
        if self._witness is not None:
            self._witness.go(start.mono_ns)
        _step_back()

    def _end_with(self, run: Run) -> None:
        """The run is over or stopping."""
        if self._phase is Phase.RUNNING:
            self._phase = Phase.STOPPING
        run_code = end_code_of(run.end_code, run.reason)
        code = EndCode.WORKER_SHUT_DOWN if run_code == EndCode.WORKER_SHUT_DOWN else EndCode.STOPPED
        self._stop(run.reason or "the run is over", code, run_code)

    def _stop(self, reason: str, code: EndCode, run_code: str = "") -> None:
        if self._stop_sent_at is None:
            self._stop_sent_at = time.monotonic()
            self._engine.stop(reason, code, run_code)
            if self._witness is not None:
                self._witness.stop()

    def _lose(self) -> None:
        logger.error("lease_lost: shard %s, epoch %s: its engine stops", self._shard.pk, self._shard.epoch)
        self._phase = Phase.LOST
        self._stop("another took the shard", EndCode.LEASE_LOST)

    def _kill_if_stuck(self) -> None:
        if self._stop_sent_at is not None and time.monotonic() - self._stop_sent_at > STOP_LIMIT_S:
            logger.warning("engine_stuck: shard %s: killed", self._shard.pk)
            self._engine.kill()

    # --- the end ----------------------------------------------------------------------------------------------

    def _settle(self) -> None:
        """Store the rest and end the shard."""
        shard = self._shard
        if not renew_lease(shard):  # the database may have been unavailable for longer than the lease
            raise LeaseLostError(f"shard {shard.pk}, epoch {shard.epoch}")
        if not self._has_started:
            self._settle_unstarted()
            return
        end, complete = self._load.end(
            lambda when: self._engine_exit().why(when),
            is_done=self._events.done,
            run_stops=self._phase is Phase.STOPPING,
        )
        if end.status == ShardStatus.ABORTED and end.code in TARGET_ENDS:
            abort_run(shard.run_id, Cause(EndCode(end.code), end.reason))  # the other engines need not try as often
        if self._witness is not None:
            self._witness.close()
        if finish_shard(shard, *end, complete=complete):
            self._load.last_tick()
            finalize_run(shard.run_id)
        else:
            logger.error("lease_lost: shard %s ended after another took it", shard.pk)

    def _settle_unstarted(self) -> None:
        shard = self._shard
        run = Run.objects.only("status", "reason").get(pk=shard.run_id)
        if run.status not in RUN_BEFORE_START | {RunStatus.RUNNING}:
            finish_shard(shard, ShardStatus.STOPPED, EndCode.STOPPED, run.reason)
            finalize_run(run.pk)
            return
        _fail_unstarted(shard, self._why_unstarted())

    def _why_unstarted(self) -> str:
        """An engine stops itself after a long silence; it is not its fault if the lease could not be renewed."""
        away_s = self._retries.away_s
        if self._events.left_in_order and away_s is not None:
            return (
                f"the {database_name()} did not answer for {away_s:.0f} s before the start: "
                "check its server and the network to it, then start the run again"
            )
        return self._engine_exit().why("before it was ready")

    def _engine_exit(self) -> EngineExit:
        return EngineExit(self._events.fatal, self._events.exited, self._engine.stderr_tail())
