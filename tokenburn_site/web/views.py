"""Pages of the site itself: index, API schema and docs, health."""

from __future__ import annotations

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.templatetags.static import static
from django.views.decorators.http import require_safe
from django.views.defaults import page_not_found
from drf_spectacular.utils import extend_schema
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework import serializers
from rest_framework.decorators import api_view, authentication_classes, permission_classes
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response

from tokenburn_site.web.health import checks, summary
from tokenburn_site.web.schema_view import SchemaView

schema = SchemaView.as_view()
docs = require_safe(
    login_required(SpectacularSwaggerSplitView.as_view(url_name="api-schema", template_name="tokenburn/api_docs.html"))
)


class CheckSerializer(serializers.Serializer[object]):
    ok = serializers.BooleanField()
    detail = serializers.CharField()


class HealthSerializer(serializers.Serializer[object]):
    ok = serializers.BooleanField()
    checks = serializers.DictField(child=CheckSerializer())


@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """The admin is where everything begins; it asks strangers to log in."""
    return redirect("admin:index")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's `handler404`: for programs the API has JSON, also where it has no address."""
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": "There is nothing at this address."}, status=404)
    return page_not_found(request, exception)


@require_safe
def favicon(request: HttpRequest) -> HttpResponse:
    """Browsers ask for this address on pages that name no icon."""
    return redirect(static("tokenburn/favicon.svg"))


@extend_schema(responses={200: HealthSerializer, 503: HealthSerializer}, auth=[])
@api_view(["GET"])
@authentication_classes([])
@permission_classes([AllowAny])
def health(request: Request) -> Response:
    """Whether the database, the broker and a worker for each queue answer. Open to all."""
    found = summary(checks())
    return Response(found, 200 if found["ok"] else 503)
