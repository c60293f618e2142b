"""Bounds what somebody can fill the log with: of one source and kind, a few events a minute, then a number."""

from __future__ import annotations

from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import F
from django.utils import timezone

from audit.chain import write
from audit.models import AuditEvent, AuditTally, Outcome

EACH = 10
"""Events of a source, kind and minute that are written one by one."""
SOURCES = 200
"""Sources that are told apart in a minute; all others are one."""
OTHERS = "other sources"


def admits(source: str, action: str) -> bool:
    """Count one. Returns whether it may be written by itself."""
    minute = timezone.now().replace(second=0, microsecond=0)
    write_counts(minute)
    with transaction.atomic():
        key = {"minute": minute, "action": action[:80], "source": source}
        rows = AuditTally.objects.filter(**key)
        if not rows.update(count=F("count") + 1):
            if AuditTally.objects.filter(minute=minute).count() >= SOURCES:
                key["source"] = OTHERS
                rows = AuditTally.objects.filter(**key)
            AuditTally.objects.bulk_create([AuditTally(**key)], ignore_conflicts=True)
            rows.update(count=F("count") + 1)
        return rows.values_list("count", flat=True).get() <= EACH


def write_counts(before: datetime | None = None) -> int:
    """Write an event for each source of an earlier minute that had more than was written. Returns their number."""
    limit = before or timezone.now() - timedelta(minutes=1)
    if not AuditTally.objects.filter(minute__lt=limit).exists():
        return 0
    with transaction.atomic():
        over = list(AuditTally.objects.select_for_update().filter(minute__lt=limit))
        written = [_counted(one) for one in over if one.count > EACH]
        for event in written:
            write(event)
        AuditTally.objects.filter(pk__in=[one.pk for one in over]).delete()
    return len(written)


def _counted(one: AuditTally) -> AuditEvent:
    minute = one.minute.isoformat(timespec="minutes")
    details = {"source": one.source, "minute": minute, "more": one.count - EACH}
    address = "" if one.source.startswith("user ") or one.source == OTHERS else one.source
    return AuditEvent(action=one.action, outcome=Outcome.REFUSED, details=details, address=address[:45])
