"""Celery's beat, of which several may run: one leads and sends, the others wait for its end.

What beat sends is a nudge, at each slot of a schedule and every few seconds besides; what is due is found in the
database (`runs.scheduling`). Two that lead by mistake nudge twice, and a nudge that is lost is only late.
"""

from __future__ import annotations

import logging
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from celery.schedules import schedstate
from django.db import close_old_connections
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from runs import registry
from runs.dbclock import AHEAD_S, DATABASE_AWAY
from runs.leader import RENEW_S, Leadership
from runs.scheduling import START_DUE, slots_of
from runs.timing import TimingError

logger = logging.getLogger(__name__)
LOOK_AGAIN_S: Final = 3600.0
OUR_TASKS: Final = "runs.tasks."
BACKLOG: Final = 20
"""So many messages that nobody fetches say all that more of them could say."""


class SlotEntry(ModelEntry):  # type: ignore[misc]  # the base is untyped
    """An entry whose schedule is a plan's: due at its slots, as `runs.slot_times` computes them."""

    def __init__(self, model: PeriodicTask, app: Any = None) -> None:
        """One of the site's own that never ran is due at once: nothing needs to wait for it on a new site."""
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
        """The clock was put back since it ran last, or another beat was ahead: say that it ran just now."""
        now = self.default_now()
        if self.last_run_at > now + timedelta(seconds=AHEAD_S):
            logger.warning("clock_put_back: %s ran last at %s, which is ahead", self.name, self.last_run_at)
            self.last_run_at = self.model.last_run_at = now


class LeaderScheduler(DatabaseScheduler):  # type: ignore[misc]  # the base is untyped
    """Sends what is due while this process leads; else asks again every second whether it may."""

    Entry = SlotEntry

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.leadership = Leadership("beat")
        self._leading = False
        self._latest: datetime | None = None
        super().__init__(*args, **kwargs)

    def setup_schedule(self) -> None:
        """Only who leads writes the settings' entries into the database: `_begin`."""

    def enabled_models_qs(self) -> Any:
        """All of them: the base leaves out crontabs of other hours, by offsets that know no summer."""
        timings = ("crontab", "interval", "clocked", "solar")
        return PeriodicTask.objects.enabled().select_related("plan_schedule", *timings)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One step, of which each sends one message at most; the seconds until the next."""
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
        """Also if the time of the change is earlier than that of the last one: the base waits until it is later."""
        before = self._last_timestamp
        changed: bool = super().schedule_changed()
        return changed or (before is not None and self._last_timestamp not in (None, before))

    def _note_time(self) -> None:
        """Its heap is in order of wall time: once the clock is put back, entries wait behind those that were put in
        since, so it is made anew."""
        now = datetime.now(UTC)
        if self._latest is not None and now < self._latest:
            logger.warning(
                "clock_put_back: by %.1f s: beat looks at all entries again", (self._latest - now).total_seconds()
            )
            self._heap = None
        self._latest = now

    def apply_entry(self, entry: Any, producer: Any = None) -> None:
        """Send it; not one of our nudges while no control worker fetches them, which would pile up. (An expiry would
        rest on two hosts' clocks being equal.)"""
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
        self.update_from_dict(self.app.conf.beat_schedule)  # Celery's own default clears results, of which we keep none

    def _end(self) -> None:
        """Forget all: what was sent when is the next leader's matter."""
        if self._leading:
            logger.warning("beat_follows: %s", self.leadership.holder)
        self._leading = False
        self._dirty.clear()
