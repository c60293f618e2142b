"""Turns as the API shows them: the ledger's words, times in ns since the shard's start."""

from __future__ import annotations

from rest_framework import serializers

from metrics.models import SessionMetric


class TurnSerializer(serializers.ModelSerializer[SessionMetric]):
    """Without the raw gap and arrival-error columns: the CSV export and the ledger have those."""

    run = serializers.IntegerField(source="run_id")
    shard = serializers.IntegerField(source="shard_id")
    session = serializers.IntegerField(source="session_id")
    handshake = serializers.DictField(child=serializers.IntegerField(), allow_null=True)

    class Meta:
        model = SessionMetric
        fields = [
            "id",
            "run",
            "shard",
            "session",
            "number",
            "outcome",
            "code",
            "detail",
            "planned_ns",
            "sent_ns",
            "first_byte_ns",
            "first_chunk_ns",
            "first_content_ns",
            "last_content_ns",
            "done_ns",
            "handshake",
            "chunks",
            "bytes_in",
            "bytes_out",
            "tokens_in",
            "tokens_out",
            "tokens_reasoning",
            "tokens_source",
            "message",
            "answer",
            "repetition",
            "kind",
            "finish_reason",
        ]
        read_only_fields = fields
