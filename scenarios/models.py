"""Stored scenarios. `scenarios.definition.spec.ScenarioSpec` defines the meaning of `spec`."""

from __future__ import annotations

from django.core.exceptions import ValidationError
from django.db import models

from scenarios.definition.spec import ScenarioError
from scenarios.render.walk import check_scenario


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
