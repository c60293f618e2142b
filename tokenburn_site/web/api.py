"""The root of the API: URLs, health, and error format."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.db import DataError
from django.db.models import ProtectedError
from django.urls import path
from rest_framework import status
from rest_framework.exceptions import ValidationError
from rest_framework.response import Response
from rest_framework.routers import SimpleRouter
from rest_framework.views import exception_handler

from accounts.api import TokenViewSet
from audit.api import AuditViewSet
from inputs.rest import place_names
from policy.api import LimitsView, PolicyViewSet, ProvedHostViewSet
from runs.api import PanicView, PlanViewSet, RunViewSet, ScheduleViewSet, WebhookViewSet
from scenarios.api import ScenarioViewSet
from targets.api import TargetViewSet
from targets.credentials.api import CredentialViewSet
from targets.preset_api import PresetsView
from tokenburn_site.web.views import docs, health, schema
from tokenburn_site.web.workers import WorkersView

NAMED = 5

router = SimpleRouter()
router.register("targets", TargetViewSet)
router.register("credentials", CredentialViewSet)
router.register("scenarios", ScenarioViewSet)
router.register("plans", PlanViewSet)
router.register("runs", RunViewSet)
router.register("policies", PolicyViewSet)
router.register("proved-hosts", ProvedHostViewSet)
router.register("schedules", ScheduleViewSet)
router.register("webhooks", WebhookViewSet)
router.register("tokens", TokenViewSet)
router.register("audit", AuditViewSet, basename="audit")
urlpatterns = [
    *router.urls,
    path("installation-limits/", LimitsView.as_view(), name="api-installation-limits"),
    path("presets/", PresetsView.as_view(), name="api-presets"),
    path("panic/", PanicView.as_view(), name="api-panic"),
    path("workers/", WorkersView.as_view(), name="api-workers"),
    path("health/", health, name="health"),
    path("schema/", schema, name="api-schema"),
    path("docs/", docs, name="api-docs"),
]


def explain(exc: Exception, context: dict[str, Any]) -> Response | None:
    """DRF's own answers, with places named; 409 for a row that others still need, 400 for what the database cannot
    hold, 413 for too large a body."""
    if isinstance(exc, ProtectedError):
        users = sorted(str(row) for row in exc.protected_objects)
        more = f" and {len(users) - NAMED} more" if len(users) > NAMED else ""
        detail = f"still in use by {', '.join(users[:NAMED])}{more}: change or delete those first"
        return Response({"detail": detail}, status.HTTP_409_CONFLICT)
    if isinstance(exc, DataError):
        detail = "the database cannot store this: a text in it holds a NUL character, or a number is too large"
        return Response({"detail": detail}, status.HTTP_400_BAD_REQUEST)
    if isinstance(exc, RequestDataTooBig):
        detail = f"the body is too large: at most {settings.DATA_UPLOAD_MAX_MEMORY_SIZE:,} bytes"
        return Response({"detail": detail}, status.HTTP_413_REQUEST_ENTITY_TOO_LARGE)
    answer = exception_handler(exc, context)
    if answer is not None and isinstance(exc, ValidationError):
        answer.data = place_names(answer.data)
    return answer
