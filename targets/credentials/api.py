"""Credentials in the API: values are write-only, names and origins are shown."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.exceptions import PermissionDenied
from rest_framework.request import Request

from inputs.rest import Located, Strict
from inputs.rest_schema import ANY_TEXT, ORIGIN_PATTERN
from sealing.secrets import SecretsError
from targets.credentials.models import Credential
from targets.credentials.rights import may_create, may_delete, may_edit, may_share, visible
from targets.credentials.services import MOST_ORIGINS, checked_origins, may_not_edit
from targets.credentials.values import VALUE_CHARS, change_values, stored_names

SECRETS_HELP = "Name and value. A value replaces the stored one, null deletes it; other secrets are kept."
WHO_USES = ("users", "groups")


class SecretsField(serializers.DictField):
    request_schema: ClassVar = {
        "type": "object",
        "propertyNames": {"pattern": r"^[A-Za-z_][A-Za-z0-9_]{0,63}$"},
        "additionalProperties": {
            "type": ["string", "null"],
            "pattern": ANY_TEXT,
            "minLength": 1,
            "maxLength": VALUE_CHARS,
        },
    }


class OriginsField(serializers.ListField):
    request_schema: ClassVar = {
        "type": "array",
        "items": {"type": "string", "pattern": ORIGIN_PATTERN, "maxLength": 300},
        "minItems": 1,
        "maxItems": MOST_ORIGINS,
    }


class CredentialSerializer(Strict, serializers.ModelSerializer[Credential]):
    origins = OriginsField(
        child=serializers.CharField(max_length=300),
        help_text="Where the secrets may be sent: scheme, host and port, such as https://api.example.org:443.",
    )
    secrets = SecretsField(
        child=serializers.CharField(allow_null=True, trim_whitespace=False),
        write_only=True,
        required=False,
        help_text=SECRETS_HELP,
    )
    secret_names = serializers.SerializerMethodField(
        help_text="Names of the stored secrets; null: cannot be decrypted."
    )

    class Meta:
        model = Credential
        fields = [
            "id",
            "name",
            "owner",
            "origins",
            "secrets",
            "secret_names",
            "users",
            "groups",
            "created_at",
            "updated_at",
            "last_used_at",
        ]
        read_only_fields = ["owner", "last_used_at"]

    @extend_schema_field(serializers.ListField(child=serializers.CharField(), allow_null=True))
    def get_secret_names(self, credential: Credential) -> list[str] | None:
        try:
            return stored_names(credential)
        except SecretsError:
            return None

    def validate_origins(self, given: list[str]) -> list[str]:
        try:
            return checked_origins(given)
        except ValueError as exc:
            raise serializers.ValidationError(str(exc)) from exc

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        user = self.context["request"].user
        if self.instance is not None and not may_share(user, self.instance) and any(name in attrs for name in WHO_USES):
            text = "only somebody who may edit and use the credential may change who uses it"
            raise serializers.ValidationError({name: [text] for name in WHO_USES if name in attrs})
        credential = self.instance or Credential(owner_id=user.pk)
        credential.name = attrs.get("name", credential.name)
        changes: Mapping[str, str | None] = attrs.pop("secrets", None) or {}
        if changes:
            attrs["sealed_secrets"] = _sealed(credential, changes)
        return attrs if self.instance else attrs | {"uid": credential.uid, "owner_id": user.pk}

    def update(self, instance: Credential, validated_data: dict[str, Any]) -> Credential:
        """Only what was given: a rotation of keys, or somebody else, may have changed the rest since it was read."""
        lists = {name: validated_data.pop(name) for name in WHO_USES if name in validated_data}
        for name, value in validated_data.items():
            setattr(instance, name, value)
        instance.save(update_fields=[*validated_data, "updated_at"])
        for name, rows in lists.items():
            getattr(instance, name).set(rows)
        return instance


def _sealed(credential: Credential, changes: Mapping[str, str | None]) -> str:
    try:
        change_values(
            credential,
            given={name: value for name, value in changes.items() if value is not None},
            cleared=[name for name, value in changes.items() if value is None],
        )
    except ValueError as exc:
        raise serializers.ValidationError({"secrets": [str(exc)]}) from exc
    return credential.sealed_secrets


class CredentialViewSet(Located, viewsets.ModelViewSet[Credential]):
    """Secrets with an owner and the origins that they may go to. Shows those that you own, may use, or may view all
    of."""

    queryset = Credential.objects.all()
    serializer_class = CredentialSerializer
    filterset_fields = ["name"]
    required_perms: Mapping[str, list[str]] = {
        method: [] for method in ("GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE")
    }
    """What somebody may do depends on the row."""

    def get_queryset(self) -> QuerySet[Credential]:
        return visible(self.request.user).prefetch_related("users", "groups")

    def check_permissions(self, request: Request) -> None:
        super().check_permissions(request)
        if request.method == "POST" and not may_create(request.user):
            raise PermissionDenied

    def check_object_permissions(self, request: Request, obj: Credential) -> None:
        super().check_object_permissions(request, obj)
        if request.method in {"PUT", "PATCH"} and not may_edit(request.user, obj):
            raise PermissionDenied(may_not_edit(obj))
        if request.method == "DELETE" and not may_delete(request.user, obj):
            raise PermissionDenied(f"only its owner or an administrator may delete the credential {obj.name!r}")
