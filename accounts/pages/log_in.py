"""The log-in: a password and, if the user has a second factor, a code. Nobody is logged in before both were right."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, Final

from django.conf import settings
from django.contrib import admin
from django.contrib.auth import get_user_model
from django.contrib.auth.views import LoginView
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.shortcuts import redirect
from django.urls import reverse
from django.utils.crypto import constant_time_compare
from django.utils.http import url_has_allowed_host_and_scheme, urlencode
from django.views.decorators.debug import sensitive_post_parameters
from django.views.decorators.http import require_http_methods
from django.views.generic import FormView
from unfold.forms import AuthenticationForm

from accounts import second_factor, sessions
from accounts.counting import in_turn, proved
from accounts.pages.forms import CodeForm

if TYPE_CHECKING:
    CodeBase = FormView[CodeForm]
else:
    CodeBase = FormView

PENDING: Final = "accounts.pending"
PENDING_S: Final = 300
WRONG: Final = "This code is wrong, was used before, or has expired: wait for the next one."


def proceed(request: HttpRequest, user: Any, backend: str, then: str, by_provider: bool = False) -> HttpResponse:
    """After the first factor was right: log in, or ask for the second. `by_provider`: of single sign-on."""
    trusted = by_provider and settings.OIDC.mfa
    if trusted or second_factor.of(user) is None:
        sessions.log_in(request, user, backend, sessions.PROVIDER if trusted else sessions.NONE)
        return redirect(then)
    request.session[PENDING] = {
        "user": user.pk,
        "backend": backend,
        "hash": user.get_session_auth_hash(),
        "until": time.time() + PENDING_S,
        "then": then,
    }
    request.session.cycle_key()
    return redirect("accounts:code")


class LogIn(LoginView):
    """The admin's page."""

    template_name = "accounts/log_in.html"
    authentication_form = AuthenticationForm

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        request = self.request
        page = {"title": "Log in", "subtitle": None, "app_path": request.get_full_path()}
        found = {**admin.site.each_context(request), **page, "username": request.user.get_username()}
        found["local_passwords"] = settings.LOCAL_PASSWORDS
        if settings.OIDC.issuer:
            query = urlencode({"next": self.get_redirect_url()})
            found |= {"sso_address": f"{reverse('accounts:sso')}?{query}", "sso_label": settings.OIDC.label}
        return {**super().get_context_data(**more), **found}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        if not settings.LOCAL_PASSWORDS:
            raise PermissionDenied("Passwords are switched off: use single sign-on.")
        with in_turn(request):
            return super().post(request, *args, **kwargs)

    def form_valid(self, form: Any) -> HttpResponse:
        user = form.get_user()
        return proceed(self.request, user, user.backend, self.get_success_url())


def log_in(request: HttpRequest) -> HttpResponseBase:
    if request.method == "GET" and admin.site.has_permission(request):
        return redirect("admin:index")
    return LogIn.as_view()(request)


class Code(CodeBase):
    """Asks for the second factor of whoever gave the right password a moment ago."""

    template_name = "accounts/code.html"
    form_class = CodeForm

    def dispatch(self, request: Any, *args: Any, **kwargs: Any) -> Any:
        self.pending = request.session.get(PENDING) or {}
        self.user = self._user()
        factor = second_factor.of(self.user) if self.user else None
        if factor is None:
            request.session.pop(PENDING, None)
            return redirect("admin:login")
        self.factor = factor
        return super().dispatch(request, *args, **kwargs)

    def _user(self) -> Any:
        """Nobody, if the log-in has begun too long ago or the password was changed in between."""
        if self.pending.get("until", 0) < time.time():
            return None
        user = get_user_model()._default_manager.filter(pk=self.pending["user"], is_active=True).first()
        same = user is not None and constant_time_compare(user.get_session_auth_hash(), self.pending["hash"])
        return user if same and self.pending["backend"] in settings.AUTHENTICATION_BACKENDS else None

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        context = admin.site.each_context(self.request)
        return {**context, "title": "Second factor", **super().get_context_data(**more)}

    def form_valid(self, form: CodeForm) -> HttpResponse:
        name, given = self.user.get_username(), form.cleaned_data["code"]
        try:
            right = proved(self.request, name, lambda: second_factor.check_either(self.factor, given))
        except second_factor.CodeRefused as exc:
            form.add_error("code", str(exc))
            return self.form_invalid(form)
        if not right:
            form.add_error("code", WRONG)
            return self.form_invalid(form)
        self.request.session.pop(PENDING)
        sessions.log_in(self.request, self.user, self.pending["backend"], self.factor.pk)
        return redirect(safe(self.request, self.pending["then"]))


code = sensitive_post_parameters("code")(require_http_methods(["GET", "POST"])(Code.as_view()))


def safe(request: HttpRequest, address: str | None) -> str:
    """An address of this site, for a redirect."""
    allowed = url_has_allowed_host_and_scheme(address, {request.get_host()}, require_https=request.is_secure())
    return address if address and allowed else settings.LOGIN_REDIRECT_URL
