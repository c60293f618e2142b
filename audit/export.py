"""Events as JSON, one object for each, for files, the API and syslog."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC
from typing import Any

from django.db.models import QuerySet

from audit.models import AuditEvent

FIELDS = ("user_key", "user_name", "token", "action", "outcome", "kind", "key", "text", "door", "address", "user_agent")
BATCH = 500


def said(event: AuditEvent) -> dict[str, Any]:
    """All that it tells, without its place in the chain."""
    at = event.at.astimezone(UTC).isoformat(timespec="microseconds")
    return {"at": at, **{name: getattr(event, name) for name in FIELDS}, "details": event.details}


def as_dict(event: AuditEvent) -> dict[str, Any]:
    return {"sequence": event.sequence, **said(event), "digest": event.digest}


def line(event: AuditEvent) -> str:
    """In ASCII: no text in it can steer a terminal."""
    return json.dumps(as_dict(event), separators=(",", ":"))


def after(sequence: int) -> QuerySet[AuditEvent]:
    """In the order of the chain. Events of the last moment that have no place in it yet come later."""
    return AuditEvent.objects.filter(sequence__gt=sequence).order_by("sequence")


def batches(sequence: int) -> Iterator[list[AuditEvent]]:
    while found := list(after(sequence)[:BATCH]):
        yield found
        sequence = found[-1].sequence or sequence
