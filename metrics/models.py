"""SessionMetric (a turn) and Window. Only ingest writes them."""

from __future__ import annotations

from django.db import models


class SessionMetric(models.Model):
    """One turn, from the ledger. Times are ns since the shard's start; the id is the ledger's own."""

    id = models.BigIntegerField(primary_key=True)
    run = models.ForeignKey("runs.Run", on_delete=models.CASCADE, related_name="turns", db_constraint=False)
    shard = models.ForeignKey("runs.Shard", on_delete=models.CASCADE, related_name="turns", db_constraint=False)
    session = models.ForeignKey("runs.Session", on_delete=models.CASCADE, related_name="metrics", db_constraint=False)
    number = models.IntegerField(help_text="Turn number within the session, from 0.")
    outcome = models.CharField(max_length=8)
    code = models.CharField(max_length=60, null=True)
    detail = models.TextField(null=True)
    planned_ns = models.BigIntegerField(null=True)
    sent_ns = models.BigIntegerField(null=True)
    first_byte_ns = models.BigIntegerField(null=True)
    first_chunk_ns = models.BigIntegerField(null=True)
    first_content_ns = models.BigIntegerField(null=True)
    last_content_ns = models.BigIntegerField(null=True)
    done_ns = models.BigIntegerField(null=True)
    handshake = models.JSONField(null=True, help_text="ns per step, for example {connect: 81000}.")
    chunks = models.IntegerField(default=0)
    bytes_in = models.BigIntegerField(default=0)
    bytes_out = models.BigIntegerField(default=0)
    tokens_in = models.IntegerField(null=True)
    tokens_out = models.IntegerField(null=True)
    tokens_source = models.CharField(
        max_length=8, default="none", help_text="Where the token counts come from, a key of TOKEN_SIDES."
    )
    tokens_reasoning = models.IntegerField(null=True, help_text="Part of tokens_out.")
    icl_us = models.BinaryField(null=True, help_text="Gaps between content chunks: little-endian uint32, microseconds.")
    arrival_error_ns = models.BinaryField(null=True, help_text="Arrival minus stamp, each chunk: little-endian int64.")
    message = models.TextField(null=True)
    answer = models.TextField(null=True)
    repetition = models.FloatField(null=True, help_text="Similarity to the previous answer of the session, 0 to 1.")
    kind = models.CharField(max_length=12, null=True, help_text="Kind of the answer, if it is not plain text.")
    finish_reason = models.CharField(max_length=40, null=True, help_text="Finish reason as reported by the target.")

    tools = models.TextField(null=True, help_text="How often each tool was called, as JSON.")
    tool_calls = models.TextField(null=True, help_text="Name and arguments of the tool calls, as JSON.")

    class Meta:
        ordering = ["id"]
        indexes = [models.Index(fields=["run", "outcome"], name="metric_run_outcome")]

    def __str__(self) -> str:
        return f"Turn {self.pk}"


class Window(models.Model):
    """Counters and histograms of one shard for one second, as one ingest batch found them.

    Windows only add: a second that spans two batches has two rows, and merging makes them one.
    """

    run = models.ForeignKey("runs.Run", on_delete=models.CASCADE, related_name="windows", db_constraint=False)
    shard = models.ForeignKey("runs.Shard", on_delete=models.CASCADE, related_name="windows", db_constraint=False)
    second = models.IntegerField(help_text="Second of the turn's end, counted from the shard's start.")
    ledger_offset = models.BigIntegerField(help_text="Ledger offset of the batch that wrote it.")
    data = models.JSONField()

    class Meta:
        ordering = ["run_id", "second"]
        constraints = [models.UniqueConstraint(fields=["shard", "ledger_offset", "second"], name="window_once")]

    def __str__(self) -> str:
        return f"Run {self.run_id}, second {self.second}"
