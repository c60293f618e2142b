"""Targets in the API. Secrets are write-only, and are those of the target's credential."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.core.exceptions import ValidationError as DjangoValidationError
from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response

from connectors.spec import TargetSpec, preset_names
from inputs.rest import Located, RowField, Strict
from inputs.rest_parser import BoundedJSONParser
from inputs.rest_schema import TARGETS, url_pattern
from sealing.secrets import SecretsError
from targets.binding import CredentialRefused, check_change, led_to
from targets.credentials.api import SECRETS_HELP, SecretsField
from targets.credentials.rights import visible
from targets.credentials.services import NotAllowed, entered
from targets.credentials.values import stored_names
from targets.learn_api import LearnedSerializer, LearnSerializer, LearnTextSerializer
from targets.models import Credential, Target
from targets.probe_page import LANES, MESSAGE_CHARS, CannotProbe, probe_target


class VisibleCredential(RowField):
    """One that the user may know of. A refusal to choose it may therefore name it."""

    def get_queryset(self) -> Any:
        request = self.context.get("request")
        return Credential.objects.all() if request is None else visible(request.user)


class OverridesField(serializers.DictField):
    request_schema: ClassVar = {
        "type": "object",
        "properties": {name: {} for name in TargetSpec.model_fields.keys() - {"secrets", "secret_origins"}},
        "additionalProperties": False,
    }


class UrlField(serializers.CharField):
    request_schema: ClassVar = {"type": "string", "pattern": url_pattern(*TARGETS), "maxLength": 2000}


class TargetSerializer(Strict, serializers.ModelSerializer[Target]):
    preset = serializers.ChoiceField(choices=[(name, name) for name in preset_names()])
    url = UrlField(max_length=2000, help_text="Base address as the vendor's SDK takes it.")
    params = serializers.DictField(required=False)
    overrides = OverridesField(required=False)
    credential = VisibleCredential(
        queryset=Credential.objects.all(),
        required=False,
        allow_null=True,
        help_text="The credential whose secrets its templates use. To choose one needs the right to use it.",
    )
    secrets = SecretsField(
        child=serializers.CharField(allow_null=True, trim_whitespace=False),
        write_only=True,
        required=False,
        help_text=f"{SECRETS_HELP} They are those of the target's credential; one is made if it has none.",
    )
    secret_names = serializers.SerializerMethodField(
        help_text="Names of the stored secrets; null: cannot be decrypted."
    )

    class Meta:
        model = Target
        fields = [
            "id",
            "name",
            "preset",
            "url",
            "stream",
            "params",
            "overrides",
            "credential",
            "secrets",
            "secret_names",
            "created_at",
            "updated_at",
        ]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._entered: Credential | None = None

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_secret_names(self, target: Target) -> list[str] | None:
        try:
            return stored_names(target.credential)
        except SecretsError:
            return None

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        changes: Mapping[str, str | None] | None = attrs.pop("secrets", None)
        target = self.instance or Target()
        for name, value in attrs.items():
            setattr(target, name, value)
        try:
            target.clean()
        except DjangoValidationError as exc:
            found = exc.message_dict if hasattr(exc, "error_dict") else {"non_field_errors": exc.messages}
            raise serializers.ValidationError(found) from exc
        user = self.context["request"].user
        try:
            if changes:
                target.credential = self._entered = self._enter(target, changes)
            check_change(target, user)
        except CredentialRefused as exc:
            raise serializers.ValidationError({exc.field: [str(exc)]}) from exc
        except (NotAllowed, ValueError) as exc:
            raise serializers.ValidationError({"secrets": [str(exc)]}) from exc
        return attrs

    def _enter(self, target: Target, changes: Mapping[str, str | None]) -> Credential | None:
        return entered(
            target.credential,
            user=self.context["request"].user,
            name=target.name,
            leads_to=led_to(target),
            given={name: value for name, value in changes.items() if value is not None},
            cleared=[name for name, value in changes.items() if value is None],
        )

    @transaction.atomic
    def save(self, **kwargs: Any) -> Target:
        """The credential first, if secrets were entered."""
        if self._entered is not None:
            self._entered.save()
            kwargs["credential"] = self._entered
        return super().save(**kwargs)


class ProbeSerializer(Strict):
    message = serializers.CharField(max_length=MESSAGE_CHARS)
    lane = serializers.ChoiceField(choices=LANES, default="reference")


class ProbedSerializer(serializers.Serializer[Any]):
    """What `manage.py probe --json` prints."""

    ok = serializers.BooleanField()
    target = serializers.CharField()
    protocol = serializers.CharField()
    url = serializers.CharField()
    lane = serializers.ChoiceField(choices=LANES)
    turns = serializers.ListField(
        child=serializers.DictField(),
        help_text="One turn: steps of the handshake, request, frames with times, text, tokens, saved values, error. "
        "Secrets appear as ***.",
    )
    goodbye = serializers.ListField(
        child=serializers.DictField(), help_text="Requests at the end of the conversation, with their answers."
    )
    goodbye_ms = serializers.DictField(child=serializers.FloatField(), help_text="How long each of them took.")
    goodbye_error = serializers.DictField(allow_null=True, help_text="Why one of them failed.")
    known = serializers.DictField(
        help_text="Values saved at the end; of those that a handshake gave, which may be secret, the size."
    )
    unsolicited = serializers.IntegerField(help_text="Messages with text that belong to no question.")
    unassigned = serializers.IntegerField(help_text="Messages that belong to no turn, with or without text.")
    unassigned_frames = serializers.ListField(child=serializers.CharField(), help_text="The first of these messages.")
    stray = serializers.IntegerField(help_text="Earlier name of `unassigned`.")
    stray_frames = serializers.ListField(
        child=serializers.CharField(), help_text="Earlier name of `unassigned_frames`."
    )


class TargetViewSet(Located, viewsets.ModelViewSet[Target]):
    """Chatbot endpoints: a preset, an address, and what differs from the preset."""

    queryset = Target.objects.select_related("credential__owner")
    serializer_class = TargetSerializer
    filterset_fields = ["name", "preset", "credential"]
    required_perms: Mapping[str, list[str]] = {}
    run_actions = ("probe",)

    @extend_schema(request=ProbeSerializer, responses=ProbedSerializer)
    @action(detail=True, methods=["post"], required_perms={"POST": ["targets.change_target"]})
    def probe(self, request: Request, pk: str) -> Response:
        """Say one message and show all that can be seen of it, within 30 seconds. The exchange is not stored."""
        target = self.get_object()
        given = ProbeSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        try:
            found = probe_target(target, user=request.user, **given.validated_data)
        except CannotProbe as exc:
            raise serializers.ValidationError({"non_field_errors": [str(exc)]}) from exc
        return Response(found.as_dict())

    @extend_schema(request={"application/json": LearnTextSerializer}, responses=LearnedSerializer)
    @action(detail=False, methods=["post"], parser_classes=[MultiPartParser, BoundedJSONParser])
    def learn(self, request: Request) -> Response:
        """Propose a target from a curl line, a HAR file, a recorded answer or an OpenAPI document, given as `texts`, or
        in a form (multipart/form-data) as `file`. Nothing is sent or stored."""
        given = LearnSerializer(data=request.data)
        given.is_valid(raise_exception=True)
        return Response(given.proposal().as_dict())
