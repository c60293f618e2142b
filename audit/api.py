"""The audit log in the API, read-only."""

from __future__ import annotations

from typing import Any

from rest_framework import mixins, serializers, viewsets
from rest_framework.pagination import CursorPagination

from audit.export import FIELDS
from audit.models import AuditEvent
from inputs.rest import CheckedSize


class AuditEventSerializer(serializers.ModelSerializer[AuditEvent]):
    details = serializers.DictField(help_text="More, by action.")

    class Meta:
        model = AuditEvent
        fields = ["sequence", "at", *FIELDS, "details", "digest"]
        read_only_fields = fields


class Latest(CheckedSize, CursorPagination):
    ordering = "-id"
    page_size = 100
    max_page_size = 1000


class AuditViewSet(mixins.ListModelMixin, viewsets.GenericViewSet[AuditEvent]):
    """Who did what, latest first. Nobody can change it."""

    queryset = AuditEvent.objects.all()
    serializer_class = AuditEventSerializer
    pagination_class = Latest
    filterset_fields = {"action": ["exact"], "user_name": ["exact"], "outcome": ["exact"], "door": ["exact"],
                        "kind": ["exact"], "key": ["exact"], "at": ["gte", "lt"]}  # fmt: skip
    required_perms: dict[str, Any] = {}
