"""Beats in an hour that passes in seconds: `python -m tests.support.beats BEGIN SPEED` forks one for each line read.

Each is a process with the product's own scheduler and leader's lease, only that its clock began at BEGIN (ISO 8601)
when this process started and runs SPEED times as fast, that its lease is as much shorter as takeovers must be, and
that what it sends is done at once, by itself. Prints {"pid"} for each. They end with this process.
"""

from __future__ import annotations

import json
import os
import sys
import time
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, NoReturn

import django

if TYPE_CHECKING:
    from runs.schedules.beat import LeaderScheduler

LEASE_S, RENEW_S = 0.3, 0.06


def main(begin: datetime, speed: float) -> None:
    django.setup()
    from tokenburn_site.celery import app

    started = time.monotonic()

    def now() -> datetime:
        return begin + timedelta(seconds=(time.monotonic() - started) * speed)

    app.conf.update(broker_url="memory://", task_always_eager=True)
    app.finalize()
    app.loader.import_default_modules()
    _use(now)
    print(json.dumps({"ready": True}), flush=True)
    for _ in sys.stdin:
        pid = os.fork()
        if pid == 0:
            _beat(os.getppid())
        print(json.dumps({"pid": pid}), flush=True)


def _use(now: object) -> None:
    from django_celery_beat import models

    from runs import db_clock
    from runs.schedules import beat

    models.now = now
    db_clock.now = now  # type: ignore[assignment]  # the accelerated clock
    beat.SlotEntry._default_now = lambda self: now()  # type: ignore[operator]  # the same, for beat


def _beat(parent: int) -> NoReturn:
    from runs.schedules.beat import LeaderScheduler
    from runs.workers.leader_election import Leadership
    from tokenburn_site.celery import app

    scheduler = LeaderScheduler(app=app, lazy=True)
    scheduler.leadership = Leadership("beat", LEASE_S, RENEW_S)
    while os.getppid() == parent:
        time.sleep(max(0.0, scheduler.tick()))
    os._exit(0)


def scheduler_here() -> LeaderScheduler:
    """A scheduler in this process. It stores nothing when the process ends: the tests' database is gone by then."""
    from runs.schedules.beat import LeaderScheduler
    from tokenburn_site.celery import app

    scheduler = LeaderScheduler(app=app)
    scheduler._finalize.cancel()
    return scheduler


if __name__ == "__main__":
    main(datetime.fromisoformat(sys.argv[1]), float(sys.argv[2]))
