"""Test plans: what a person or a schedule starts."""

from __future__ import annotations

from typing import Any

from django.db import models

from scenarios.models import Scenario
from targets.models import Target


class TestPlan(models.Model):
    """Target, scenario mix, load and thresholds: what a person or a schedule starts."""

    __test__ = False  # pytest would collect it by its name

    name = models.CharField(max_length=120, unique=True)
    target = models.ForeignKey(Target, on_delete=models.PROTECT, related_name="plans")
    scenarios: models.ManyToManyField[Scenario, PlanScenario] = models.ManyToManyField(
        Scenario, through="PlanScenario", related_name="plans"
    )
    load = models.JSONField(help_text='For example {"kind": "closed", "users": 50, "duration_s": 30}.')
    thresholds = models.JSONField(default=list, blank=True, help_text='A list such as ["ttft_ms.p95<500"].')
    processes = models.PositiveIntegerField(default=1, help_text="Engine processes (shards) that share the load.")
    seed = models.BigIntegerField(
        null=True, blank=True, help_text="Seed of all random choices. Empty: a new one for each run."
    )
    witness = models.BooleanField(
        default=True, help_text="Check the figures with one more session on independent client libraries."
    )
    abort_on_fail = models.BooleanField(
        default=False, help_text="End a run as soon as one of its thresholds is missed."
    )
    regions = models.JSONField(
        default=list,
        blank=True,
        help_text='Regions for its engines, such as ["eu", "us"], used evenly. Empty: anywhere.',
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def scenario_mix(self) -> list[tuple[float, dict[str, Any]]]:
        """Weight and data of each scenario."""
        return [(part.weight, part.scenario.spec) for part in self.mix.select_related("scenario").order_by("pk")]


class PlanScenario(models.Model):
    plan = models.ForeignKey(TestPlan, on_delete=models.CASCADE, related_name="mix")
    scenario = models.ForeignKey(Scenario, on_delete=models.PROTECT)
    weight = models.FloatField(default=1.0)

    class Meta:
        constraints = [
            models.UniqueConstraint(fields=["plan", "scenario"], name="plan_scenario_once"),
            models.CheckConstraint(condition=models.Q(weight__gt=0), name="plan_scenario_weight_positive"),
        ]

    def __str__(self) -> str:
        return f"{self.plan} / {self.scenario}"
