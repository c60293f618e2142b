"""What each run uses of the limits that hold for its person and for the installation."""

from __future__ import annotations

from django.conf import settings
from django.db import models

from runs.models.runs import Run


class QuotaUse(models.Model):
    """Of one run: reserved when it is requested, corrected when it ends. It outlives a deleted run, which used what it
    used."""

    run = models.OneToOneField(Run, null=True, on_delete=models.SET_NULL, related_name="quota")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(db_index=True)
    users = models.BigIntegerField(help_text="Conversations that may be open at the same time.")
    arrivals_per_s = models.FloatField(help_text="Conversations that begin in the busiest second.")
    turns = models.BigIntegerField(default=0)
    tokens = models.BigIntegerField(default=0)
    cost = models.FloatField(default=0.0)

    class Meta:
        default_permissions = ()

    def __str__(self) -> str:
        return f"use of run {self.run_id}"
