"""The admin's site, with log-in pages of our own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.http import HttpRequest

from accounts.pages.log_in import log_in
from accounts.pages.password import change_password

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import AdminSite as ThemedSite
else:
    from unfold.sites import UnfoldAdminSite as ThemedSite


class Site(ThemedSite):
    index_template = "tokenburn/index.html"
    index_title = "Dashboard"

    def login(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return log_in(request)

    def password_change(self, request: HttpRequest, extra_context: dict[str, Any] | None = None) -> Any:
        return change_password(request)
