"""What django-axes, which counts failed log-ins, calls: whose they are, and the response to too many."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address
from typing import Any

from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string

from accounts.counting import detail, wait_s


def client_address(request: HttpRequest) -> str | None:
    """The address for which a failure counts. Behind the proxy that ends HTTPS it is the last entry, which that proxy
    wrote: the client can invent all others."""
    if settings.SECURE_PROXY_SSL_HEADER:
        with contextlib.suppress(ValueError):
            return str(ip_address(request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()))
    return request.META.get("REMOTE_ADDR")


def refused(request: HttpRequest, _response: HttpResponse | None, _credentials: Any = None) -> HttpResponse:
    """The response to somebody who has to wait."""
    headers = {"Retry-After": str(wait_s()), "Cache-Control": "no-store"}
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": detail()}, status=429, headers=headers)
    page = render_to_string("tokenburn/locked_out.html", {"detail": detail()})
    return HttpResponse(page, status=429, headers=headers)
