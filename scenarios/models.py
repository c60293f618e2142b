"""What is said, kept in the database. The meaning of `spec` is `scenarios.spec.ScenarioSpec`."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from scenarios.render import check_scenario
from scenarios.spec import ScenarioError


class Scenario(models.Model):
    name = models.CharField(max_length=120, unique=True)
    description = models.TextField(default="", blank=True)
    spec = models.JSONField(help_text="Steps, variables and pools: see docs/scenarios.md.")
    builtin = models.BooleanField(default=False, editable=False, help_text="Comes with Token-Burn's library.")
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def clean(self) -> None:
        try:
            check_scenario(self.spec)
        except ScenarioError as exc:
            raise ValidationError({"spec": str(exc)}) from exc
