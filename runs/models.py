"""TestPlan, Run, Shard, Session: what is to be done, and what became of it. Only `runs.lifecycle` writes a status."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from scenarios.models import Scenario
from targets import secrets
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
    seed = models.BigIntegerField(null=True, blank=True, help_text="Empty: a new one for each run.")
    witness = models.BooleanField(
        default=True, help_text="One more session on stock client libraries, to check the figures; not in any of them."
    )
    abort_on_fail = models.BooleanField(
        default=False, help_text="Stop a run as soon as one of its thresholds is missed."
    )
    regions = models.JSONField(
        default=list,
        blank=True,
        help_text='Where its engines run, such as ["eu", "us"]: shared evenly. Empty: anywhere.',
    )
    created_at = models.DateTimeField(auto_now_add=True)
    updated_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering = ["name"]

    def __str__(self) -> str:
        return self.name


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


class RunStatus(models.TextChoices):
    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    STOPPING = "stopping"
    FINALIZING = "finalizing"
    COMPLETED = "completed"
    STOPPED = "stopped"
    ABORTED = "aborted"
    FAILED = "failed"


class ShardStatus(models.TextChoices):
    QUEUED = "queued"  # nobody has it
    CLAIMED = "claimed"  # a supervisor holds the lease; its engine may be starting
    READY = "ready"  # its engine waits for the common start
    RUNNING = "running"  # its engine may have sent something: it is never started again
    DONE = "done"  # the engine ended by itself, everything is stored
    STOPPED = "stopped"  # ended by a stop, everything is stored
    ABORTED = "aborted"  # the engine gave up early: the target answers nobody
    FAILED = "failed"  # it never started, or our own side cut it short
    LOST = "lost"  # the engine or its supervisor died on the way


class Run(models.Model):
    """One execution, with a frozen copy of everything it ran. Terminal states: see `runs.lifecycle`."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    plan = models.ForeignKey(TestPlan, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=12, choices=RunStatus.choices, default=RunStatus.QUEUED, db_index=True)
    reason = models.TextField(default="", blank=True, help_text="Why it ended the way it did, or what it waits for.")
    target_spec = models.JSONField()
    scenario_specs = models.JSONField(help_text="[{weight, scenario}]")
    load = models.JSONField()
    thresholds = models.JSONField(default=list, blank=True)
    abort_on_fail = models.BooleanField(default=False)
    seed = models.BigIntegerField()
    load_changes = models.JSONField(
        default=list, blank=True, help_text="Levels set while it ran: [{at_s, level, by}], since the common start."
    )
    search = models.JSONField(null=True, blank=True, help_text="How far a search for the capacity has come.")
    sealed_secrets = models.TextField(default="", blank=True, editable=False)
    local = models.BooleanField(default=False, help_text="Supervised by the command line, not by Celery workers.")
    with_witness = models.BooleanField(default=False, help_text="Whether an independent session goes along.")
    witness = models.JSONField(null=True, blank=True, help_text="What the independent session measured.")
    version = models.CharField(
        max_length=40, default="", db_default="", blank=True, help_text="Of the Token-Burn that planned it."
    )
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    ready_by = models.DateTimeField(null=True, blank=True, help_text="If not all engines are ready by then, it fails.")
    start_at = models.DateTimeField(null=True, blank=True, help_text="The start that all shards agreed on.")
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    report = models.JSONField(null=True, blank=True, help_text="The final report: see docs/metrics.md.")

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"Run {self.pk}: {self.name}"

    def get_secrets(self) -> dict[str, str]:
        return secrets.unseal(self.sealed_secrets, secrets.row_label("runs.secrets", self.uid))

    def set_secrets(self, values: dict[str, str]) -> None:
        self.sealed_secrets = secrets.seal(values, secrets.row_label("runs.secrets", self.uid))


class Shard(models.Model):
    """A run's share for one engine. The lease says who may run it; the offset, how much of its ledger is stored."""

    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="shards")
    index = models.PositiveIntegerField()
    region = models.CharField(max_length=60, default="", blank=True, help_text="Where it must run; empty: anywhere.")
    status = models.CharField(max_length=12, choices=ShardStatus.choices, default=ShardStatus.QUEUED, db_index=True)
    reason = models.TextField(default="", blank=True)
    epoch = models.PositiveIntegerField(default=0, help_text="Grows with each claim: an old holder cannot write.")
    lease_until = models.DateTimeField(null=True, blank=True, db_index=True)
    suspect_since = models.DateTimeField(
        null=True, blank=True, help_text="When the reaper first saw the lease run out; a renewal clears it."
    )
    dispatched_at = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=200, default="", blank=True)
    host = models.CharField(max_length=200, default="", blank=True)
    version = models.CharField(
        max_length=40, default="", db_default="", blank=True, help_text="Of the Token-Burn that runs it there."
    )
    engine_pid = models.PositiveIntegerField(null=True, blank=True)
    connections = models.PositiveIntegerField(null=True, blank=True, help_text="How many its engine may hold open.")
    ledger_path = models.CharField(max_length=1000, default="", blank=True)
    ledger_offset = models.BigIntegerField(default=0, help_text="Bytes of the ledger that are stored.")
    ledger_complete = models.BooleanField(default=False, help_text="Everything the engine wrote is stored.")
    ended_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["run_id", "index"]
        constraints = [models.UniqueConstraint(fields=["run", "index"], name="shard_index_once")]

    def __str__(self) -> str:
        return f"Run {self.run_id}, shard {self.index}"


class Session(models.Model):
    """One virtual user's conversation. Rows come from the ledger; the id is the ledger's own."""

    id = models.BigIntegerField(primary_key=True)
    run = models.ForeignKey(Run, on_delete=models.CASCADE, related_name="sessions", db_constraint=False)
    shard = models.ForeignKey(Shard, on_delete=models.CASCADE, related_name="sessions", db_constraint=False)
    user_no = models.BigIntegerField()
    scenario = models.CharField(max_length=120)
    group = models.IntegerField(default=0, help_text="Which group of its run it belongs to (see docs/ledger.md).")
    model = models.CharField(max_length=200, default="", blank=True)
    params = models.JSONField(null=True, help_text="What was drawn for it, such as {temperature: 0.7}.")
    started_ns = models.BigIntegerField(help_text="Since the shard's start.")
    ended_ns = models.BigIntegerField(null=True)
    outcome = models.CharField(max_length=12, default="", help_text="completed, failed, cut, lost; empty: open.")
    code = models.CharField(max_length=60, null=True)
    turns = models.IntegerField(default=0)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"Session {self.pk}"


from runs import schedule_models  # noqa: E402, F401  Django finds models here; these name those above by text
