"""What the admin's pages of users and groups have beside Django's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.contrib.auth.models import User
from django.db.models import BooleanField, QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldBooleanSwitchWidget

from accounts import second_factor, sessions
from accounts.models import GroupRule, SsoIdentity
from audit.services import record
from inputs.forms import BoundedInline

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin
    from django.contrib.admin import StackedInline as _Stacked

    Stacked = _Stacked[Any, Any]
    Base = ModelAdmin[User]
else:
    from unfold.admin import StackedInline as Stacked

    Base = object


class GroupRuleInline(BoundedInline, Stacked):
    model = GroupRule
    max_num = 1
    verbose_name_plural = "Rules"
    can_delete = False
    formfield_overrides = {BooleanField: {"widget": UnfoldBooleanSwitchWidget}}


class SsoIdentityInline(BoundedInline, Stacked):
    model = SsoIdentity
    max_num = 1
    verbose_name_plural = "Single sign-on"
    fields = ("name", "subject", "last_log_in")
    readonly_fields = ("subject", "last_log_in")
    extra = 0


class PeopleActions(Base):
    """Of users: for administrators."""

    actions = ["reset_second_factor", "end_log_ins"]

    def has_people_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_superuser", False))

    @admin.action(description="Reset the second factor", permissions=["people"])
    def reset_second_factor(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        done = [str(user) for user in queryset if self._reset(request, user)]
        text = f"Reset: {', '.join(done)}. Their log-ins have ended." if done else "None of them had a second factor."
        self.message_user(request, text, messages.SUCCESS)

    def _reset(self, request: HttpRequest, user: User) -> bool:
        if not second_factor.remove(user):
            return False
        sessions.end_all(user)
        record("second_factor.reset", request=request, on=user)
        return True

    @admin.action(description="End all log-ins", permissions=["people"])
    def end_log_ins(self, request: HttpRequest, queryset: QuerySet[User]) -> None:
        for user in queryset:
            sessions.end_all(user)
            record("log_in.end", request=request, on=user)
        self.message_user(request, "Their log-ins have ended. Their API tokens are still valid.", messages.SUCCESS)
