"""Deletes old events, which nothing else can do, and says so in the log."""

from __future__ import annotations

from datetime import timedelta

from django.db import models, transaction
from django.utils import timezone

from audit.chain import locked_head, seal
from audit.models import AuditEvent
from audit.services import record


def prune(days: int) -> int:
    """Delete the events before the first that is younger than `days`. Returns their number. The chain goes on from the
    digest of the last one."""
    seal()
    limit = timezone.now() - timedelta(days=days)
    with transaction.atomic():
        head = locked_head()
        kept = AuditEvent.objects.filter(sequence__isnull=False, at__gte=limit).order_by("sequence").first()
        last = AuditEvent.objects.filter(sequence__isnull=False).order_by("-sequence")
        found = last.filter(sequence__lt=kept.sequence).first() if kept else last.first()
        if found is None or found.sequence is None or found.digest is None:
            return 0
        head.pruning = found.sequence
        head.save(update_fields=["pruning"])
        rows: models.QuerySet[AuditEvent] = models.QuerySet(AuditEvent).filter(sequence__lte=found.sequence)
        deleted = rows._raw_delete("default")
        head.pruning, head.first_sequence, head.first_digest = 0, found.sequence, found.digest
        head.save(update_fields=["pruning", "first_sequence", "first_digest"])
        record("audit.prune", details={"days": days, "events": deleted, "up_to": found.sequence})
    return deleted
