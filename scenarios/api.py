"""Scenarios over the API. Those of the library can be read and not changed."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers, viewsets
from rest_framework.exceptions import PermissionDenied

from scenarios.models import Scenario
from scenarios.render import check_scenario
from scenarios.spec import ScenarioError


class ScenarioSerializer(serializers.ModelSerializer[Scenario]):
    spec = serializers.DictField(help_text="Steps, variables and pools: see docs/scenarios.md.")

    class Meta:
        model = Scenario
        fields = ["id", "name", "description", "spec", "builtin", "created_at", "updated_at"]
        read_only_fields = ["builtin"]

    def validate_spec(self, value: dict[str, Any]) -> dict[str, Any]:
        try:
            check_scenario(value)
        except ScenarioError as exc:
            raise serializers.ValidationError(str(exc)) from exc
        return value


class ScenarioViewSet(viewsets.ModelViewSet[Scenario]):
    """What is said: a flow of steps, variables and pools."""

    queryset = Scenario.objects.all()
    serializer_class = ScenarioSerializer
    filterset_fields = ["name", "builtin"]

    def perform_update(self, serializer: serializers.BaseSerializer[Scenario]) -> None:
        self._refuse_builtin(self.get_object())
        serializer.save()

    def perform_destroy(self, instance: Scenario) -> None:
        self._refuse_builtin(instance)
        instance.delete()

    def _refuse_builtin(self, scenario: Scenario) -> None:
        if scenario.builtin:
            raise PermissionDenied("this scenario belongs to the library: create a copy of it and change that")
