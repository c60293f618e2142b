"""Write events. See docs/audit.md."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import DatabaseError, connection, models

from audit import tally
from audit.chain import write
from audit.description import bounded, client, person, short, source, thing
from audit.models import AuditEvent, Door, Outcome
from audit.origin import Origin, current, door_of, within

logger = logging.getLogger(__name__)


def record(
    action: str,
    *,
    request: Any = None,
    user: Any = None,
    on: models.Model | tuple[str, Any, str] | None = None,
    outcome: str = "done",
    door: str | None = None,
    details: dict[str, Any] | None = None,
) -> AuditEvent:
    """Write that somebody did `action` to `on` (a row, or its kind, id and name), in the transaction of the deed. What
    is not given comes from the current request, command or task, and the event of a refused or failed deed outlives
    a rollback in there."""
    origin = current()
    request = request or (origin.request if origin else None)
    if door is None:
        door = origin.door if origin else door_of(request) if request else Door.SYSTEM
    known = person(user) or person(getattr(request, "user", None)) or person(origin.user if origin else None)
    if not known and origin and origin.account:
        known = {"user_name": short(origin.account)}
    event = AuditEvent(
        action=short(action, 80),
        outcome=Outcome(outcome),
        door=Door(door),
        details=bounded(details or {}),
        **known,
        **thing(on),
        **client(request),
    )
    if origin:
        origin.recorded += 1
        if event.outcome != Outcome.DONE:
            origin.refusals.append(event)
    if not connection.needs_rollback:
        write(event)
    elif not origin:
        logger.error("audit_lost: %s %s in a transaction that has failed", event.action, event.outcome)
    return event


def record_refusal(action: str, *, request: Any = None, **more: Any) -> AuditEvent | None:
    """The same for what anybody can repeat at will: of one source, at most `tally.EACH` a minute are written one by
    one; the others are counted. Returns None if it was only counted."""
    origin = current()
    if tally.admits(source(request or (origin.request if origin else None)), action):
        return record(action, request=request, outcome="refused", **more)
    if origin:
        origin.recorded += 1
    return None


@contextmanager
def coming_from(door: str, request: Any = None, user: Any = None, account: str = "") -> Iterator[Origin]:
    """What is recorded in here comes from there. At the end, events of refusals that were rolled back are written
    again."""
    origin = Origin(door, request, user, account)
    try:
        with within(origin):
            yield origin
    finally:
        _write_again(origin)


def _write_again(origin: Origin) -> None:
    """Events of refusals whose transaction was rolled back."""
    refusals, origin.refusals = origin.refusals, []
    if not refusals:
        return
    try:
        there = set(AuditEvent.objects.filter(uid__in=[e.uid for e in refusals]).values_list("uid", flat=True))
        for event in refusals:
            if event.uid not in there:
                event.pk, event._state.adding = None, True
                write(event)
    except DatabaseError:
        logger.exception("audit_lost: %d refusals could not be recorded", len(refusals))
