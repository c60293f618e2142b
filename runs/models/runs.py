"""Runs, their shards and their sessions. Only `runs.lifecycle.transitions` writes a status."""

from __future__ import annotations

import uuid

from django.conf import settings
from django.db import models

from metrics.end_codes import END_CODE_CHARS
from runs.models.plans import TestPlan
from runs.models.report_field import ReportField
from sealing import secrets
from targets.models import Credential

END_CODE_HELP = "How it ended: see docs/metrics.md."


class RunStatus(models.TextChoices):
    WAITING = "waiting"  # for somebody's approval
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
    QUEUED = "queued"  # not claimed
    CLAIMED = "claimed"  # a supervisor holds the lease; its engine may be starting
    READY = "ready"  # its engine waits for the common start
    RUNNING = "running"  # its engine may have sent something: it is never started again
    DONE = "done"  # the engine ended regularly, everything is stored
    STOPPED = "stopped"  # ended by a stop, everything is stored
    ABORTED = "aborted"  # the engine gave up early: the target refuses everything
    FAILED = "failed"  # it never started, or our own side cut it short
    LOST = "lost"  # the engine or its supervisor died on the way


class Run(models.Model):
    """One execution, with a frozen copy of everything it ran. Terminal states: see `runs.lifecycle.transitions`."""

    uid = models.UUIDField(default=uuid.uuid4, unique=True, editable=False)
    plan = models.ForeignKey(TestPlan, null=True, blank=True, on_delete=models.SET_NULL, related_name="runs")
    name = models.CharField(max_length=200)
    status = models.CharField(max_length=12, choices=RunStatus.choices, default=RunStatus.QUEUED, db_index=True)
    end_code = models.CharField(
        max_length=END_CODE_CHARS,
        default="",
        db_default="",
        blank=True,
        help_text=f"{END_CODE_HELP} Empty: not ended.",
    )
    reason = models.TextField(default="", blank=True, help_text="Why the run ended, or what it is waiting for.")
    target_spec = models.JSONField()
    scenario_specs = models.JSONField(help_text="[{weight, scenario}]")
    load = models.JSONField()
    thresholds = models.JSONField(default=list, blank=True)
    abort_on_fail = models.BooleanField(default=False)
    seed = models.BigIntegerField()
    load_changes = models.JSONField(
        default=list, blank=True, help_text="Load changes during the run: [{at_s, level, by}], since the common start."
    )
    search = models.JSONField(null=True, blank=True, help_text="State of the search for the capacity.")
    sealed_secrets = models.TextField(default="", blank=True, editable=False)
    credential = models.ForeignKey(
        Credential,
        null=True,
        blank=True,
        editable=False,
        on_delete=models.PROTECT,
        related_name="runs",
        help_text="Whose secrets it has, until it ends. Empty: none, or those of who typed the command.",
    )
    secret_origins = models.JSONField(
        null=True, blank=True, editable=False, help_text="Where its secrets may be sent, until it ends."
    )
    local = models.BooleanField(default=False, help_text="Supervised by `burn` instead of Celery workers.")
    with_witness = models.BooleanField(default=False, help_text="Whether the run has a witness.")
    witness = models.JSONField(null=True, blank=True, help_text="What the witness measured.")
    version = models.CharField(
        max_length=40, default="", db_default="", blank=True, help_text="Version of Token-Burn that planned the run."
    )
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL)
    created_at = models.DateTimeField(auto_now_add=True, db_index=True)
    ready_by = models.DateTimeField(
        null=True, blank=True, help_text="The run fails if not all engines are ready by then."
    )
    start_at = models.DateTimeField(null=True, blank=True, help_text="Common start of all shards.")
    stop_requested_at = models.DateTimeField(null=True, blank=True)
    ended_at = models.DateTimeField(null=True, blank=True)
    report = ReportField(null=True, blank=True, help_text="The final report: see docs/metrics.md.")

    class Meta:
        ordering = ["-id"]
        permissions = [
            ("approve_run", "Can approve runs of others"),
            ("view_texts", "Can read the texts of conversations"),
        ]

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
    region = models.CharField(
        max_length=60, default="", blank=True, help_text="Region in which it must run. Empty: anywhere."
    )
    status = models.CharField(max_length=12, choices=ShardStatus.choices, default=ShardStatus.QUEUED, db_index=True)
    end_code = models.CharField(
        max_length=END_CODE_CHARS, default="", db_default="", blank=True, help_text=END_CODE_HELP
    )
    reason = models.TextField(default="", blank=True)
    epoch = models.PositiveIntegerField(
        default=0, help_text="Increases with each claim, so that a former holder cannot write."
    )
    lease_until = models.DateTimeField(null=True, blank=True, db_index=True)
    suspect_since = models.DateTimeField(
        null=True, blank=True, help_text="When the reaper first saw the lease expired; cleared by a renewal."
    )
    dispatched_at = models.DateTimeField(null=True, blank=True)
    owner = models.CharField(max_length=200, default="", blank=True)
    host = models.CharField(max_length=200, default="", blank=True)
    version = models.CharField(
        max_length=40, default="", db_default="", blank=True, help_text="Version of Token-Burn that runs the shard."
    )
    engine_pid = models.PositiveIntegerField(null=True, blank=True)
    connections = models.PositiveIntegerField(
        null=True, blank=True, help_text="Number of connections that its engine may hold open."
    )
    ledger_path = models.CharField(max_length=1000, default="", blank=True)
    ledger_offset = models.BigIntegerField(default=0, help_text="Number of bytes of the ledger that are stored.")
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
    group = models.IntegerField(default=0, help_text="Number of its group within the run (see docs/ledger.md).")
    model = models.CharField(max_length=200, default="", blank=True)
    params = models.JSONField(null=True, help_text="Parameters drawn for it, such as {temperature: 0.7}.")
    started_ns = models.BigIntegerField(help_text="Start, since the shard's start.")
    ended_ns = models.BigIntegerField(null=True)
    outcome = models.CharField(max_length=12, default="", help_text="completed, failed, cut, lost; empty: open.")
    code = models.CharField(max_length=60, null=True)
    turns = models.IntegerField(default=0)

    class Meta:
        ordering = ["id"]

    def __str__(self) -> str:
        return f"Session {self.pk}"
