"""Users, groups and schedules in the admin's theme. API tokens have no page, because a list would show them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin
from django.contrib.auth.admin import GroupAdmin
from django.contrib.auth.admin import UserAdmin as PlainUser
from django.contrib.auth.models import Group, User
from django_celery_beat.admin import ClockedScheduleAdmin as PlainClocked
from django_celery_beat.admin import CrontabScheduleAdmin as PlainCrontab
from django_celery_beat.admin import PeriodicTaskAdmin as PlainPeriodicTask
from django_celery_beat.admin import PeriodicTaskForm as PlainPeriodicTaskForm
from django_celery_beat.admin import ScheduleAdmin as PlainSchedule
from django_celery_beat.admin import TaskSelectWidget
from django_celery_beat.models import (
    ClockedSchedule,
    CrontabSchedule,
    IntervalSchedule,
    PeriodicTask,
    SolarSchedule,
)
from rest_framework.authtoken.models import TokenProxy
from unfold.forms import AdminPasswordChangeForm, UserChangeForm, UserCreationForm
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextInputWidget

if TYPE_CHECKING:  # neither django-unfold nor django-celery-beat has types
    from django.contrib.admin import ModelAdmin as _ModelAdmin

    Themed = _ModelAdmin[Any]
    UserAdmin = PlainUser[User]
else:
    from unfold.admin import ModelAdmin as Themed

    UserAdmin = PlainUser

admin.site.index_template = "tokenburn/index.html"
admin.site.index_title = "Dashboard"

for model in (
    User,
    Group,
    TokenProxy,
    PeriodicTask,
    IntervalSchedule,
    CrontabSchedule,
    ClockedSchedule,
    SolarSchedule,
):
    if admin.site.is_registered(model):
        admin.site.unregister(model)


@admin.register(User)
class ThemedUserAdmin(UserAdmin, Themed):
    form = UserChangeForm
    add_form = UserCreationForm
    change_password_form = AdminPasswordChangeForm


@admin.register(Group)
class ThemedGroupAdmin(GroupAdmin, Themed):
    pass


class ThemedTaskSelect(UnfoldAdminSelectWidget, TaskSelectWidget):
    pass


class PeriodicTaskForm(PlainPeriodicTaskForm):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields["task"].widget = UnfoldAdminTextInputWidget()
        self.fields["regtask"].widget = ThemedTaskSelect()


@admin.register(PeriodicTask)
class ThemedPeriodicTaskAdmin(PlainPeriodicTask, Themed):
    form = PeriodicTaskForm


@admin.register(IntervalSchedule)
class ThemedIntervalAdmin(PlainSchedule, Themed):
    inlines = []


@admin.register(CrontabSchedule)
class ThemedCrontabAdmin(PlainCrontab, Themed):
    inlines = []


@admin.register(ClockedSchedule)
class ThemedClockedAdmin(PlainClocked, Themed):
    inlines = []
