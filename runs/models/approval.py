"""The approval that a run waits for."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from runs.models.runs import Run

NOTE_CHARS = 500


class Decision(models.TextChoices):
    NONE = "", "none yet"
    APPROVED = "approved"
    REFUSED = "refused"
    EXPIRED = "expired"


class Approval(models.Model):
    """Of one run that is above what its person may start alone. Without a decision and with a run that no longer
    waits: the run was stopped before."""

    run = models.OneToOneField(Run, on_delete=models.CASCADE, related_name="approval")
    why = models.TextField(help_text="What is above the limits.")
    asked_at = models.DateTimeField()
    decision = models.CharField(max_length=8, choices=Decision.choices, default=Decision.NONE, blank=True)
    decided_at = models.DateTimeField(null=True, blank=True)
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_by_name = models.CharField(max_length=150, blank=True, default="")
    note = models.CharField(max_length=NOTE_CHARS, blank=True, default="")

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"approval of run {self.run_id}"
