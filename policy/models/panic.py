"""The emergency stop."""

from __future__ import annotations

from django.conf import settings
from django.db import models

WHO_CHARS = 150
REASON_CHARS = 500
USE = "use_panic"
USE_PANIC = f"policy.{USE}"
"""The right to stop everything, and to undo it."""


class Panic(models.Model):
    """One emergency stop, from its beginning to its undo. Only the last one can be on."""

    is_on = models.BooleanField(default=True)
    began_at = models.DateTimeField(auto_now_add=True)
    began_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    began_by_name = models.CharField(max_length=WHO_CHARS)
    reason = models.CharField(max_length=REASON_CHARS, blank=True, default="")
    schedules_paused = models.BooleanField(default=False)
    stopped_runs = models.JSONField(default=list, help_text="Numbers of the runs that it stopped.")
    paused_tasks = models.JSONField(default=list, help_text="Periodic tasks of the schedules that its undo resumes.")
    ended_at = models.DateTimeField(null=True, blank=True)
    ended_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    ended_by_name = models.CharField(max_length=WHO_CHARS, blank=True, default="")

    class Meta:
        ordering = ["-id"]
        verbose_name = "emergency stop"
        default_permissions = ("view",)
        permissions = [(USE, "Can stop everything and undo it")]
        constraints = [
            models.UniqueConstraint(fields=["is_on"], condition=models.Q(is_on=True), name="panic_on_once"),
        ]

    def __str__(self) -> str:
        return f"emergency stop of {self.began_at:%Y-%m-%d %H:%M:%S} UTC"
