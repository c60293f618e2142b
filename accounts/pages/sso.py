"""Single sign-on: to the provider and back. And the emergency link of the command line."""

from __future__ import annotations

from typing import Any, Final

from django.contrib import admin, messages
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.views.decorators.http import require_GET, require_http_methods

from accounts import emergency
from accounts.pages.log_in import proceed, safe
from accounts.sso.errors import SsoRefused
from accounts.sso.people import user_for
from accounts.sso.provider import claims_of, is_on, to_provider
from audit.services import record, record_refusal

THEN: Final = "accounts.sso_then"
BACKEND: Final = "django.contrib.auth.backends.ModelBackend"


@require_GET
def start(request: HttpRequest) -> HttpResponse:
    if not is_on():
        raise Http404
    try:
        answer = to_provider(request)
    except SsoRefused as exc:
        return _refused(request, exc)
    request.session[THEN] = safe(request, request.GET.get("next"))
    return answer


@require_GET
def back(request: HttpRequest) -> HttpResponse:
    if not is_on():
        raise Http404
    then = request.session.pop(THEN, None)
    try:
        user = user_for(claims_of(request))
    except SsoRefused as exc:
        return _refused(request, exc)
    return proceed(request, user, BACKEND, safe(request, then), by_provider=True)


@require_http_methods(["GET", "POST"])
def emergency_link(request: HttpRequest) -> HttpResponse:
    """A button, so that whatever opens links by itself does not use the link up."""
    user = emergency.user_of(request.GET.get("key", ""))
    if user is None:
        messages.error(request, "This link is wrong, was used, or is too old: make a new one.")
        return redirect("admin:login")
    if request.method == "POST":
        record("login.link", request=request, user=user, on=user)
        return proceed(request, user, BACKEND, safe(request, None))
    context: dict[str, Any] = {**admin.site.each_context(request), "title": "Emergency log-in", "who": user}
    return TemplateResponse(request, "accounts/emergency.html", context)


def _refused(request: HttpRequest, exc: SsoRefused) -> HttpResponse:
    record_refusal("login", request=request, details={"by": "single sign-on", "why": str(exc)})
    messages.error(request, str(exc))
    return redirect("admin:login")
