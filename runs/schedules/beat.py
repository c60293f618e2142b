"""Celery's beat with several instances: one leads and sends, the others wait.

Beat sends only nudges, at each slot of a schedule and every few seconds; what is due is decided in the database
(`runs.schedules.starter`). If two lead by mistake, both send nudges, which is harmless; a lost nudge only causes a
delay.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from celery.schedules import schedstate
from django.db import close_old_connections
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from runs.db_clock import AHEAD_S, DATABASE_AWAY
from runs.schedules.starter import START_DUE, slots_of
from runs.schedules.timing import TimingError
from runs.workers import registry
from runs.workers.leader_election import RENEW_S, Leadership

logger = logging.getLogger(__name__)
LOOK_AGAIN_S: Final = 3600.0
OUR_TASKS: Final = "runs.tasks."
BACKLOG: Final = 20
"""Queue length above which further messages add nothing."""


class SlotEntry(ModelEntry):
    """An entry whose schedule belongs to a plan: due at its slots, as `runs.schedules.slots` computes them."""

    def __init__(self, model: PeriodicTask, app: Any = None) -> None:
        """One of the site's own entries that has never run is due immediately, because a new site need not wait for
        it."""
        never_ran = model.last_run_at is None
        super().__init__(model, app=app)
        if never_ran and model.name in self.app.conf.beat_schedule:
            model.last_run_at -= timedelta(days=1)
            self.last_run_at = model.last_run_at

    def default_now(self) -> datetime:
        """Not the schedule's own clock, which may be in another zone."""
        now: datetime = self._default_now()
        return now

    def is_due(self) -> schedstate:
        self._believe_no_future()
        schedule = getattr(self.model, "plan_schedule", None) if self.model.task == START_DUE else None
        if schedule is None:
            found: schedstate = super().is_due()
            return found
        now = self.default_now()
        try:
            slots = slots_of(schedule)
        except TimingError:
            return schedstate(False, LOOK_AGAIN_S)
        since_last, following = slots.next(self.last_run_at, 1), slots.next(now, 1)
        wait_s = (following[0] - now).total_seconds() if following else LOOK_AGAIN_S
        return schedstate(bool(since_last) and since_last[0] <= now, min(wait_s, LOOK_AGAIN_S))

    def _believe_no_future(self) -> None:
        """The clock was put back since the last run, or another beat was ahead: record that it ran now."""
        now = self.default_now()
        if self.last_run_at > now + timedelta(seconds=AHEAD_S):
            logger.warning("clock_put_back: %s ran last at %s, which is ahead", self.name, self.last_run_at)
            self.last_run_at = self.model.last_run_at = now


class LeaderScheduler(DatabaseScheduler):
    """Sends what is due while this process leads; otherwise asks every second whether it may lead."""

    Entry = SlotEntry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.leadership = Leadership("beat")
        self._leading = False
        self._latest: datetime | None = None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Only the leader writes the settings' entries into the database: `_begin`."""

    def enabled_models_qs(self) -> Any:
        """All entries: the base class leaves out crontabs of other hours by offsets that ignore daylight saving
        time."""
        timings = ("crontab", "interval", "clocked", "solar")
        return PeriodicTask.objects.enabled().select_related("plan_schedule", *timings)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One step, which sends at most one message. Returns the seconds until the next."""
        try:
            close_old_connections()
            if not self.leadership.leads():
                self._end()
                return self.leadership.renew_s
            if not self._leading:
                self._begin()
            self._note_time()
            wait_s: float = super().tick(*args, **kwargs)
        except DATABASE_AWAY as exc:
            logger.warning("database_away: beat waits: %s", str(exc).strip())
            self._end()
            return RENEW_S
        return min(wait_s, self.leadership.renew_s)

    def schedule_changed(self) -> bool:
        """Also if the time of the change is earlier than that of the last one; the base class would wait until it is
        later."""
        before = self._last_timestamp
        changed: bool = super().schedule_changed()
        return changed or (before is not None and self._last_timestamp not in (None, before))

    def _note_time(self) -> None:
        """The heap is ordered by wall time. If the clock is put back, entries wait behind those that were added since,
        so the heap is rebuilt."""
        now = datetime.now(UTC)
        if self._latest is not None and now < self._latest:
            logger.warning(
                "clock_put_back: by %.1f s: beat looks at all entries again", (self._latest - now).total_seconds()
            )
            self._heap = None
        self._latest = now

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send it, unless it is one of our nudges and no control worker fetches them: they would pile up. (An expiry
        would depend on equal clocks of two hosts.)"""
        if entry.task.startswith(OUR_TASKS) and registry.waiting(self.app.conf.task_default_queue) >= BACKLOG:
            logger.warning("nobody_fetches: %s is not sent: start a control worker", entry.task)
            return
        super().apply_entry(entry, producer=producer)

    def close(self) -> None:
        super().close()
        try:
            self.leadership.release()
        except DATABASE_AWAY as exc:
            logger.warning("database_away: the next beat leads when the lease ends: %s", str(exc).strip())

    def _begin(self) -> None:
        logger.info("beat_leads: %s", self.leadership.holder)
        self._leading = True
        self._initial_read = True
        self._heap = None
        # Celery's own default entry clears results, which are not kept here.
        self.update_from_dict(self.app.conf.beat_schedule)

    def _end(self) -> None:
        """Forget everything: the next leader decides what has been sent."""
        if self._leading:
            logger.warning("beat_follows: %s", self.leadership.holder)
        self._leading = False
        self._dirty.clear()
