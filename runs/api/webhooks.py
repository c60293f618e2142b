"""Webhooks in the API. Addresses and keys are write-only."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.request import Request
from rest_framework.response import Response

from inputs.rest import Located, Strict, refuse_body
from inputs.rest_schema import url_pattern
from runs.api.paging import ById
from runs.models import DeliveryStatus, Webhook, WebhookDelivery
from runs.webhooks.deliver import send_test
from runs.webhooks.secrets import KEY_CHARS, URL_CHARS, give_secrets, has_key


class AddressField(serializers.CharField):
    request_schema: ClassVar = {"type": "string", "pattern": url_pattern("http", "https"), "maxLength": URL_CHARS}


class WebhookSerializer(Strict, serializers.ModelSerializer[Webhook]):
    url = AddressField(
        write_only=True, required=False, max_length=URL_CHARS, help_text="Stored encrypted; only its host is shown."
    )
    key = serializers.CharField(
        write_only=True,
        required=False,
        allow_null=True,
        allow_blank=True,
        max_length=KEY_CHARS,
        trim_whitespace=False,
        help_text="Signs each message (HMAC-SHA-256). Stored encrypted; null removes it.",
    )
    signed = serializers.SerializerMethodField(help_text="Whether there is a signing key; null: unknown.")

    class Meta:
        model = Webhook
        fields = [
            "id",
            "name",
            "kind",
            "plan",
            "schedule",
            "when",
            "enabled",
            "host",
            "url",
            "key",
            "signed",
            "created_at",
            "updated_at",
        ]
        read_only_fields = ["host"]

    @extend_schema_field(serializers.BooleanField(allow_null=True))
    def get_signed(self, webhook: Webhook) -> bool | None:
        return has_key(webhook)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Seals for this row's uid, which a new row must then keep: ciphertext is bound to it."""
        webhook = self.instance or Webhook()
        key = (attrs.pop("key") or "") if "key" in attrs else None
        try:
            give_secrets(webhook, url=attrs.pop("url", ""), key=key)
        except ValueError as exc:
            raise serializers.ValidationError({"url": [str(exc)]}) from exc
        return attrs | {"uid": webhook.uid, "host": webhook.host, "sealed_secrets": webhook.sealed_secrets}


class NewWebhookSerializer(WebhookSerializer):
    url = AddressField(
        write_only=True,
        max_length=URL_CHARS,
        error_messages={"required": "give an address"},
        help_text="Stored encrypted; only its host is shown.",
    )


class DeliverySerializer(serializers.ModelSerializer[WebhookDelivery]):
    next_at = serializers.SerializerMethodField(help_text="Time of the next attempt; null: there is none.")

    class Meta:
        model = WebhookDelivery
        fields = [
            "id",
            "uid",
            "run",
            "status",
            "attempts",
            "next_at",
            "http_status",
            "error",
            "created_at",
            "delivered_at",
        ]
        read_only_fields = fields

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_next_at(self, delivery: WebhookDelivery) -> datetime | None:
        return delivery.next_at if delivery.status == DeliveryStatus.PENDING else None


class WebhookViewSet(Located, viewsets.ModelViewSet[Webhook]):
    """Addresses to notify about ended runs, as JSON or as a Slack message."""

    queryset = Webhook.objects.all()
    serializer_class = WebhookSerializer
    filterset_fields = ["plan", "schedule", "enabled"]
    required_perms: dict[str, list[str]] = {}

    def get_serializer_class(self) -> type[serializers.BaseSerializer[Any]]:
        return NewWebhookSerializer if self.action == "create" else WebhookSerializer

    @extend_schema(request=None, responses=DeliverySerializer)
    @action(detail=True, methods=["post"], required_perms={"POST": ["runs.change_webhook"]})
    def test(self, request: Request, pk: str) -> Response:
        """Send one test message now, and report the result."""
        refuse_body(request)
        return Response(DeliverySerializer(send_test(self.get_object())).data)

    @extend_schema(responses=DeliverySerializer(many=True))
    @action(detail=True, pagination_class=ById, filter_backends=[])
    def deliveries(self, request: Request, pk: str) -> Response:
        """Every message to it, in the order of ids."""
        found: QuerySet[Any] = WebhookDelivery.objects.filter(webhook=self.get_object())
        page: Any = self.paginate_queryset(found)
        return self.get_paginated_response(DeliverySerializer(page, many=True).data)
