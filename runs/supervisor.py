"""Owns one engine from claim to finish: lease, common start, stop, ingest, ticks. Called by a Celery task or the CLI.

One thread, one loop. Whatever needs the database happens in `_check`, which may fail and be tried again: the engine
goes on meanwhile and its ledger keeps everything (see `runs.engine_process` for how long).
"""

from __future__ import annotations

import logging
import os
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, TypeVar

from django.db import connection

from connectors.spec import SpecError
from metrics.coverage import WORKER_SHUT_DOWN
from runs.database_name import database_name
from runs.dbclock import AHEAD_S, DATABASE_AWAY, NS, SAMPLES, ClockWatch
from runs.engine_process import LEASE_LOST, Done, EngineProcess, Exited, Fatal, Ready
from runs.finalize import finalize_run
from runs.ingest import CHUNK_BYTES, LeaseLostError, LedgerIngest, ledger_gone, unstored
from runs.leases import (
    ORPHAN_S,
    START_DELAY_S,
    agree_anew,
    agree_start,
    claim_shard,
    fail_if_late,
    fail_start,
    finish_shard,
    host_name,
    mark_ready,
    mark_running,
    renew_lease,
)
from runs.lifecycle import RUN_BEFORE_START
from runs.models import Run, RunStatus, Shard, ShardStatus
from runs.outcome import aborts
from runs.searching import Searcher, searcher_of
from runs.services import abort_run, shard_spec, stop_run
from runs.shard_outcome import Gone, shard_ending
from runs.ticks import Ticker, TickInfo
from runs.witness import WitnessProcess
from targets.secrets import SecretsError

logger = logging.getLogger(__name__)
T = TypeVar("T")
CHECK_BEFORE_START_S = 0.2
LOOK_S = 0.25
"""How often the run's row is read: a stop or a change of the load is known to the engine so soon."""
CHECK_S = 1.0
"""How often is stored what the ledger has that is new."""
RENEW_S = 2.0
STOP_LIMIT_S = 10.0
"""An engine that has not ended this long after a stop is killed."""
STORING_NICE = 19
RETRY_S = 0.5
RETRY_MAX_S = 2.0
FARTHEST_START_NS = int((START_DELAY_S + AHEAD_S) * NS)
"""A start that lies further ahead was agreed on before the database's clock was put back."""
INSIST_S = 600.0
"""How long the end of a shard is tried to be stored while the database is away; then the reaper does it."""


def supervise(
    shard_id: int,
    *,
    on_tick: Callable[[TickInfo], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
    command: tuple[str, ...] = (),
) -> bool:
    """Claim the shard and see it through; False if there was nothing to claim.

    `should_stop` turning true stops the whole run (the worker is shutting down). `command` replaces the engine's.
    """
    shard = claim_shard(shard_id, f"{host_name()}/{os.getpid()}")
    if shard is None:
        return False
    try:
        spec = shard_spec(shard)
    except (SecretsError, SpecError) as exc:
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
    """Measuring comes before storing: let engines, and a target on the same host, have the processor first. Not before
    the engine has its start: on a busy machine it would be told too late.

    Only in a thread of its own, which a local run has: a worker's main thread would pass it on to its next engine.
    """
    if threading.current_thread() is not threading.main_thread():
        with suppress(OSError, AttributeError):  # where threads have no priority of their own
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), STORING_NICE)


def _fail_unstarted(shard: Shard, reason: str) -> None:
    """An engine that cannot start fails the whole run at once: the others need not wait for it."""
    if finish_shard(shard, ShardStatus.FAILED, reason):
        fail_start(shard.run_id, reason)
        finalize_run(shard.run_id)


class Supervisor:
    def __init__(
        self,
        shard: Shard,
        engine: EngineProcess,
        on_tick: Callable[[TickInfo], None] | None,
        should_stop: Callable[[], bool],
        witness: WitnessProcess | None = None,
    ) -> None:
        self._witness = witness
        self._shard = shard
        self._engine = engine
        self._clock = ClockWatch()
        self._should_stop = should_stop
        self._ingest = LedgerIngest(shard)
        self._ticker = Ticker(shard, on_tick)
        self._ready: Ready | None = None
        self._fatal: Fatal | None = None
        self._done = False
        self._exited: Exited | None = None
        self._went = False
        self._store_at = 0.0
        self._searcher = searcher_of(shard.run)
        self._changes = 0
        self._lost = False
        self._run_stops = False
        self._renewed_at = time.monotonic()  # the claim was the first
        self._retry_s = RETRY_S
        self._away_since: float | None = None
        """Since when the database has not answered."""
        self._stop_sent_at: float | None = None

    def run(self) -> None:
        """Until the engine is gone and what it did is stored, or the shard is somebody else's."""
        next_check = 0.0
        while self._exited is None:
            event = self._engine.next_event(max(0.02, next_check - time.monotonic()))
            match event:
                case Ready():
                    self._ready, next_check = event, 0.0
                case Fatal():
                    self._fatal = event
                case Done():
                    self._done = True
                case Exited():
                    self._exited = event
                    break
            if time.monotonic() >= next_check and not self._lost:
                next_check = time.monotonic() + self._attempt()
            self._kill_if_stuck()
        if self._witness is not None:
            self._witness.stop()
        if not self._lost:
            self._insist(self._settle)

    def _attempt(self) -> float:
        """One check; the seconds until the next one is due."""
        try:
            self._check()
        except LeaseLostError:
            self._lose()
        except DATABASE_AWAY as exc:
            logger.warning("database_away: shard %s goes on without it: %s", self._shard.pk, exc)
            connection.close()
            self._retry_s = min(self._retry_s * 2, RETRY_MAX_S)
            self._away_since = self._away_since or time.monotonic()
            return self._retry_s
        self._retry_s = RETRY_S
        self._away_since = None
        return LOOK_S if self._went else CHECK_BEFORE_START_S

    def _check(self) -> None:
        self._renew()
        if self._should_stop():
            stop_run(self._shard.run_id, WORKER_SHUT_DOWN)
        run = Run.objects.only("status", "reason", "start_at", "load_changes").get(pk=self._shard.run_id)
        if run.status in RUN_BEFORE_START or (run.status == RunStatus.RUNNING and not self._went):
            self._advance(run)
        elif run.status != RunStatus.RUNNING:
            self._run_stops = True
            self._stop(run.reason or "the run is over")
        if self._went:
            self._pass_on(run.load_changes)
        if self._went and time.monotonic() >= self._store_at:
            self._store_at = time.monotonic() + CHECK_S - LOOK_S / 2  # looks are never quite on time
            self._store()
            self._ticker.tick(run.status)
            if run.status == RunStatus.RUNNING and (why := self._ticker.why_abort()):
                abort_run(run.pk, why)
            elif run.status == RunStatus.RUNNING and self._searcher is not None:
                self._search(self._searcher)

    def _search(self, searcher: Searcher) -> None:
        """Carry the run's search on, or end the engine's load when it is over."""
        if searcher.is_over():
            self._engine.finish(searcher.grace_s)
            self._searcher = None
        elif (totals := self._ticker.leading) is not None:
            searcher.lead(totals.complete_s, totals.active)

    def _store(self) -> None:
        """What the ledger has that is new, or as much of it as can be stored until the next check is due."""
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
        """Towards the common start. The database's clock is looked at on the way: once the start is agreed, a slow
        network leaves no time for it."""
        self._clock.look(SAMPLES if self._ready is None else 1)
        if self._ready is None:
            fail_if_late(run.pk)
            return
        if self._shard.status == ShardStatus.CLAIMED:
            if not mark_ready(self._shard, self._ready.pid, self._ready.connections):
                raise LeaseLostError(f"shard {self._shard.pk} was lost before it was ready")
            self._shard.status = ShardStatus.READY
        if agree_start(run.pk):
            run.refresh_from_db(fields=["status", "start_at"])
        if run.start_at is None:
            fail_if_late(run.pk)
            return
        offset = self._clock.offset()
        start_mono_ns = offset.to_mono_ns(run.start_at)
        if start_mono_ns - time.monotonic_ns() > FARTHEST_START_NS:
            agree_anew(run.pk)  # the next check reads it
            return
        if not mark_running(self._shard):
            # Stopped or lost in this very moment: the next check tells which, and nothing was sent.
            return
        self._shard.status = ShardStatus.RUNNING
        self._went = True
        self._engine.go(start_mono_ns, offset.error_ns)
        if self._witness is not None:
            self._witness.go(start_mono_ns)
        _step_back()

    def _stop(self, reason: str, word: str = "stopped") -> None:
        if self._stop_sent_at is None:
            self._stop_sent_at = time.monotonic()
            self._engine.stop(reason, word)
            if self._witness is not None:
                self._witness.stop()

    def _lose(self) -> None:
        logger.error("lease_lost: shard %s, epoch %s: its engine stops", self._shard.pk, self._shard.epoch)
        self._lost = True
        self._stop("another took the shard", LEASE_LOST)

    def _kill_if_stuck(self) -> None:
        if self._stop_sent_at is not None and time.monotonic() - self._stop_sent_at > STOP_LIMIT_S:
            logger.warning("engine_stuck: shard %s: killed", self._shard.pk)
            self._engine.kill()

    def _settle(self) -> None:
        """Store the rest and end the shard."""
        shard = self._shard
        if not renew_lease(shard):  # the database may have been away for longer than the lease
            raise LeaseLostError(f"shard {shard.pk}, epoch {shard.epoch}")
        if not self._went:
            self._settle_unstarted()
            return
        complete = True
        try:
            tail = self._ingest.rest(self._ticker.note)
            if tail is None and (shard.ledger_offset or self._done):
                complete, to, reason = False, ShardStatus.LOST, ledger_gone(shard)
            else:
                to, reason = shard_ending(tail, self._gone(), run_stops=self._run_stops)
        except OSError as exc:
            complete, to, reason = False, ShardStatus.LOST, unstored(shard.run_id, exc)
        if to == ShardStatus.ABORTED and aborts(reason):
            abort_run(shard.run_id, reason)  # the other engines need not try as often
        if self._witness is not None:
            self._witness.close()
        if finish_shard(shard, to, reason, complete=complete):
            self._ticker.tick(RunStatus.FINALIZING)
            finalize_run(shard.run_id)
        else:
            logger.error("lease_lost: shard %s ended after another took it", shard.pk)

    def _settle_unstarted(self) -> None:
        shard = self._shard
        run = Run.objects.only("status", "reason").get(pk=shard.run_id)
        if run.status not in RUN_BEFORE_START | {RunStatus.RUNNING}:
            finish_shard(shard, ShardStatus.STOPPED, run.reason)
            finalize_run(run.pk)
            return
        _fail_unstarted(shard, self._why_unstarted())

    def _why_unstarted(self) -> str:
        """An engine leaves by itself, in order, when it hears nothing for long: not its fault if nobody could renew."""
        left = self._fatal is None and self._exited is not None and self._exited.returncode == 0
        if left and self._away_since is not None:
            away_s = time.monotonic() - self._away_since
            return (
                f"the {database_name()} did not answer for {away_s:.0f} s before the start: "
                "check its server and the network to it, then start the run again"
            )
        return self._gone().why("before it was ready")

    def _gone(self) -> Gone:
        return Gone(self._fatal, self._exited, self._engine.last_words())

    def _insist(self, work: Callable[[], None]) -> None:
        """Do `work` as soon as the database lets us; after INSIST_S it is left to the reaper."""
        until = time.monotonic() + INSIST_S
        while True:
            try:
                return work()
            except LeaseLostError:
                logger.exception("lease_lost: shard %s: another stores the rest", self._shard.pk)
                return None
            except DATABASE_AWAY as exc:
                logger.warning("database_away: the end of shard %s waits: %s", self._shard.pk, exc)
                connection.close()
                if time.monotonic() > until:
                    raise
                time.sleep(RETRY_MAX_S)
