"""AuditEvent, and the head of the chain that its rows form. Only `audit.services` and `audit.chain` write them."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import models
from django.utils import timezone

DIGEST_CHARS = 64
NEVER = "the audit log is append-only: `manage.py audit --prune` deletes what is older than it has to be kept"


class AppendOnly(Exception):
    """Somebody tried to change or delete an event."""


class Outcome(models.TextChoices):
    DONE = "done"
    REFUSED = "refused"
    FAILED = "failed"


class Door(models.TextChoices):
    ADMIN = "admin"
    API = "api", "API"
    PAGE = "page"
    CLI = "cli", "Command line"
    SCHEDULE = "schedule"
    SOCKET = "socket"
    SYSTEM = "system"


class Events(models.QuerySet["AuditEvent"]):
    """Reads and adds."""

    def update(self, **kwargs: Any) -> int:
        raise AppendOnly(NEVER)

    def delete(self) -> tuple[int, dict[str, int]]:
        raise AppendOnly(NEVER)

    def bulk_update(self, *args: Any, **kwargs: Any) -> int:
        raise AppendOnly(NEVER)


class AuditEvent(models.Model):
    """One deed. It names users and rows by text, so that it outlives them."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    sequence = models.BigIntegerField(
        null=True, unique=True, help_text="Place in the chain, from 1. Empty for a moment after the deed."
    )
    at = models.DateTimeField(default=timezone.now, db_index=True, help_text="UTC, by the clock of the host.")
    user_key = models.BigIntegerField(null=True, verbose_name="user id")
    user_name = models.CharField(max_length=200, blank=True, default="", verbose_name="user")
    token = models.CharField(max_length=64, blank=True, default="", help_text="Which API token was used, if any.")
    action = models.CharField(max_length=80, db_index=True, help_text="For example run.start.")
    kind = models.CharField(max_length=80, blank=True, default="", help_text="What it was done to.")
    key = models.CharField(max_length=64, blank=True, default="", verbose_name="id")
    text = models.CharField(max_length=200, blank=True, default="", help_text="Its name at the time.")
    outcome = models.CharField(max_length=8, choices=Outcome.choices, default=Outcome.DONE)
    door = models.CharField(max_length=10, choices=Door.choices, default=Door.SYSTEM)
    address = models.CharField(max_length=45, blank=True, default="", help_text="Of the client.")
    user_agent = models.CharField(max_length=200, blank=True, default="")
    details = models.JSONField(default=dict)
    digest = models.CharField(
        max_length=DIGEST_CHARS, null=True, help_text="SHA-256 of this event and the digest before it."
    )

    objects = models.Manager.from_queryset(Events)()

    class Meta:
        ordering = ["-id"]
        verbose_name = "event"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return f"{self.at:%Y-%m-%d %H:%M:%S} {self.user_name or '-'} {self.action} {self.text}".rstrip()

    def save(self, **kwargs: Any) -> None:
        """Raises AppendOnly if the row exists."""
        if not self._state.adding:
            raise AppendOnly(NEVER)
        super().save(**{**kwargs, "force_insert": True})

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        raise AppendOnly(NEVER)


class AuditChain(models.Model):
    """The chain's two ends; one row. The triggers of the database read `pruning`."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    sequence = models.BigIntegerField(default=0, help_text="Of the last event in the chain.")
    digest = models.CharField(max_length=DIGEST_CHARS, default="0" * DIGEST_CHARS)
    first_sequence = models.BigIntegerField(default=0, help_text="Of the last event that was deleted.")
    first_digest = models.CharField(max_length=DIGEST_CHARS, default="0" * DIGEST_CHARS)
    pruning = models.BigIntegerField(default=0, help_text="Events up to here may be deleted now. 0: none.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.sequence}:{self.digest}"


class AuditTally(models.Model):
    """How often a source was refused something in a minute. Deleted when the minute is over and its count written."""

    source = models.CharField(max_length=64, help_text="A client's network, or a user.")
    action = models.CharField(max_length=80)
    minute = models.DateTimeField()
    count = models.BigIntegerField(default=0)

    class Meta:
        default_permissions = ()
        constraints = [models.UniqueConstraint(fields=["minute", "action", "source"], name="tally_once")]

    def __str__(self) -> str:
        return f"{self.source} {self.action}: {self.count}"


class AuditOutlet(models.Model):
    """How far the log was sent to a place outside."""

    name = models.CharField(max_length=200, primary_key=True)
    position = models.BigIntegerField(default=0, help_text="Sequence of the last event that it has.")
    sent_at = models.DateTimeField(null=True)
    problem = models.CharField(max_length=200, blank=True, default="", help_text="Why the last attempt failed.")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.position}"
