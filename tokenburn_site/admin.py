"""Users, groups and schedules in the admin's theme."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from axes.models import AccessFailureLog, AccessLog
from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUser
from django.contrib.auth.models import Group, User
from django.db.models import Model
from django.http import HttpRequest
from django_celery_beat.admin import ClockedScheduleAdmin as PlainClocked
from django_celery_beat.admin import CrontabScheduleAdmin as PlainCrontab
from django_celery_beat.admin import PeriodicTaskAdmin as PlainPeriodicTask
from django_celery_beat.admin import ScheduleAdmin as PlainSchedule
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from unfold import fields as theme_fields
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm

from accounts.admin import GroupRuleInline, PeopleActions, SsoIdentityInline
from accounts.models import ApiToken
from inputs.admin_lookups import SealedColumns
from inputs.admin_read_only import ReadOnly
from tokenburn_site.web.shown_json import shown_json

if TYPE_CHECKING:  # neither django-unfold nor django-celery-beat has types
    from django.contrib.admin import ModelAdmin as _ModelAdmin

    Themed = _ModelAdmin[Any]
    MixedIn = _ModelAdmin[Any]
    UserAdmin = PlainUser[User]
else:
    MixedIn = object
    from unfold.admin import ModelAdmin as Themed

    UserAdmin = PlainUser

theme_fields.prettify_json = shown_json

for model in (
    User,
    Group,
    PeriodicTask,
    IntervalSchedule,
    CrontabSchedule,
    ClockedSchedule,
    SolarSchedule,
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


class ByAdministrators(MixedIn):
    """Rows that only superusers change. Whoever else had Django's rights on them could make themselves one, or take
    over the account of one by a new password; with the right to view, others may look."""

    def has_add_permission(self, request: HttpRequest) -> bool:
        return _is_administrator(request) and super().has_add_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_administrator(request) and super().has_change_permission(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return _is_administrator(request) and super().has_delete_permission(request, obj)


def _is_administrator(request: HttpRequest) -> bool:
    return bool(getattr(request.user, "is_superuser", False))


@admin.register(User)
class ThemedUserAdmin(ByAdministrators, PeopleActions, UserAdmin, Themed):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm
    inlines = (SsoIdentityInline,)

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return super().get_inlines(request, obj) if obj else ()  # first the user

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """API tokens cannot be deleted but with their user, who otherwise could not be deleted at all."""
        found, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return found, counts, forbidden - {ApiToken._meta.verbose_name}, protected


@admin.register(Group)
class ThemedGroupAdmin(ByAdministrators, GroupAdmin, Themed):
    inlines = (GroupRuleInline,)


class OnlyShown(ReadOnly):
    """Rows that nobody changes here. Of periodic tasks, which the settings and the schedules of plans write, one more
    starts anything, one less stops the reaper, and the library asks no right for its actions."""

    actions: Any = ()
    inlines: Any = ()


@admin.register(PeriodicTask)
class PeriodicTaskAdmin(OnlyShown, PlainPeriodicTask, Themed):
    change_form_template = None  # the library's is for changes, with a script in the page
    list_editable = ()
    fieldsets = [
        (None, {"fields": ["name", "task", "enabled", "description"]}),
        ("When", {"fields": ["interval", "crontab", "solar", "clocked", "start_time", "last_run_at", "one_off"]}),
        ("Message", {"fields": ["args", "kwargs", "expires", "expire_seconds", "queue", "priority"]}),
    ]


@admin.register(IntervalSchedule)
class IntervalAdmin(OnlyShown, PlainSchedule, Themed):
    pass


@admin.register(CrontabSchedule)
class CrontabAdmin(OnlyShown, PlainCrontab, Themed):
    pass


@admin.register(ClockedSchedule)
class ClockedAdmin(OnlyShown, PlainClocked, Themed):
    pass


@admin.register(AccessFailureLog)
class FailedLogInAdmin(OnlyShown, Themed):
    list_display = ["attempt_time", "username", "ip_address", "path_info", "locked_out"]
    list_filter = ["locked_out"]
    search_fields = ["username", "ip_address"]
    date_hierarchy = "attempt_time"


@admin.register(AccessLog)
class LogInAdmin(SealedColumns, OnlyShown, Themed):
    list_display = ["attempt_time", "username", "ip_address", "logout_time"]
    search_fields = ["username", "ip_address"]
    date_hierarchy = "attempt_time"
    exclude = ["session_hash", "http_accept"]
