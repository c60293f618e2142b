"""When plans start by themselves, what became of each slot, and who is told of a run's end."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from targets import secrets

if TYPE_CHECKING:
    from runs.models import Run, TestPlan

MOST_AT_ONCE = 100


class MissedPolicy(models.TextChoices):
    RECORD = "record", "record them"
    RUN_LATEST = "run_latest", "run the latest one"
    RUN_ALL = "run_all", "run them all, up to the limit"


class OverlapPolicy(models.TextChoices):
    REFUSE = "refuse", "refuse the slot"
    QUEUE = "queue", "queue it, up to the limit"
    ALLOW = "allow", "start it nevertheless"


class SlotStatus(models.TextChoices):
    STARTED = "started"  # its run exists
    QUEUED = "queued"  # waits for an earlier run's end
    MISSED = "missed"  # nobody was there in time
    REFUSED = "refused"  # the reason says why


class PlanSchedule(models.Model):
    """Starts a plan. When, and whether at all, stands in its periodic task: django-celery-beat's own rows."""

    plan: models.ForeignKey[TestPlan, TestPlan] = models.ForeignKey(
        "runs.TestPlan", on_delete=models.PROTECT, related_name="schedules"
    )
    task: Any = models.OneToOneField(
        "django_celery_beat.PeriodicTask", on_delete=models.CASCADE, related_name="plan_schedule", editable=False
    )
    missed = models.CharField(
        "missed slots",
        max_length=12,
        choices=MissedPolicy.choices,
        default=MissedPolicy.RECORD,
        help_text="What to do with slots that nobody could start in time.",
    )
    grace_s = models.PositiveIntegerField(
        "grace (s)",
        default=60,
        validators=[MaxValueValidator(86_400 * 7)],
        help_text="A slot counts as missed when it could not be started within so many seconds.",
    )
    catch_up = models.PositiveIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)],
        help_text="At most so many missed slots are run; older ones are recorded.",
    )
    overlap = models.CharField(
        max_length=8,
        choices=OverlapPolicy.choices,
        default=OverlapPolicy.REFUSE,
        help_text="What to do with a slot while a run of the same plan goes on, whoever started it.",
    )
    queue_limit = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)],
        help_text="At most so many slots wait; a slot that finds the queue full is refused.",
    )
    since = models.DateTimeField(editable=False, help_text="The timing holds since then; intervals count from it.")
    handled_until = models.DateTimeField(editable=False, help_text="Every slot up to then has its row.")
    timing_seen = models.TextField(editable=False, help_text="The timing that `since` and `handled_until` belong to.")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, editable=False, on_delete=models.SET_NULL
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["task__name"]
        verbose_name = "schedule"

    def __str__(self) -> str:
        return str(self.task.name)


class ScheduleSlot(models.Model):
    """What became of a slot. One row for each, whatever beats and workers do: so one run at most."""

    schedule = models.ForeignKey(PlanSchedule, on_delete=models.CASCADE, related_name="slots")
    slot_at = models.DateTimeField()
    status = models.CharField(max_length=8, choices=SlotStatus.choices)
    run: models.OneToOneField[Run | None, Run | None] = models.OneToOneField(
        "runs.Run", null=True, blank=True, on_delete=models.SET_NULL, related_name="slot"
    )
    reason = models.TextField(default="", blank=True)
    count = models.PositiveIntegerField(default=1, help_text="How many slots it stands for, itself the first of them.")
    decided_at = models.DateTimeField(help_text="When its status was written.")

    class Meta:
        ordering = ["-slot_at"]
        verbose_name = "slot"
        constraints = [models.UniqueConstraint(fields=["schedule", "slot_at"], name="schedule_slot_once")]
        indexes = [models.Index(fields=["schedule", "status"], name="schedule_slot_status")]

    def __str__(self) -> str:
        return f"{self.schedule_id} at {self.slot_at:%Y-%m-%d %H:%M:%S}"


class Leader(models.Model):
    """Who may do what only one process should: the holder, until the lease ends by the database's clock."""

    name = models.CharField(max_length=40, primary_key=True)
    holder = models.CharField(max_length=200, default="")
    until = models.DateTimeField()

    def __str__(self) -> str:
        return f"{self.name}: {self.holder}"


class WebhookKind(models.TextChoices):
    JSON = "json", "JSON"
    SLACK = "slack", "Slack"


class WebhookWhen(models.TextChoices):
    ALWAYS = "always", "each run that ends"
    FAILED = "failed", "runs that failed, aborted or missed a threshold"
    CHANGED = "changed", "runs that end otherwise than the one before"


class Webhook(models.Model):
    """An address that is told of runs' ends. The address itself may be a secret, as Slack's are: it is sealed."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    name = models.CharField(max_length=120, unique=True)
    kind = models.CharField(max_length=8, choices=WebhookKind.choices, default=WebhookKind.JSON)
    plan: models.ForeignKey[TestPlan | None, TestPlan | None] = models.ForeignKey(
        "runs.TestPlan",
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
        help_text="Only runs of this plan. Empty: of every plan.",
    )
    schedule = models.ForeignKey(
        PlanSchedule,
        null=True,
        blank=True,
        on_delete=models.CASCADE,
        related_name="webhooks",
        help_text="Only runs that this schedule started. Empty: whoever started them.",
    )
    when = models.CharField(max_length=8, choices=WebhookWhen.choices, default=WebhookWhen.ALWAYS)
    enabled = models.BooleanField(default=True)
    host = models.CharField(max_length=300, editable=False, help_text="Of the address: all of it that is shown.")
    sealed_secrets = models.TextField(default="", blank=True, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name

    def get_secrets(self) -> dict[str, str]:
        """`url` and perhaps `key`. Raises `targets.secrets.SecretsError`."""
        return secrets.unseal(self.sealed_secrets, secrets.row_label("runs.webhook", self.uid))

    def set_secrets(self, values: dict[str, str]) -> None:
        self.sealed_secrets = secrets.seal(values, secrets.row_label("runs.webhook", self.uid))


class DeliveryStatus(models.TextChoices):
    PENDING = "pending"  # to be tried at `next_at`
    DELIVERED = "delivered"
    FAILED = "failed"  # given up


class WebhookDelivery(models.Model):
    """One message to one webhook: about a run, or a test without one."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    run: models.ForeignKey[Run | None, Run | None] = models.ForeignKey(
        "runs.Run", null=True, blank=True, on_delete=models.CASCADE, related_name="deliveries"
    )
    status = models.CharField(max_length=10, choices=DeliveryStatus.choices, default=DeliveryStatus.PENDING)
    attempts = models.PositiveIntegerField(default=0)
    next_at = models.DateTimeField(help_text="When it is tried next, should the current try not be heard of again.")
    http_status = models.PositiveIntegerField(null=True, blank=True)
    error = models.TextField(default="", blank=True, help_text="Why the last try failed.")
    created_at = models.DateTimeField(auto_now_add=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "webhook deliveries"
        constraints = [models.UniqueConstraint(fields=["webhook", "run"], name="webhook_run_once")]
        indexes = [models.Index(fields=["status", "next_at"], name="webhook_delivery_due")]

    def __str__(self) -> str:
        return f"{self.webhook} about {self.run or 'a test'}"
