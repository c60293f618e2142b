"""Webhooks and their deliveries."""

from __future__ import annotations

import uuid

from django.db import models

from runs.models.plans import TestPlan
from runs.models.runs import Run
from runs.models.schedules import PlanSchedule
from sealing import secrets


class WebhookKind(models.TextChoices):
    JSON = "json", "JSON"
    SLACK = "slack", "Slack"


class WebhookWhen(models.TextChoices):
    ALWAYS = "always", "each run that ends"
    FAILED = "failed", "runs that failed, aborted or missed a threshold"
    CHANGED = "changed", "runs that end otherwise than the one before"


class Webhook(models.Model):
    """An address to notify about ended runs. It is encrypted, because it may be a secret, as with Slack."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=8, choices=WebhookKind.choices, default=WebhookKind.JSON)
    plan = models.ForeignKey(
        TestPlan,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
        help_text="Only runs of this plan. Empty: all plans.",
    )
    schedule = models.ForeignKey(
        PlanSchedule,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
        help_text="Only runs that this schedule started. Empty: all runs.",
    )
    when = models.CharField(max_length=8, choices=WebhookWhen.choices, default=WebhookWhen.ALWAYS)
    enabled = models.BooleanField(default=True)
    host = models.CharField(
        max_length=300, editable=False, help_text="Host of the address, the only part that is shown."
    )
    sealed_secrets = models.TextField(default="", blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_secrets(self) -> dict[str, str]:
        """`url` and perhaps `key`. Raises `sealing.secrets.SecretsError`."""
        return secrets.unseal(self.sealed_secrets, secrets.row_label("runs.webhook", self.uid))

    def set_secrets(self, values: dict[str, str]) -> None:
        self.sealed_secrets = secrets.seal(values, secrets.row_label("runs.webhook", self.uid))


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"  # next attempt at `next_at`
    DELIVERED = "delivered"
    FAILED = "failed"  # given up


class WebhookDelivery(models.Model):
    """One message to one webhook: about a run, or a test without one."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    run = models.ForeignKey(Run, null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries")
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(help_text="Time of the next attempt, also if the current one dies without a result.")
    http_status = models.PositiveIntegerField(null=True, blank=True)
    error = models.TextField(default="", blank=True, help_text="Why the last attempt failed.")
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"
        constraints = [models.UniqueConstraint(fields=["webhook", "run"], name="webhook_run_once")]
        indexes = [models.Index(fields=["status", "next_at"], name="webhook_delivery_due")]

    def __str__(self) -> str:
        return f"{self.webhook} about {self.run or 'a test'}"
