"""Schedules and their slots."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

from runs.models.plans import TestPlan
from runs.models.runs import Run

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
    MISSED = "missed"  # could not be started in time
    REFUSED = "refused"  # the reason says why


class PlanSchedule(models.Model):
    """Starts a plan. Its timing and whether it is enabled are in its periodic task, a row of django-celery-beat."""

    plan = models.ForeignKey(TestPlan, on_delete=models.PROTECT, related_name="schedules")
    task: Any = models.OneToOneField(
        "django_celery_beat.PeriodicTask", on_delete=models.CASCADE, related_name="plan_schedule", editable=False
    )
    missed = models.CharField(
        "missed slots",
        max_length=12,
        choices=MissedPolicy.choices,
        default=MissedPolicy.RECORD,
        help_text="What to do with slots that could not be started in time.",
    )
    grace_s = models.PositiveIntegerField(
        "grace (s)",
        default=60,
        validators=[MaxValueValidator(86_400 * 7)],
        help_text="A slot is missed if it could not be started within this many seconds.",
    )
    catch_up = models.PositiveIntegerField(
        default=5,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)],
        help_text="Maximum number of missed slots to run. Older ones are only recorded.",
    )
    overlap = models.CharField(
        max_length=8,
        choices=OverlapPolicy.choices,
        default=OverlapPolicy.REFUSE,
        help_text="What to do with a slot during another run of the same plan.",
    )
    queue_limit = models.PositiveIntegerField(
        default=1,
        validators=[MinValueValidator(1), MaxValueValidator(MOST_AT_ONCE)],
        help_text="Maximum number of waiting slots. Further slots are refused.",
    )
    since = models.DateTimeField(editable=False, help_text="When the timing was set; intervals count from it.")
    handled_until = models.DateTimeField(editable=False, help_text="All slots up to this time have a row.")
    timing_seen = models.TextField(editable=False, help_text="The timing to which `since` and `handled_until` refer.")
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
    """The result of a slot. Each slot has one row, so it has at most one run."""

    schedule = models.ForeignKey(PlanSchedule, on_delete=models.CASCADE, related_name="slots")
    slot_at = models.DateTimeField()
    status = models.CharField(max_length=8, choices=SlotStatus.choices)
    run = models.OneToOneField(Run, null=True, blank=True, on_delete=models.SET_NULL, related_name="slot")
    reason = models.TextField(default="", blank=True)
    count = models.PositiveIntegerField(
        default=1, help_text="Number of consecutive missed slots that this row represents."
    )
    decided_at = models.DateTimeField(help_text="When the status was set.")

    class Meta:
        ordering = ["-slot_at"]
        verbose_name = "slot"
        constraints = [models.UniqueConstraint(fields=["schedule", "slot_at"], name="schedule_slot_once")]
        indexes = [models.Index(fields=["schedule", "status"], name="schedule_slot_status")]

    def __str__(self) -> str:
        return f"{self.schedule_id} at {self.slot_at:%Y-%m-%d %H:%M:%S}"
