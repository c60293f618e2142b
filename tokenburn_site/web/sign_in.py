"""Slows down whoever guesses passwords or tokens, and keeps a record of it, with django-axes."""

from __future__ import annotations

import contextlib
from ipaddress import ip_address
from typing import Any

from axes.handlers.proxy import AxesProxyHandler
from django.conf import settings
from django.contrib.auth.signals import user_login_failed
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.template.loader import render_to_string
from rest_framework.authentication import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed, Throttled
from rest_framework.request import Request

from tokenburn_site.config.webconf import FAILURES_PAUSE

NO_USER = "(API token)"
"""Stands for the user name where a token was wrong: it belongs to nobody."""
WAIT_S = int(FAILURES_PAUSE.total_seconds())
DETAIL = f"Too many failed log-ins from this address: try again in {WAIT_S // 60} minutes."


def client_address(request: HttpRequest) -> str | None:
    """The address for which a failure counts. Behind the proxy that ends HTTPS it is the last entry, which that proxy
    wrote: the client can invent all others."""
    if settings.SECURE_PROXY_SSL_HEADER:
        with contextlib.suppress(ValueError):
            return str(ip_address(request.META.get("HTTP_X_FORWARDED_FOR", "").rpartition(",")[2].strip()))
    return request.META.get("REMOTE_ADDR")


def refused(request: HttpRequest, _response: HttpResponse | None, _credentials: Any = None) -> HttpResponse:
    """The response to somebody who has to wait."""
    headers = {"Retry-After": str(WAIT_S), "Cache-Control": "no-store"}
    if request.path.startswith("/api/"):
        return JsonResponse({"detail": DETAIL}, status=429, headers=headers)
    page = render_to_string("tokenburn/locked_out.html", {"detail": DETAIL})
    return HttpResponse(page, status=429, headers=headers)


class CountedTokenAuthentication(TokenAuthentication):
    """Counts wrong tokens. A right one is never refused: it cannot be guessed, and others may share its address."""

    def authenticate(self, request: Request) -> Any:
        try:
            return super().authenticate(request)
        except AuthenticationFailed:
            asked: Any = request._request  # the library writes attributes of its own
            AxesProxyHandler.update_request(asked)
            asked.axes_path_info = asked.axes_path_info.replace("\0", "")  # PostgreSQL stores none
            if AxesProxyHandler.is_locked(asked, {"username": NO_USER}):
                locked: Any = Throttled(detail=DETAIL)
                locked.wait = WAIT_S  # for Retry-After; given at once, it would stand in the detail too
                raise locked from None
            user_login_failed.send(sender=__name__, credentials={"username": NO_USER}, request=asked)
            raise
