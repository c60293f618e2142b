"""A load host's own care: what only this host can do, and no slot of its worker should wait for.

Ledgers lie where their engines ran. When a supervisor here has died, or the whole host was cut off and others have
taken its shards for lost, this host alone can store the rest; it does so by itself as soon as it reaches the database.
It also measures how far its clock is from the database's, for the list of workers.
"""

from __future__ import annotations

import logging
import os
import threading
import time
from contextlib import nullcontext

from django.db import connection

from runs import dbclock, dispatch
from runs.dbclock import DATABASE_AWAY
from runs.reaper import reap_here
from runs.salvage import Leftovers

logger = logging.getLogger(__name__)
EVERY_S = 5.0
CLOCK_EVERY_S = 60.0
_forking = threading.RLock()
"""Held while the pool forks a process, and on SQLite while a round goes on. A process that is forked while a connection
to an SQLite database is open inherits the library's memory of it. Once that connection is closed here, what the new
process reads is out of date, and nobody sees what it writes."""


class Attendant:
    """A thread of a worker's main process, which itself never touches the database: it must go on giving signs of life
    while the database makes others wait."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="attendant", daemon=True)
        self._leftovers = Leftovers()
        self._clock_due = 0.0
        self.clock_offset_ms: float | None = None
        """This host's wall clock minus the database's."""

    def start(self) -> None:
        os.register_at_fork(before=_forking.acquire, after_in_parent=_forking.release, after_in_child=_forking.release)
        self._thread.start()

    def stop(self, within_s: float = 2.0) -> None:
        self._over.set()
        self._thread.join(within_s)

    def _work(self) -> None:
        while not self._over.wait(self._every_s):
            with _forking if connection.vendor == "sqlite" else nullcontext():
                try:
                    self.round()
                except DATABASE_AWAY as exc:
                    logger.info("database_away: this host's leftovers wait: %s", exc)
                except Exception:
                    logger.exception("attendant_failed: next try in %g s", self._every_s)
                finally:
                    connection.close()  # none is held open for nothing

    def round(self) -> None:
        """Once. Raises DATABASE_AWAY."""
        if time.monotonic() >= self._clock_due:
            self.clock_offset_ms = wall_offset_ms()
            self._clock_due = time.monotonic() + CLOCK_EVERY_S
        reap_here()
        dispatch.nudge()
        self._leftovers.store()


def wall_offset_ms() -> float:
    """How far this host's wall clock is ahead of the database's. Nothing but a page uses it."""
    before = time.monotonic_ns()
    wall_ns = time.time_ns()
    mono_ns = (before + time.monotonic_ns()) // 2
    return (wall_ns - mono_ns - dbclock.measure_offset().offset_ns) / 1e6
