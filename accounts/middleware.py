"""Who asks, for every request with a session."""

from __future__ import annotations

from typing import Any, Final

from asgiref.sync import sync_to_async
from django.conf import settings
from django.contrib.auth.middleware import AuthenticationMiddleware
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import redirect
from django.utils.functional import SimpleLazyObject

from accounts.sessions import must_set_up, user_of

DETAIL: Final = "Set up a second factor first: log in with a browser."
OPEN: Final = {"accounts:second-factor", "admin:logout", "admin:login", "health"}
"""Views that are open to everybody or to whoever sets up a second factor."""


class LogInMiddleware(AuthenticationMiddleware):
    """As Django's, with the limits of a log-in. Somebody who must have a second factor and has none reaches only the
    page that sets it up."""

    def process_request(self, request: HttpRequest) -> None:
        def user() -> Any:
            return user_of(request, active=_is_activity(request))

        lazy: Any = SimpleLazyObject(user)
        request.user = lazy
        request.auser = sync_to_async(user)

    def process_view(self, request: HttpRequest, *_: Any) -> HttpResponse | None:
        match = request.resolver_match
        if settings.SESSION_COOKIE_NAME not in request.COOKIES or (match and match.view_name in OPEN):
            return None
        if not (request.user.is_authenticated and must_set_up(request, request.user)):
            return None
        if request.path.startswith("/api/"):
            return JsonResponse({"detail": DETAIL}, status=403)
        return redirect("accounts:second-factor")


def _is_activity(request: HttpRequest) -> bool:
    """Not what an open page asks by itself: a forgotten one would never let its log-in end."""
    return request.method != "GET" or request.headers.get("Sec-Fetch-Dest") != "empty"
