"""A run on Celery workers, followed from here: status from the database, figures from the run's stream."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import cast

import redis
from django.db import connection

from runs import live, registry
from runs.dbclock import DATABASE_AWAY
from runs.lifecycle import RUN_TERMINAL
from runs.models import Run
from runs.services import stop_run
from tokenburn_site.burn.errors import CannotRun
from tokenburn_site.burn.words import AWAY

POLL_S = 0.5


def check_workers() -> None:
    """Raises CannotRun if the broker is away or nobody serves the load queue: the run would only wait and fail."""
    try:
        alive = registry.workers()
    except (redis.RedisError, OSError) as exc:
        raise CannotRun("--workers needs the broker, and it does not answer: start it with `manage.py up`") from exc
    if not any(worker.carries_load for worker in alive):
        raise CannotRun("--workers: no load worker is alive: start them with `manage.py up`")


def follow(
    run: Run,
    *,
    on_tick: Callable[[live.Tick], None],
    on_status: Callable[[str], None],
    interrupted: threading.Event,
) -> bool:
    """Until the run is over; True if `interrupted` stopped it. Afterwards `run` is fresh from the database.

    The run goes on while the database is away, and so does this; raises DATABASE_AWAY only if it is interrupted then.
    """
    last_id, told = "0", False
    while True:
        try:
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


def _read(run: Run) -> bool:
    """Bring the run's status up to date; True, and all of it, if it is over."""
    run.refresh_from_db(fields=["status"])
    if run.status not in RUN_TERMINAL:
        return False
    run.refresh_from_db()
    return True


def _show_ticks(run_id: int, last_id: str, on_tick: Callable[[live.Tick], None]) -> str:
    """Pass on what the stream has that is new; the id to go on from. A broker that is away costs the figures only."""
    try:
        entries = live.read_since(run_id, last_id)
    except (redis.RedisError, OSError):
        return last_id
    ticks = [cast("live.Tick", entry.data) for entry in entries if entry.kind == "tick"]
    if ticks:
        on_tick(ticks[-1])
    return entries[-1].id if entries else last_id
