"""The page on which users change their own password."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.auth.views import PasswordChangeView
from django.http import HttpRequest, HttpResponse
from django.http.response import HttpResponseBase
from django.urls import reverse_lazy
from unfold.forms import AdminOwnPasswordChangeForm

from accounts.counting import proved


class ChangePassword(PasswordChangeView):
    """The admin's page. Who sits at somebody's open session must not guess the present password here."""

    form_class = AdminOwnPasswordChangeForm
    success_url = reverse_lazy("admin:password_change_done")

    def get_context_data(self, **more: Any) -> dict[str, Any]:
        return {**admin.site.each_context(self.request), **super().get_context_data(**more)}

    def post(self, request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
        form, name = self.get_form(), request.user.get_username()
        right = proved(request, name, lambda: "old_password" not in form.errors)
        return self.form_valid(form) if right and form.is_valid() else self.form_invalid(form)


def change_password(request: HttpRequest) -> HttpResponseBase:
    return ChangePassword.as_view()(request)
