"""Deletes old rows of slots, deliveries, log-ins and quotas. Called every hour.

Of slots, those stay that are still to be decided: queued ones, and any later than what their schedule has handled, by
which it would know them if the database's clock went back. What starts next is never read from rows (`handled_until`
and the timing say it), so nothing starts twice or is skipped because a row is gone. A slot whose run exists stays with
it: it says who started the run, also to webhooks. Of deliveries, those stay that are still to be tried.

Any number of processes may call at once: a row is deleted once, and nothing else is changed.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from django.apps import apps
from django.conf import settings
from django.db.models import QuerySet

from runs.db_clock import DbNow
from runs.models import DeliveryStatus, PlanSchedule, QuotaUse, ScheduleSlot, SlotStatus, WebhookDelivery

DAY_S: Final = 86_400
BATCH: Final = 1000
"""Number of rows per DELETE, which on SQLite blocks all other writers."""
PASS_S: Final = 10.0
"""Maximum duration of a pass, because other tasks wait for the worker. The next pass continues."""


@dataclass(frozen=True)
class Pruned:
    """Rows that one pass deleted."""

    slots: int = 0
    deliveries: int = 0
    log_ins: int = 0
    uses: int = 0


def prune() -> Pruned:
    """Delete rows older than the setting, within the time of one pass."""
    if not settings.HISTORY_DAYS:
        return Pruned()
    until = time.monotonic() + PASS_S
    return Pruned(
        slots=sum(_delete(rows, until) for rows in _old_slots()),
        deliveries=_delete(_old_deliveries(), until),
        log_ins=sum(_delete(rows, until) for rows in _old_log_ins()),
        uses=_delete(QuotaUse.objects.filter(at__lt=_limit()).order_by("at"), until),
    )


def _limit() -> DbNow:
    return DbNow(-settings.HISTORY_DAYS * DAY_S)


def _old_slots() -> Iterator[QuerySet[ScheduleSlot]]:
    """For each schedule. A slot that an outage delayed counts from when it was decided."""
    ended = ScheduleSlot.objects.filter(run=None).exclude(status=SlotStatus.QUEUED)
    for schedule, handled in PlanSchedule.objects.values_list("pk", "handled_until").order_by("pk"):
        mine = ended.filter(schedule=schedule, slot_at__lt=_limit(), decided_at__lt=_limit())  # by the unique index
        yield mine.filter(slot_at__lte=handled).order_by("slot_at")


def _old_deliveries() -> QuerySet[WebhookDelivery]:
    """`next_at` lies within an hour of the last try, and has an index."""
    ended = WebhookDelivery.objects.filter(status__in=[DeliveryStatus.DELIVERED, DeliveryStatus.FAILED])
    return ended.filter(next_at__lt=_limit()).order_by("next_at")


def _old_log_ins() -> Iterator[QuerySet[Any]]:
    """The tables of django-axes, which strangers can fill. Commands without the web do not know them."""
    for name in ("AccessAttempt", "AccessFailureLog", "AccessLog"):
        yield apps.get_model("axes", name)._default_manager.filter(attempt_time__lt=_limit()).order_by("attempt_time")


def _delete(rows: QuerySet[Any], until: float) -> int:
    deleted, more = 0, True
    while more and time.monotonic() < until:
        found, _ = rows.model.objects.filter(pk__in=rows.values("pk")[:BATCH]).delete()
        deleted, more = deleted + found, found == BATCH
    return deleted
