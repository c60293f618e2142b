"""Turns in the API, with the ledger's words and times in ns since the shard's start."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from metrics.earlier_names import present_code
from metrics.models import SessionMetric
from metrics.storage.rows import TEXTS


class TurnSerializer(serializers.ModelSerializer[SessionMetric]):
    """Without the raw gap and arrival-error columns: the CSV export and the ledger have those. `context["texts"]` says
    whether the reader may see the texts, which otherwise are null."""

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
            "tools",
            "tool_calls",
        ]
        read_only_fields = fields

    def to_representation(self, instance: SessionMetric) -> dict[str, Any]:
        """With the present name of an error code, under which it is found too."""
        shown = super().to_representation(instance)
        hidden = {} if self.context.get("texts") else dict.fromkeys(TEXTS)
        return {**shown, "code": present_code(shown["code"]), **hidden}
