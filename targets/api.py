"""Targets over the API: secrets go in by name and never come out."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from django.core.exceptions import ValidationError as DjangoValidationError
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, viewsets

from connectors.spec import preset_names
from targets.models import Target
from targets.secret_input import change_secrets, stored_names
from targets.secrets import SecretsError


class TargetSerializer(serializers.ModelSerializer[Target]):
    preset = serializers.ChoiceField(choices=[(name, name) for name in preset_names()])
    params = serializers.DictField(required=False)
    overrides = serializers.DictField(required=False)
    secrets = serializers.DictField(
        child=serializers.CharField(allow_null=True, trim_whitespace=False),
        write_only=True,
        required=False,
        help_text="Name to value. A value replaces the stored one, null clears it; other names stay as they are.",
    )
    secret_names = serializers.SerializerMethodField(help_text="Which secrets are stored; null: cannot be opened.")

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
            "secrets",
            "secret_names",
            "created_at",
            "updated_at",
        ]

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_secret_names(self, target: Target) -> list[str] | None:
        try:
            return stored_names(target)
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
            raise serializers.ValidationError({"non_field_errors": exc.messages}) from exc
        if changes:
            self._seal(target, changes)
            attrs["uid"], attrs["sealed_secrets"] = target.uid, target.sealed_secrets
        return attrs

    def _seal(self, target: Target, changes: Mapping[str, str | None]) -> None:
        """Seals for this row's uid, which a new row must then keep: ciphertext is bound to it."""
        try:
            change_secrets(
                target,
                given={name: value for name, value in changes.items() if value is not None},
                cleared=[name for name, value in changes.items() if value is None],
            )
        except ValueError as exc:
            raise serializers.ValidationError({"secrets": [str(exc)]}) from exc


class TargetViewSet(viewsets.ModelViewSet[Target]):
    """Chatbot endpoints: a preset, an address, and what differs from the preset."""

    queryset = Target.objects.all()
    serializer_class = TargetSerializer
    filterset_fields = ["name", "preset"]
