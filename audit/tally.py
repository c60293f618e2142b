"""Bounds what somebody can fill the log with: of one source and kind, a few events a minute, then a number."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

from django.db import connection, transaction
from django.utils import timezone

from audit.chain import write
from audit.models import AuditEvent, AuditTally, Outcome

EACH = 10
"""Events of a source, kind and minute that are written one by one."""
SOURCES = 200
"""Sources that are told apart in a minute; all others are one."""
OTHERS = "other sources"


COUNT: Final = """
UPDATE audit_audittally SET count = count + 1 WHERE minute = %s AND action = %s AND source = %s RETURNING count"""
BEGIN: Final = """
INSERT INTO audit_audittally (minute, action, source, count) VALUES (%s, %s, %s, 1)
ON CONFLICT (minute, action, source) DO UPDATE SET count = audit_audittally.count + 1 RETURNING count"""
SOURCES_OF: Final = "SELECT count(*) FROM audit_audittally WHERE minute = %s"
EARLIER: Final = "SELECT 1 FROM audit_audittally WHERE minute < %s LIMIT 1"
"""Whoever guesses addresses makes the site run these: as queries of models they take five times as long."""


def admits(source: str, action: str) -> bool:
    """Count one. Returns whether it may be written by itself."""
    minute = timezone.now().replace(second=0, microsecond=0)
    write_counts(minute)
    with transaction.atomic():
        count = _number(COUNT, minute, action[:80], source)
        if not count:
            is_new = _number(SOURCES_OF, minute) < SOURCES
            count = _number(BEGIN, minute, action[:80], source if is_new else OTHERS)
    return count <= EACH


def _number(statement: str, minute: datetime, *more: str) -> int:
    """What it finds; 0: nothing."""
    at = connection.ops.adapt_datetimefield_value(minute)
    with connection.cursor() as cursor:
        cursor.execute(statement, [at, *more])
        row = cursor.fetchone()
    return int(row[0]) if row else 0


def write_counts(before: datetime | None = None) -> int:
    """Write an event for each source of an earlier minute that had more than was written. Returns their number."""
    limit = before or timezone.now() - timedelta(minutes=1)
    if not _number(EARLIER, limit):
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
