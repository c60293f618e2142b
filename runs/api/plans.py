"""Test plans over the API: a target, a weighted mix of scenarios, a load, thresholds."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from runs.estimates import estimate_plan
from runs.models import PlanScenario, TestPlan
from runs.plan_rules import plan_problems
from runs.services import RequestError
from scenarios.models import Scenario


class MixSerializer(serializers.ModelSerializer[PlanScenario]):
    scenario = serializers.PrimaryKeyRelatedField(queryset=Scenario.objects.all())
    weight = serializers.FloatField(default=1.0, min_value=1e-6, max_value=1e6)

    class Meta:
        model = PlanScenario
        fields = ["scenario", "weight"]


class PlanSerializer(serializers.ModelSerializer[TestPlan]):
    scenarios = MixSerializer(source="mix", many=True, allow_empty=False)
    load = serializers.DictField(help_text='For example {"kind": "closed", "users": 50, "duration_s": 30}.')
    thresholds = serializers.ListField(child=serializers.CharField(), default=list)
    regions = serializers.ListField(
        child=serializers.CharField(), default=list, help_text='Such as ["eu", "us"]; empty: anywhere.'
    )

    class Meta:
        model = TestPlan
        fields = [
            "id",
            "name",
            "target",
            "scenarios",
            "load",
            "thresholds",
            "abort_on_fail",
            "processes",
            "regions",
            "witness",
            "seed",
            "created_at",
            "updated_at",
        ]

    def validate_scenarios(self, mix: list[dict[str, Any]]) -> list[dict[str, Any]]:
        named = [part["scenario"].pk for part in mix]
        if len(named) != len(set(named)):
            raise serializers.ValidationError("a scenario is named twice: give it one weight")
        return mix

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        old = self.instance or TestPlan()
        load = attrs.get("load", old.load)
        thresholds = attrs.get("thresholds", old.thresholds)
        regions, abort = attrs.get("regions", old.regions), attrs.get("abort_on_fail", old.abort_on_fail)
        processes = attrs.get("processes", old.processes)
        problems = plan_problems(load, thresholds, processes, regions, abort_on_fail=abort)
        if problems:
            raise serializers.ValidationError({field: [text] for field, text in problems.items()})
        return attrs

    @transaction.atomic
    def create(self, validated_data: dict[str, Any]) -> TestPlan:
        mix = validated_data.pop("mix")
        plan = TestPlan.objects.create(**validated_data)
        _set_mix(plan, mix)
        return plan

    @transaction.atomic
    def update(self, instance: TestPlan, validated_data: dict[str, Any]) -> TestPlan:
        mix = validated_data.pop("mix", None)
        plan = super().update(instance, validated_data)
        if mix is not None:
            _set_mix(plan, mix)
        return plan


def _set_mix(plan: TestPlan, mix: list[dict[str, Any]]) -> None:
    plan.mix.all().delete()
    PlanScenario.objects.bulk_create(PlanScenario(plan=plan, **part) for part in mix)


class PlanViewSet(viewsets.ModelViewSet[TestPlan]):
    """Test plans: what a person or a schedule starts."""

    queryset = TestPlan.objects.prefetch_related("mix")
    serializer_class = PlanSerializer
    filterset_fields = ["name", "target"]

    @extend_schema(responses={200: OpenApiResponse(OpenApiTypes.OBJECT, "low, likely and high of each amount")})
    @action(detail=True)
    def estimate(self, request: Request, pk: str) -> Response:
        """What a run of the plan would come to in turns, tokens and money, and what that assumes. Sends nothing."""
        try:
            return Response(estimate_plan(self.get_object()).data())
        except RequestError as exc:
            raise serializers.ValidationError({"plan": [str(exc)], "code": [exc.code]}) from exc
