"""Policies and the limits of the installation in the API."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.auth.models import Group
from django.db.models import BigIntegerField
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, status, viewsets
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inputs.rest import Located, RowField, Strict
from inputs.rest_schema import TARGETS, bare_url_pattern
from policy.hosts import LONGEST, parse
from policy.models import InstallationLimits, OwnedHost, Policy
from policy.ownership import ProofError, prove, token

VIEW, CHANGE = "policy.view_installationlimits", "policy.change_installationlimits"


FIELDS = {**serializers.ModelSerializer.serializer_field_mapping, BigIntegerField: serializers.IntegerField}
"""Whose refusals are in words that people know."""


class PolicySerializer(Strict, serializers.ModelSerializer[Policy]):
    serializer_field_mapping = FIELDS
    group = RowField(
        queryset=Group.objects.all(),
        allow_null=True,
        default=None,
        help_text="null: the default, for everybody in no group that has a policy.",
    )

    class Meta:
        model = Policy
        fields = [field.name for field in Policy._meta.fields]
        extra_kwargs: ClassVar = {"targets": {"max_length": LONGEST}}

    def validate_targets(self, text: str) -> str:
        try:
            parse(text)
        except ValueError as exc:
            raise serializers.ValidationError(str(exc)) from exc
        return text

    def validate_group(self, group: Group | None) -> Group | None:
        others = Policy.objects.all()
        if isinstance(self.instance, Policy):
            others = others.exclude(pk=self.instance.pk)
        if others.filter(group=group).exists():
            whose = "there is a default policy" if group is None else f"group {group} has a policy"
            raise serializers.ValidationError(f"{whose} already: change that one")
        return group


class PolicyViewSet(Located, viewsets.ModelViewSet[Policy]):
    """Policies: what the members of a group may test, and how hard. An empty limit is none."""

    queryset = Policy.objects.order_by("pk")
    serializer_class = PolicySerializer
    filterset_fields = ["group"]


class LimitsSerializer(Strict, serializers.ModelSerializer[InstallationLimits]):
    serializer_field_mapping = FIELDS

    class Meta:
        model = InstallationLimits
        fields = [field.name for field in InstallationLimits._meta.fields if field.name != "id"]


class LimitsView(APIView):
    """What all runs of everybody together may do. An empty limit is none."""

    required_perms = {
        "GET": [VIEW],
        "HEAD": [VIEW],
        "OPTIONS": [VIEW],
        "PATCH": [CHANGE],
    }

    @extend_schema(responses=LimitsSerializer)
    def get(self, request: Request) -> Response:
        """The limits."""
        return Response(LimitsSerializer(_row()).data)

    @extend_schema(request=LimitsSerializer, responses=LimitsSerializer)
    def patch(self, request: Request) -> Response:
        """Change some of the limits."""
        row = _row()
        given = LimitsSerializer(row, data=request.data, partial=True)
        given.is_valid(raise_exception=True)
        saved: Any = given.save()
        return Response(LimitsSerializer(saved).data)


def _row() -> InstallationLimits:
    """The stored one, or one without limits."""
    return InstallationLimits.objects.filter(pk=InstallationLimits.ONLY).first() or InstallationLimits()


class ProvedHostSerializer(serializers.ModelSerializer[OwnedHost]):
    class Meta:
        model = OwnedHost
        fields = ["id", "host", "port", "proved_at", "proved_by"]
        read_only_fields = fields


class ProvedUrlField(serializers.CharField):
    request_schema: ClassVar = {"type": "string", "pattern": bare_url_pattern(*TARGETS), "maxLength": 300}


class ProveSerializer(Strict):
    url = ProvedUrlField(max_length=300, help_text="Such as https://api.example.org. Its file is read now.")


class ProvedHostViewSet(
    Located,
    mixins.CreateModelMixin,
    mixins.DestroyModelMixin,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    viewsets.GenericViewSet[OwnedHost],
):
    """Hosts that published this installation's token, so that they may be tested."""

    queryset = OwnedHost.objects.all()
    serializer_class = ProvedHostSerializer
    filterset_fields = ["host"]

    @extend_schema(request=ProveSerializer, responses={201: ProvedHostSerializer})
    def create(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Read the host's file, and note the host if it holds the token. A refusal names the token and the file."""
        asked = ProveSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        try:
            found = prove(asked.validated_data["url"], request.user)
        except ProofError as exc:
            raise serializers.ValidationError({"url": [str(exc)], "token": [token()]}) from exc
        data = ProvedHostSerializer(found).data
        return Response(data, status.HTTP_201_CREATED, headers=self.get_success_headers(data))
