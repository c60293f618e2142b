"""Scenarios in the API. Library scenarios are read-only."""

from __future__ import annotations

from typing import Any, ClassVar, get_args

from django.core.files.uploadedfile import SimpleUploadedFile
from drf_spectacular.utils import extend_schema
from rest_framework import serializers, status, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import PermissionDenied
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from inputs.rest import Located, RowField, Strict
from inputs.rest_parser import BoundedJSONParser
from scenarios.definition.data import Use
from scenarios.definition.folding import folded
from scenarios.definition.spec import ScenarioError
from scenarios.models import Scenario
from scenarios.render.walk import check_scenario
from scenarios.services import take_in


class StepsField(serializers.DictField):
    request_schema: ClassVar = {"$ref": "#/components/schemas/ScenarioSpec"}


class ScenarioSerializer(Strict, serializers.ModelSerializer[Scenario]):
    spec = StepsField(help_text="Steps, variables and pools: see docs/scenarios.md.")

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


class ImportSerializer(Strict):
    """A file, or its text as JSON, which makes new scenarios; or, with `scenario` and `pool`, rows for it."""

    file = serializers.FileField(required=False)
    text = serializers.CharField(
        required=False, trim_whitespace=False, help_text="The content of the file, if sent as JSON."
    )
    filename = serializers.CharField(
        default="upload.json", max_length=200, help_text="Name for `text`; its extension gives the format."
    )
    name = serializers.CharField(default="", max_length=120, help_text="Name of the new scenario.")
    scenario = RowField(queryset=Scenario.objects.all(), default=None)
    pool = serializers.RegexField(r"^[A-Za-z_]\w*$", default="", help_text="Name of the data pool in `scenario`.")
    use = serializers.ChoiceField(choices=get_args(Use), default="in_turn")
    limit = serializers.IntegerField(
        default=None, min_value=1, help_text="Sample at most this many rows or conversations."
    )
    seed = serializers.IntegerField(default=0)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if ("file" in attrs) == ("text" in attrs):
            raise serializers.ValidationError("give either `file` or `text`")
        if bool(attrs["scenario"]) != bool(attrs["pool"]):
            raise serializers.ValidationError("give both `scenario` and `pool`, or neither")
        text, filename = attrs.pop("text", None), attrs.pop("filename")
        if text is not None:
            attrs["file"] = SimpleUploadedFile(filename, text.encode("utf-8", "replace"))
        return attrs


class ImportTextSerializer(ImportSerializer):
    """The file's text as JSON, which makes new scenarios; or, with `scenario` and `pool`, rows for it."""

    request_rules: ClassVar = {"dependentRequired": {"scenario": ["pool"], "pool": ["scenario"]}}
    text = serializers.CharField(trim_whitespace=False, help_text="The content of the file.")

    def get_fields(self) -> dict[str, Any]:
        return {name: field for name, field in super().get_fields().items() if name != "file"}


class ImportedSerializer(serializers.Serializer[Any]):
    scenarios = serializers.ListField(
        child=serializers.DictField(), help_text="`id`, `name` and `description` of each."
    )
    notes = serializers.ListField(child=serializers.CharField(), help_text="What was left out of the file.")


class ScenarioViewSet(Located, viewsets.ModelViewSet[Scenario]):
    """Scenarios: steps, variables and pools."""

    queryset = Scenario.objects.all()
    serializer_class = ScenarioSerializer
    filterset_fields = ["name", "builtin"]

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Long data appear as a summary; a single scenario is returned whole."""
        answer = super().list(request, *args, **kwargs)
        answer.data["results"] = [row | {"spec": folded(row["spec"])} for row in answer.data["results"]]
        return answer

    @extend_schema(request={"application/json": ImportTextSerializer}, responses={201: ImportedSerializer})
    @action(detail=False, methods=["post"], url_path="import", parser_classes=[MultiPartParser, BoundedJSONParser])
    def import_file(self, request: Request) -> Response:
        """Make scenarios of a file, as `text` or in a form (multipart/form-data) as `file`: see docs/importing.md."""
        given = ImportSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        parts = dict(given.validated_data)
        if parts["scenario"] is not None and not request.user.has_perm("scenarios.change_scenario"):
            raise PermissionDenied
        try:
            found = take_in(parts.pop("file"), **parts)
        except ScenarioError as exc:
            raise serializers.ValidationError({"file": [str(exc)]}) from exc
        made = [{"id": row.pk, "name": row.name, "description": row.description} for row in found.scenarios]
        return Response({"scenarios": made, "notes": found.notes}, status.HTTP_201_CREATED)

    def perform_update(self, serializer: serializers.BaseSerializer[Scenario]) -> None:
        self._refuse_builtin(self.get_object())
        serializer.save()

    def perform_destroy(self, instance: Scenario) -> None:
        self._refuse_builtin(instance)
        instance.delete()

    def _refuse_builtin(self, scenario: Scenario) -> None:
        if scenario.builtin:
            raise PermissionDenied("this scenario belongs to the library: create a copy of it and change that")
