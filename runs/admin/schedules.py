"""Schedules and their slots in the admin."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from metrics.number_format import moment
from runs import db_clock
from runs.admin.row_select import AutocompletesRows
from runs.admin.runs import OfRuns
from runs.admin.schedule_form import ScheduleForm
from runs.models import PlanSchedule, ScheduleSlot
from runs.permissions import may_control
from runs.reporting.formatting import moment_text, status_badge
from runs.schedules.services import ScheduleError, delete_schedule, next_runs, set_enabled
from runs.schedules.starter import with_timing
from runs.schedules.timing import TimingError, in_words, when_of, zone_of

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    ScheduleBase = ModelAdmin[PlanSchedule]
    SlotBase = ModelAdmin[ScheduleSlot]
else:
    from unfold.admin import ModelAdmin as ScheduleBase
    from unfold.admin import ModelAdmin as SlotBase

LAST_SLOTS = 20


@admin.register(PlanSchedule)
class PlanScheduleAdmin(AutocompletesRows, ScheduleBase):
    form = ScheduleForm
    list_display = ["name", "plan", "timing_words", "state", "next_run", "last_slot"]
    list_display_links = ["name"]
    list_filter = ["plan", "task__enabled", "missed", "overlap"]
    search_fields = ["task__name", "plan__name"]
    autocomplete_fields = ["plan"]
    actions = ["pause", "resume"]
    warn_unsaved_form = True
    change_form_outer_before_template = "runs/admin/schedule_tools.html"
    change_form_outer_after_template = "runs/admin/schedule_slots.html"
    conditional_fields = {
        "crontab": "kind == 'crontab'",
        "every": "kind == 'every'",
        "period": "kind == 'every'",
        "at": "kind == 'at'",
        "begins": "kind != 'at'",
        "ends": "kind != 'at'",
    }
    fieldsets = [
        (None, {"fields": ["name", "plan", "enabled"]}),
        ("When", {"fields": ["kind", "crontab", "every", "period", "at", "time_zone", "begins", "ends"]}),
        ("Slots that were missed", {"fields": ["missed", "grace_s", "catch_up"]}),
        ("Slots during a run", {"fields": ["overlap", "queue_limit"]}),
    ]

    def get_form(
        self, request: HttpRequest, obj: PlanSchedule | None = None, change: bool = False, **kwargs: Any
    ) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.user = request.user
        return form

    def get_queryset(self, request: HttpRequest) -> QuerySet[PlanSchedule]:
        return with_timing().select_related("plan")

    def has_add_permission(self, request: HttpRequest) -> bool:
        """A schedule starts runs, so writing one needs that permission."""
        return super().has_add_permission(request) and may_control(request.user)

    def has_change_permission(self, request: HttpRequest, obj: PlanSchedule | None = None) -> bool:
        return super().has_change_permission(request, obj) and may_control(request.user)

    def has_delete_permission(self, request: HttpRequest, obj: PlanSchedule | None = None) -> bool:
        return super().has_delete_permission(request, obj) and may_control(request.user)

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> PlanSchedule:
        made: PlanSchedule = form.store()
        return made

    def save_model(self, request: HttpRequest, obj: PlanSchedule, form: Any, change: bool) -> None:
        """The form has stored it through the service that the API calls too."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is none."""

    def get_deleted_objects(self, objs: Any, request: HttpRequest) -> Any:
        """Slots can only be deleted with their schedule."""
        found, counts, forbidden, protected = super().get_deleted_objects(objs, request)
        return found, counts, forbidden - {ScheduleSlot._meta.verbose_name}, protected

    def delete_model(self, request: HttpRequest, obj: PlanSchedule) -> None:
        delete_schedule(obj)

    def delete_queryset(self, request: HttpRequest, queryset: QuerySet[PlanSchedule]) -> None:
        for schedule in queryset:
            delete_schedule(schedule)

    @admin.display(description="Name", ordering="task__name")
    def name(self, schedule: PlanSchedule) -> str:
        return str(schedule)

    @admin.display(description="Runs")
    def timing_words(self, schedule: PlanSchedule) -> str:
        return words(schedule)

    @admin.display(description="State", ordering="task__enabled")
    def state(self, schedule: PlanSchedule) -> SafeString:
        return status_badge(state(schedule))

    @admin.display(description="Next run")
    def next_run(self, schedule: PlanSchedule) -> str:
        return "".join(shown["local"] for shown in next_shown(schedule, 1))

    @admin.display(description="Last slot")
    def last_slot(self, schedule: PlanSchedule) -> SafeString | str:
        slot = schedule.slots.first()
        return format_html("{} {}", local(schedule, slot.slot_at), status_badge(slot.status)) if slot else ""

    @admin.action(description="Pause", permissions=["change"])
    def pause(self, request: HttpRequest, queryset: QuerySet[PlanSchedule]) -> None:
        for schedule in queryset:
            set_enabled(schedule, False, request.user)
            self.message_user(request, f"{schedule} is paused.", messages.SUCCESS)

    @admin.action(description="Resume", permissions=["change"])
    def resume(self, request: HttpRequest, queryset: QuerySet[PlanSchedule]) -> None:
        for schedule in queryset:
            try:
                set_enabled(schedule, True, request.user)
            except ScheduleError as exc:
                self.message_user(request, f"{schedule}: {exc}", messages.ERROR)
            else:
                self.message_user(request, f"{schedule} is resumed.", messages.SUCCESS)

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        schedule = self.get_object(request, object_id)
        more: dict[str, Any] = {}
        if schedule is not None:
            last = schedule.slots.select_related("run")[:LAST_SLOTS]
            more = {
                "timing_words": words(schedule),
                "state": state(schedule),
                "next_runs": next_shown(schedule),
                "slots": [(slot, local(schedule, slot.slot_at)) for slot in last],
                "may_change": self.has_change_permission(request, schedule),
            }
        return super().change_view(request, object_id, form_url, (extra_context or {}) | more)


def words(schedule: PlanSchedule) -> str:
    """The next times, or why they are unknown."""
    try:
        return in_words(when_of(schedule.task))
    except TimingError as exc:
        return str(exc)


def state(schedule: PlanSchedule) -> str:
    """ "paused", "over" if no slot will follow, or "active"."""
    if not schedule.task.enabled:
        return "paused"
    return "active" if next_runs(schedule, 1) else "over"


def next_shown(schedule: PlanSchedule, count: int = 5) -> list[dict[str, str]]:
    """The next slots in the schedule's zone and in UTC."""
    found = next_runs(schedule, count, db_clock.now())
    return [{"local": local(schedule, slot), "utc": moment(slot, weekday=True)} for slot in found]


def local(schedule: PlanSchedule, slot: datetime) -> str:
    """In the schedule's zone."""
    try:
        zone = zone_of(when_of(schedule.task))
    except TimingError:
        return moment_text(slot)
    return moment(slot.astimezone(zone), weekday=True)


@admin.register(ScheduleSlot)
class ScheduleSlotAdmin(OfRuns, SlotBase):
    list_display = ["schedule", "slot", "badge", "started", "reason", "count"]
    list_filter = ["status", "schedule"]
    date_hierarchy = "slot_at"
    list_select_related = ["schedule__task", "run"]
    fields = ["schedule", "slot", "badge", "started", "reason", "count", "decided_at"]
    readonly_fields = ["slot", "badge", "started"]

    def has_view_permission(self, request: HttpRequest, obj: Model | None = None) -> bool:
        return request.user.has_perm("runs.view_planschedule")

    @admin.display(description="Slot", ordering="slot_at")
    def slot(self, slot: ScheduleSlot) -> str:
        return moment_text(slot.slot_at)

    @admin.display(description="Status", ordering="status")
    def badge(self, slot: ScheduleSlot) -> SafeString:
        return status_badge(slot.status)

    @admin.display(description="Run")
    def started(self, slot: ScheduleSlot) -> SafeString | str:
        if slot.run is None:
            return ""
        return format_html('<a class="tb-link" href="{}">{}</a>', reverse("runs:report", args=[slot.run.pk]), slot.run)
