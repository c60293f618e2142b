"""A run supervised by this process, without broker or workers: what the command line does."""

from __future__ import annotations

import logging
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

from django.db import connection

from runs.leases import fail_start
from runs.lifecycle import run_ended
from runs.models import Run
from runs.reaper import reap_lost
from runs.services import stop_run
from runs.supervisor import supervise
from runs.ticks import TickInfo

logger = logging.getLogger(__name__)
POLL_S = 0.1
SETTLE_WITHIN_S = 60.0


def run_local(run: Run, on_tick: Callable[[TickInfo], None] | None = None, *, command: tuple[str, ...] = ()) -> bool:
    """See a run that was requested with `local=True` to its end; True if a signal interrupted it.

    SIGINT and SIGTERM stop the run in order: what was done until then is stored and reported. `on_tick` is called
    by the supervising threads, about once a second each. Afterwards `run` is fresh from the database.
    """
    reap_lost()  # what an earlier command left behind when it was killed
    threads = [
        threading.Thread(target=_supervise, args=(shard_id, on_tick, command), name=f"shard-{shard_id}")
        for shard_id in run.shards.values_list("pk", flat=True)
    ]
    with interrupts() as interrupted:
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
    run.refresh_from_db()
    return interrupted.is_set()


def _supervise(shard_id: int, on_tick: Callable[[TickInfo], None] | None, command: tuple[str, ...]) -> None:
    try:
        supervise(shard_id, on_tick=on_tick, command=command)
    except Exception:
        # The engine has ended with its supervisor; `_settle` stores what it did, as after any dead supervisor.
        logger.exception("supervisor_failed: shard %s", shard_id)
    finally:
        connection.close()


def _settle(run_id: int) -> None:
    """A run whose supervisors failed is reaped like any other; if it has not begun, nobody else will begin it."""
    fail_start(run_id, "its supervisor failed before the start: see the log")
    until = time.monotonic() + SETTLE_WITHIN_S
    while not run_ended(run_id) and time.monotonic() < until:
        reap_lost()
        if not run_ended(run_id):
            time.sleep(1.0)


@contextmanager
def interrupts() -> Iterator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the second signal raises KeyboardInterrupt, for who cannot wait.

    Outside the main thread nothing sets it.
    """
    event = threading.Event()

    def note(_signal: int, _frame: FrameType | None) -> None:
        if event.is_set():
            raise KeyboardInterrupt
        event.set()

    if threading.current_thread() is not threading.main_thread():
        yield event
        return
    kept = {number: signal.signal(number, note) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield event
    finally:
        for number, handler in kept.items():
            signal.signal(number, handler)
