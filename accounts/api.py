"""Tokens over the API: list and revoke with any log-in, create with a session only."""

from __future__ import annotations

from django.conf import settings
from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import mixins, serializers, viewsets
from rest_framework.exceptions import PermissionDenied, ValidationError
from rest_framework.permissions import IsAdminUser
from rest_framework.request import Request
from rest_framework.response import Response

from accounts.models import NAME_CHARS, ApiToken
from accounts.scopes import SCOPES
from accounts.tokens import TokenError, make, revoke, visible_to
from inputs.rest import Located, Strict


class TokenSerializer(serializers.ModelSerializer[ApiToken]):
    user = serializers.CharField(source="user.username", read_only=True)
    scopes = serializers.ListField(child=serializers.ChoiceField(choices=list(SCOPES.items())), read_only=True)
    state = serializers.ChoiceField(choices=["active", "expired", "revoked"], read_only=True)

    class Meta:
        model = ApiToken
        fields = ["id", "user", "name", "start", "scopes", "state", "created_at", "expires_at"]
        fields += ["revoked_at", "last_used_at", "last_used_from"]
        read_only_fields = fields


class NewTokenSerializer(Strict):
    name = serializers.CharField(max_length=NAME_CHARS)
    scopes = serializers.ListField(
        child=serializers.ChoiceField(choices=list(SCOPES.items())), required=False, max_length=len(SCOPES)
    )
    days = serializers.IntegerField(
        required=False, min_value=1, max_value=settings.TOKEN_MAX_DAYS, help_text="How long it is valid."
    )


class MadeTokenSerializer(TokenSerializer):
    key = serializers.CharField(read_only=True, help_text="Shown this once.")

    class Meta(TokenSerializer.Meta):
        fields = [*TokenSerializer.Meta.fields, "key"]
        read_only_fields = fields


class TokenViewSet(
    Located,
    mixins.ListModelMixin,
    mixins.RetrieveModelMixin,
    mixins.DestroyModelMixin,
    viewsets.GenericViewSet[ApiToken],
):
    """One's own tokens; an administrator's list has everybody's."""

    permission_classes = [IsAdminUser]
    queryset = ApiToken.objects.select_related("user").order_by("-id")
    serializer_class = TokenSerializer

    def get_queryset(self) -> QuerySet[ApiToken]:
        return visible_to(self.request.user, super().get_queryset())

    @extend_schema(request=NewTokenSerializer, responses={201: MadeTokenSerializer})
    def create(self, request: Request) -> Response:
        """Create a token for yourself. A token cannot create tokens."""
        if isinstance(request.auth, ApiToken):
            raise PermissionDenied("a token cannot create tokens: log in and use the page API tokens")
        asked = NewTokenSerializer(data=request.data)
        asked.is_valid(raise_exception=True)
        given = asked.validated_data
        try:
            token = make(request.user, given["name"], given.get("scopes", []), given.get("days"))
        except TokenError as exc:
            raise ValidationError({"non_field_errors": [str(exc)]}) from exc
        data = {**TokenSerializer(token).data, "key": token.key}
        return Response(data, 201, headers=self.get_success_headers(data))

    def perform_destroy(self, instance: ApiToken) -> None:
        """Revokes it: the row stays as a record."""
        revoke(instance)
