"""A run on Celery workers, followed from here: status from the database, figures from the run's stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import cast

import redis
from django.db import connection

from runs import live_stream
from runs.db_clock import DATABASE_AWAY
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.models import Run
from runs.services import reap_lost, stop_run
from runs.workers import registry
from tokenburn_site.cli.burn.progress import AWAY
from tokenburn_site.cli.errors import CannotRun

POLL_S = 0.5
REAP_S = 5.0
"""How often a follower checks whether anybody else would end a run whose workers died."""


def check_workers() -> None:
    """Raises CannotRun if the broker is unavailable or no worker serves the load queue."""
    try:
        alive = registry.workers()
    except (redis.RedisError, OSError) as exc:
        raise CannotRun("--workers needs the broker, which does not respond: start it with `manage.py up`") from exc
    if not any(worker.carries_load for worker in alive):
        raise CannotRun("--workers: no load worker is running: start them with `manage.py up`")


def follow(
    run: Run,
    *,
    on_tick: Callable[[live_stream.Tick], None],
    on_status: Callable[[str], None],
    interrupted: threading.Event,
) -> bool:
    """Follow the run to its end; True if `interrupted` stopped it. Afterwards `run` is refreshed from the database.

    An unavailable database stops neither the run nor this function; it raises DATABASE_AWAY only if it is interrupted
    then.
    """
    last_id, told, reap_at = "0", False, time.monotonic() + REAP_S
    while True:
        try:
            if time.monotonic() >= reap_at:
                reap_at = time.monotonic() + REAP_S
                _reap_if_nobody_does()
            over = _read(run)
            if interrupted.is_set() and not told and not over:
                stop_run(run, "interrupted")
                told = True
            on_status(run.status)
        except DATABASE_AWAY:
            connection.close()
            if interrupted.is_set() and not told:
                raise
            over = False
            on_status(AWAY)
        last_id = _show_ticks(run.pk, last_id, on_tick)
        if over:
            return told
        interrupted.wait(POLL_S) if not told else time.sleep(POLL_S)


def _reap_if_nobody_does() -> None:
    """The site that runs the run may be gone, with its scheduler and control worker: nobody would ever end the run.
    This does their work, which is safe here too."""
    if registry.scheduler_silence() or not live_stream.reachable():
        reap_lost()


def _read(run: Run) -> bool:
    """Refresh the run's status; if the run is over, refresh all fields and return True."""
    run.refresh_from_db(fields=["status"])
    if run.status not in RUN_TERMINAL:
        return False
    run.refresh_from_db()
    return True


def _show_ticks(run_id: int, last_id: str, on_tick: Callable[[live_stream.Tick], None]) -> str:
    """Pass on new entries of the stream. Returns the id to continue from. An unavailable broker only costs the
    figures."""
    try:
        entries = live_stream.read_since(run_id, last_id)
    except (redis.RedisError, OSError):
        return last_id
    ticks = [cast("live_stream.Tick", entry.data) for entry in entries if entry.kind == "tick"]
    if ticks:
        on_tick(ticks[-1])
    return entries[-1].id if entries else last_id
