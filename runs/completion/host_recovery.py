"""Recovery tasks that only a load host can do for itself, without using a worker slot.

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

from runs import db_clock
from runs.completion.ledger_recovery import PendingLedgers
from runs.completion.reaper import reap_here
from runs.db_clock import DATABASE_AWAY
from runs.workers import dispatch

logger = logging.getLogger(__name__)
EVERY_S = 5.0
CLOCK_EVERY_S = 60.0
_forking = threading.RLock()
"""Held while the pool forks a process, and on SQLite while a round goes on. A process that is forked while a connection
to an SQLite database is open inherits the library's memory of it. Once that connection is closed here, what the new
process reads is out of date, and nobody sees what it writes."""


class HostRecovery:
    """A thread of a worker's main process. The main process never uses the database, because it must send heartbeats
    while the database is slow."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        self._every_s = every_s
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._work, name="host-recovery", daemon=True)
        self._pending = PendingLedgers()
        self._clock_due = 0.0
        self.clock_offset_ms: float | None = None
        """This host's wall clock minus that of the database."""

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
                    logger.info("database_away: this host's ledgers wait: %s", exc)
                except Exception:
                    logger.exception("host_recovery_failed: next try in %g s", self._every_s)
                finally:
                    connection.close()  # no connection stays open without need

    def round(self) -> None:
        """One round. Raises DATABASE_AWAY."""
        if time.monotonic() >= self._clock_due:
            self.clock_offset_ms = wall_offset_ms()
            self._clock_due = time.monotonic() + CLOCK_EVERY_S
        reap_here()
        dispatch.nudge()
        self._pending.store()


def wall_offset_ms() -> float:
    """How far this host's wall clock is ahead of the database's. Only shown on a page."""
    before = time.monotonic_ns()
    wall_ns = time.time_ns()
    mono_ns = (before + time.monotonic_ns()) // 2
    return (wall_ns - mono_ns - db_clock.measure_offset().offset_ns) / 1e6
