"""Supervises a run in this process, without broker or workers, for the command line."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from django.db import connection

from runs.completion.ledger_recovery import PendingLedgers
from runs.completion.orphans import commanded, forsake_orphans
from runs.completion.reaper import reap_lost
from runs.lifecycle.transitions import run_ended
from runs.models import Run
from runs.services import stop_run
from runs.supervisor.supervisor import supervise
from runs.supervisor.ticks import TickInfo
from runs.workers.leases import fail_start

logger = logging.getLogger(__name__)
POLL_S = 0.1
SETTLE_WITHIN_S = 60.0
ENGINE_ENDS_WITHIN_S = 5.0
"""How long the engine of a recently killed command may take to release its ledger."""
INTERRUPTS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def run_local(run: Run, on_tick: Callable[[TickInfo], None] | None = None, *, command: tuple[str, ...] = ()) -> bool:
    """Supervise a run that was requested with `local=True` to its end. Returns True if a signal interrupted it.

    SIGINT, SIGTERM and SIGHUP stop the run in order: what was done until then is stored and reported. `on_tick` is
    called by the supervising threads, about once a second each. Afterwards `run` is fresh from the database.
    """
    with commanded(run.uid), interrupts() as interrupted:
        reap_lost()  # what an earlier command left when it was killed
        PendingLedgers().store()  # what an earlier command could not store, perhaps because its disk was full
        _see_through(run, on_tick, command, interrupted)
    run.refresh_from_db()
    return interrupted.is_set()


def store_orphans() -> list[int]:
    """Store and end the local runs whose command was killed. Returns their ids."""
    left = found = forsake_orphans()
    until = time.monotonic() + ENGINE_ENDS_WITHIN_S
    while left and time.monotonic() < until:
        reap_lost()
        left = forsake_orphans()
        if left:
            time.sleep(POLL_S)
    return sorted(run_id for run_id in found if run_ended(run_id))


def _see_through(
    run: Run,
    on_tick: Callable[[TickInfo], None] | None,
    command: tuple[str, ...],
    interrupted: threading.Event,
) -> None:
    threads = [
        threading.Thread(target=_supervise, args=(shard_id, on_tick, command), name=f"shard-{shard_id}")
        for shard_id in run.shards.values_list("pk", flat=True)
    ]
    for thread in threads:
        thread.start()
    told = False
    for thread in threads:
        while thread.is_alive():
            thread.join(POLL_S)
            if interrupted.is_set() and not told:
                stop_run(run, "interrupted")
                told = True
    _settle(run.pk)


def _supervise(shard_id: int, on_tick: Callable[[TickInfo], None] | None, command: tuple[str, ...]) -> None:
    try:
        supervise(shard_id, on_tick=on_tick, command=command)
    except Exception:
        # The engine has ended with its supervisor; `_settle` stores its ledger, as after any dead supervisor.
        logger.exception("supervisor_failed: shard %s", shard_id)
    finally:
        connection.close()


def _settle(run_id: int) -> None:
    """A run whose supervisors failed is reaped like any other; if it has not begun, it never will."""
    fail_start(run_id, "its supervisor failed before the start: see the log")
    until = time.monotonic() + SETTLE_WITHIN_S
    while not run_ended(run_id) and time.monotonic() < until:
        reap_lost()
        if not run_ended(run_id):
            time.sleep(1.0)


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """An event that SIGINT, SIGTERM and SIGHUP set. The second signal raises KeyboardInterrupt for impatient users
    (except SIGHUP, which terminals send twice). Outside the main thread nothing sets it."""
    event = threading.Event()

    def note(number: int, _frame: FrameType | None) -> None:
        if number == signal.SIGHUP:
            _forget_terminal()
        elif event.is_set():
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    kept = {number: signal.signal(number, note) for number in heard_signals()}
    try:
        yield event
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)


def heard_signals() -> list[signal.Signals]:
    """Signals that stop a command cleanly. Not SIGHUP if it is ignored, as under `nohup`."""
    return [number for number in INTERRUPTS if number != signal.SIGHUP or signal.getsignal(number) != signal.SIG_IGN]


def _forget_terminal() -> None:
    """Discards output to a terminal that is gone, instead of ending the process."""
    for stream in (1, 2):
        try:
            os.write(stream, b"")
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream)
            os.close(nowhere)
