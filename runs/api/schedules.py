"""Schedules in the API: timing, slots, pause."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.pagination import CursorPagination
from rest_framework.request import Request
from rest_framework.response import Response

from inputs.rest import CheckedSize, Located, Strict, refuse_body
from runs import db_clock
from runs.api.when_schema import when_schema
from runs.models import PlanSchedule, ScheduleSlot
from runs.permissions import CONTROL
from runs.schedules.services import (
    ScheduleError,
    change_schedule,
    create_schedule,
    delete_schedule,
    next_runs,
    set_enabled,
)
from runs.schedules.starter import with_timing
from runs.schedules.timing import TimingError, as_given, when_of, zone_of

CHANGE = ["runs.change_planschedule", CONTROL]
WHEN_HELP = (
    'One of {"crontab": "30 2 * * 1-5", "time_zone": "Europe/Berlin"}, {"every": 15, "period": "minutes"} and '
    '{"at": "2026-12-24T18:00", "time_zone": "Europe/Berlin"}; the first two with "begins" and "ends" if need be.'
)


class NextRunSerializer(serializers.Serializer[Any]):
    utc = serializers.DateTimeField()
    local = serializers.CharField(help_text="Time in the schedule's time zone.")


class WhenField(serializers.DictField):
    """Converts between the timing of `runs.schedules.timing` and the rows of django-celery-beat."""

    @property
    def request_schema(self) -> Mapping[str, Any]:
        return when_schema()

    def get_attribute(self, instance: PlanSchedule) -> dict[str, Any]:
        try:
            return as_given(when_of(instance.task))
        except TimingError as exc:
            return {"problem": str(exc)}


class ScheduleSerializer(Strict, serializers.ModelSerializer[PlanSchedule]):
    name = serializers.CharField(source="task.name", max_length=200)
    enabled = serializers.BooleanField(
        source="task.enabled", default=True, help_text="False while the schedule is paused."
    )
    when = WhenField(help_text=WHEN_HELP)
    next_runs = serializers.SerializerMethodField(help_text="The next five times; empty while the schedule is paused.")

    class Meta:
        model = PlanSchedule
        fields = [
            "id",
            "name",
            "plan",
            "when",
            "enabled",
            "missed",
            "grace_s",
            "catch_up",
            "overlap",
            "queue_limit",
            "next_runs",
            "created_at",
            "updated_at",
        ]

    @extend_schema_field(NextRunSerializer(many=True))
    def get_next_runs(self, schedule: PlanSchedule) -> list[dict[str, str]]:
        found = next_runs(schedule, now=self.context.get("now"))
        zone = zone_of(when_of(schedule.task)) if found else None
        return [{"utc": slot.isoformat(), "local": slot.astimezone(zone).isoformat()} for slot in found]

    def create(self, validated_data: dict[str, Any]) -> PlanSchedule:
        task = validated_data.pop("task")
        user = self.context["request"].user
        try:
            return create_schedule(**task, **validated_data, user=user)
        except ScheduleError as exc:
            raise _explained(exc) from exc

    def update(self, instance: PlanSchedule, validated_data: dict[str, Any]) -> PlanSchedule:
        task = validated_data.pop("task", {})
        try:
            return change_schedule(instance, user=self.context["request"].user, **task, **validated_data)
        except ScheduleError as exc:
            raise _explained(exc) from exc


class SlotSerializer(serializers.ModelSerializer[ScheduleSlot]):
    class Meta:
        model = ScheduleSlot
        fields = ["slot_at", "status", "run", "reason", "count", "decided_at"]
        read_only_fields = fields


class BySlot(CheckedSize, CursorPagination):
    """Latest first."""

    ordering = "-slot_at"
    page_size = 100
    max_page_size = 1000


class ScheduleViewSet(Located, viewsets.ModelViewSet[PlanSchedule]):
    """Schedules that start plans. Writing also needs the permission to start runs."""

    queryset = PlanSchedule.objects.all()
    serializer_class = ScheduleSerializer
    filterset_fields = ["plan"]
    required_perms = {
        "POST": ["runs.add_planschedule", CONTROL],
        "PUT": CHANGE,
        "PATCH": CHANGE,
        "DELETE": ["runs.delete_planschedule", CONTROL],
    }
    starting_actions = ("create", "update", "partial_update", "resume")
    """For which a token needs the scope "run" too."""

    def get_queryset(self) -> QuerySet[PlanSchedule]:
        return with_timing()

    def get_serializer_context(self) -> dict[str, Any]:
        return {**super().get_serializer_context(), "now": db_clock.now()}

    def perform_destroy(self, instance: PlanSchedule) -> None:
        delete_schedule(instance)

    @extend_schema(request=None, responses=ScheduleSerializer)
    @action(detail=True, methods=["post"], required_perms={"POST": CHANGE})
    def pause(self, request: Request, pk: str) -> Response:
        """Start nothing until the schedule is resumed. Slots in between are not recorded; queued ones are refused."""
        refuse_body(request)
        return Response(self.get_serializer(set_enabled(self.get_object(), False, request.user)).data)

    @extend_schema(request=None, responses=ScheduleSerializer)
    @action(detail=True, methods=["post"], required_perms={"POST": CHANGE})
    def resume(self, request: Request, pk: str) -> Response:
        """Start runs again, from the next slot on."""
        refuse_body(request)
        try:
            resumed = set_enabled(self.get_object(), True, request.user)
        except ScheduleError as exc:
            raise _explained(exc) from exc
        return Response(self.get_serializer(resumed).data)

    @extend_schema(responses=SlotSerializer(many=True))
    @action(detail=True, pagination_class=BySlot, filter_backends=[])
    def slots(self, request: Request, pk: str) -> Response:
        """The result of each slot, latest first."""
        found: QuerySet[Any] = ScheduleSlot.objects.filter(schedule=self.get_object())
        page: Any = self.paginate_queryset(found)
        return self.get_paginated_response(SlotSerializer(page, many=True).data)


def _explained(exc: ScheduleError) -> serializers.ValidationError:
    """Errors in the timing name its parts."""
    found: dict[str, list[str]] = {}
    for field, text in exc.by_field.items():
        own = field in ScheduleSerializer.Meta.fields
        found.setdefault(field if own else "when", []).append(text if own else f"when.{field}: {text}")
    return serializers.ValidationError(found)
