"""The chain of hashes over all events.

An event is written in the transaction of its deed, without a place in the chain: for one, all deeds would have to wait
for each other, and two that wait for each other's rows would fail. When the transaction has ended, `seal` appends it;
what a killed process left over is appended by the next one.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from typing import Any

from django.db import connection, models, transaction

from audit.export import said
from audit.models import AuditChain, AuditEvent

BATCH = 500


def digest(event: AuditEvent, sequence: int, before: str) -> str:
    """SHA-256 of what the event says, its place and the digest before it."""
    whole = {"before": before, "sequence": sequence, "uid": str(event.uid), **said(event)}
    return hashlib.sha256(json.dumps(whole, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def write(event: AuditEvent) -> None:
    """In the current transaction, after which it is sealed with all others of it at once."""
    event.save()
    waiting: list[Any] = connection.run_on_commit
    if not any(seal in entry for entry in waiting):
        transaction.on_commit(seal, robust=True)


def seal() -> int:
    """Append all events that have no place yet. Returns their number."""
    sealed = 0
    while True:
        with transaction.atomic():
            new = _append()
        sealed += new
        if new < BATCH:
            return sealed


def _append() -> int:
    head = locked_head()
    events = list(AuditEvent.objects.filter(sequence=None).order_by("id")[:BATCH])
    if not events:
        return 0
    for event in events:
        head.sequence, head.digest = head.sequence + 1, digest(event, head.sequence + 1, head.digest)
        rows: models.QuerySet[AuditEvent] = models.QuerySet(AuditEvent).filter(pk=event.pk)
        rows.update(sequence=head.sequence, digest=head.digest)
    head.save(update_fields=["sequence", "digest"])
    return len(events)


def locked_head() -> AuditChain:
    """The chain's row, which nobody else changes until the transaction ends."""
    AuditChain.objects.bulk_create([AuditChain(id=1)], ignore_conflicts=True)
    return AuditChain.objects.select_for_update().get(id=1)


def problems() -> Iterator[str]:
    """What does not fit together, one line each."""
    head = AuditChain.objects.filter(id=1).first() or AuditChain()
    expected, before = head.first_sequence, head.first_digest
    for event in AuditEvent.objects.exclude(sequence=None).order_by("sequence").iterator(BATCH):
        sequence = event.sequence or 0
        if sequence != expected + 1:
            yield f"events {expected + 1} to {sequence - 1} are missing"
        elif event.digest != digest(event, sequence, before):
            yield f"event {sequence} does not fit its digest: it, or the one before it, was changed"
        expected, before = sequence, event.digest or ""
    if expected < head.sequence:
        yield f"events {expected + 1} to {head.sequence} are missing"
    elif (expected, before) != (head.sequence, head.digest):
        yield f"the chain ends with event {expected}, which is not the end that was written down ({head.sequence})"
