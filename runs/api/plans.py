"""Test plans in the API: a target, a weighted mix of scenarios, a load, thresholds."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import transaction
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inputs.rest import Located, RowField, Strict
from inputs.rest_schema import with_schema
from metrics.analysis.thresholds import LONGEST, schema_pattern
from policy.limits import limits_for
from runs.api.refusal import RunRefusalSerializer, refusal
from runs.load.earlier_names import present_load
from runs.load.profile import stored_load
from runs.models import PlanScenario, TestPlan
from runs.planning.credentials import check_credential
from runs.planning.errors import RequestError
from runs.planning.plan_estimate import estimate_plan
from runs.planning.run_request import RunRequest, stored_spec
from runs.workers.regions import NAME as REGION
from scenarios.models import Scenario


class MixSerializer(Strict, serializers.ModelSerializer[PlanScenario]):
    scenario = RowField(queryset=Scenario.objects.all())
    weight = serializers.FloatField(default=1.0, min_value=1e-6, max_value=1e6)

    class Meta:
        model = PlanScenario
        fields = ["scenario", "weight"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """A PATCH replaces the whole mix: its parts are no partial ones, which DRF takes them for."""
        if "scenario" not in attrs:
            raise serializers.ValidationError({"scenario": self.fields["scenario"].error_messages["required"]})
        return attrs


class LoadField(serializers.DictField):
    request_schema: ClassVar = {"$ref": "#/components/schemas/LoadSpec"}


class RegionsField(serializers.ListField):
    request_schema: ClassVar = {
        "type": "array",
        "items": {"type": "string", "pattern": f"^{REGION}$"},
        "uniqueItems": True,
    }


class ThresholdsField(serializers.ListField):
    request_schema: ClassVar = {
        "type": "array",
        "items": {"type": "string", "pattern": schema_pattern(), "maxLength": LONGEST},
    }


class PlanSerializer(Strict, serializers.ModelSerializer[TestPlan]):
    scenarios = MixSerializer(source="mix", many=True, allow_empty=False)
    load = LoadField(help_text='For example {"kind": "closed", "users": 50, "duration_s": 30}.')
    thresholds = ThresholdsField(child=serializers.CharField(max_length=LONGEST), default=list)
    warnings = serializers.SerializerMethodField(
        help_text="Earlier names in the request's load: they work until 1.0, and are stored under the present ones."
    )
    processes = with_schema(serializers.IntegerField, type="integer", minimum=1, maximum=2**31 - 1)(
        default=1, min_value=0, max_value=2**31 - 1, help_text="Engine processes (shards) that share the load."
    )
    regions = RegionsField(
        child=serializers.CharField(), default=list, help_text='For example ["eu", "us"]. Empty: anywhere.'
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
            "warnings",
        ]

    def get_warnings(self, plan: TestPlan) -> list[str]:
        return self._notes

    def to_representation(self, instance: TestPlan) -> dict[str, Any]:
        shown = super().to_representation(instance)
        return {**shown, "load": present_load(shown["load"])}

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._notes: list[str] = []

    def validate_scenarios(self, mix: list[dict[str, Any]]) -> list[dict[str, Any]]:
        named = [part["scenario"].pk for part in mix]
        if len(named) != len(set(named)):
            raise serializers.ValidationError("a scenario is named twice: give it one weight")
        return mix

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        old = self.instance or TestPlan()
        names = ("load", "thresholds", "abort_on_fail", "processes", "regions", "seed")
        asked = {name: attrs.get(name, getattr(old, name)) for name in names}
        target = attrs["target"] if "target" in attrs else old.target  # noqa: SIM401 - a new plan has none
        user = self.context["request"].user
        try:
            check_credential(target, user)
        except RequestError as exc:
            raise serializers.ValidationError({exc.field: [str(exc)]}) from exc
        mix = (
            [(part.get("weight", 1.0), part["scenario"].spec) for part in attrs["mix"]]
            if "mix" in attrs
            else old.scenario_mix()
        )
        if problems := RunRequest(stored_spec(target), mix, **asked, limits=limits_for(user)).problems():
            raise serializers.ValidationError({field: [text] for field, text in problems.items()})
        if "load" in attrs:
            attrs["load"] = stored_load(attrs["load"], self._notes)
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


class PlanViewSet(Located, viewsets.ModelViewSet[TestPlan]):
    """Test plans: what a person or a schedule starts."""

    queryset = TestPlan.objects.prefetch_related("mix")
    serializer_class = PlanSerializer
    filterset_fields = ["name", "target"]

    @extend_schema(
        responses={
            200: OpenApiResponse(OpenApiTypes.OBJECT, "low, likely and high of each amount"),
            400: RunRefusalSerializer,
        }
    )
    @action(detail=True)
    def estimate(self, request: Request, pk: str) -> Response:
        """Expected turns, tokens and cost of a run of the plan, and the assumptions. Sends nothing."""
        plan = self.get_object()
        try:
            check_credential(plan.target, request.user)
            return Response(estimate_plan(plan, request.user).data())
        except RequestError as exc:
            raise refusal(exc) from exc
