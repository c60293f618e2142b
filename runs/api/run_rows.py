"""Runs and their shards as the API shows them."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from metrics.end_codes import plain_reason
from runs.load.trace import shown_load
from runs.models import Run, Shard
from runs.permissions import may_read_texts
from runs.reporting.texts import plain_scenarios
from runs.workers.availability import shown_reason


class ShardSerializer(serializers.ModelSerializer[Shard]):
    class Meta:
        model = Shard
        fields = [
            "id",
            "index",
            "status",
            "end_code",
            "reason",
            "host",
            "version",
            "ledger_path",
            "ledger_offset",
            "ended_at",
        ]
        read_only_fields = fields

    def to_representation(self, instance: Shard) -> dict[str, Any]:
        shown = super().to_representation(instance)
        if not _reads_texts(self):
            shown["reason"] = plain_reason(instance.end_code, shown["reason"])
        return shown


def _reads_texts(serializer: serializers.BaseSerializer[Any]) -> bool:
    request = serializer.context.get("request")
    return request is not None and may_read_texts(request.user)


class RunSerializer(serializers.ModelSerializer[Run]):
    target = serializers.SerializerMethodField()
    load = serializers.SerializerMethodField()

    class Meta:
        model = Run
        fields = [
            "id",
            "plan",
            "name",
            "status",
            "end_code",
            "reason",
            "target",
            "load",
            "load_changes",
            "thresholds",
            "abort_on_fail",
            "seed",
            "local",
            "created_at",
            "start_at",
            "stop_requested_at",
            "ended_at",
        ]
        read_only_fields = fields

    def get_target(self, run: Run) -> str:
        return str(run.target_spec.get("name", ""))

    def get_load(self, run: Run) -> dict[str, Any]:
        return shown_load(run.load)

    def to_representation(self, instance: Run) -> dict[str, Any]:
        """Without what quotes conversations, unless the reader may see it."""
        shown = super().to_representation(instance)
        if not _reads_texts(self):
            shown["reason"] = plain_reason(instance.end_code, shown["reason"])
            if "scenario_specs" in shown:
                shown["scenario_specs"] = plain_scenarios(shown["scenario_specs"])
        return shown


class ScheduledSerializer(serializers.Serializer[Any]):
    """Which schedule started a run, and for which of its slots."""

    schedule = serializers.IntegerField(source="schedule_id")
    slot_at = serializers.DateTimeField()


class RunDetailSerializer(RunSerializer):
    shards = ShardSerializer(many=True, read_only=True)
    scheduled = serializers.SerializerMethodField(help_text="null if a person or a program started it.")
    reason = serializers.SerializerMethodField(help_text="Why the run ended, or what it is waiting for.")

    class Meta(RunSerializer.Meta):
        fields = [*RunSerializer.Meta.fields, "target_spec", "scenario_specs", "search", "scheduled", "shards"]
        read_only_fields = fields

    def get_reason(self, run: Run) -> str:
        return shown_reason(run)

    @extend_schema_field(ScheduledSerializer(allow_null=True))
    def get_scheduled(self, run: Run) -> dict[str, Any] | None:
        slot = getattr(run, "slot", None)
        return dict(ScheduledSerializer(slot).data) if slot else None
