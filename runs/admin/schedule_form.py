"""The admin's form of a schedule: the API's object `when` as separate fields."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from django import forms
from django.conf import settings
from unfold.widgets import (
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
    UnfoldBooleanSwitchWidget,
)

from policy.limits import User
from runs.models import PlanSchedule
from runs.schedules.services import (
    NAME_CHARS,
    POLICIES,
    ScheduleError,
    change_schedule,
    check_plan,
    create_schedule,
    free_name,
    parsed,
    same_timing,
)
from runs.schedules.time_zones import zones
from runs.schedules.timing import PERIODS, TimingError, as_given, when_of

if TYPE_CHECKING:
    FormBase = forms.ModelForm[PlanSchedule]
else:
    FormBase = forms.ModelForm

KINDS = {"crontab": ("crontab",), "every": ("every", "period"), "at": ("at",)}
MOMENTS = ("at", "begins", "ends")


class MomentField(forms.CharField):
    """A wall-clock time in the schedule's zone, entered with the browser's own input."""

    def __init__(self, **more: Any) -> None:
        widget = UnfoldAdminTextInputWidget(attrs={"type": "datetime-local", "step": "1"})
        super().__init__(required=False, widget=widget, **more)


class ScheduleForm(FormBase):
    user: User = None
    """Who fills it in."""
    name = forms.CharField(max_length=NAME_CHARS, widget=UnfoldAdminTextInputWidget)
    enabled = forms.BooleanField(required=False, initial=True, widget=UnfoldBooleanSwitchWidget)
    kind = forms.ChoiceField(
        label="Runs",
        choices=[("crontab", "by a crontab"), ("every", "at an interval"), ("at", "once, at a moment")],
        widget=UnfoldAdminSelectWidget,
    )
    crontab = forms.CharField(
        required=False,
        max_length=300,
        initial="30 2 * * 1-5",
        widget=UnfoldAdminTextInputWidget,
        help_text="Minute, hour, day of month, month, day of week (0 is Sunday). All must match.",
    )
    every = forms.IntegerField(required=False, min_value=1, initial=15, widget=UnfoldAdminIntegerFieldWidget)
    period = forms.ChoiceField(
        choices=[(word, word) for word in PERIODS], initial="minutes", required=False, widget=UnfoldAdminSelectWidget
    )
    at = MomentField(label="Time")
    time_zone = forms.ChoiceField(
        choices=lambda: [(name, name) for name in sorted(zones())],
        initial=lambda: settings.TIME_ZONE,
        widget=UnfoldAdminSelectWidget,
        help_text="Time zone of the crontab and of the times on this page.",
    )
    begins = MomentField(label="Not before", help_text="An interval counts from this time.")
    ends = MomentField(label="Not after")

    class Meta:
        model = PlanSchedule
        fields = ["plan", *POLICIES]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        instance = kwargs.get("instance")
        if instance is not None and instance.pk:
            kwargs["initial"] = {**_shown(instance), **(kwargs.get("initial") or {})}
        super().__init__(*args, **kwargs)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        own = self.instance.task.pk if self.instance.pk else None
        data["when"] = when = _when(data)
        if "name" in data:
            self._check(free_name, data["name"], own)
        if "plan" in data:
            self._check(check_plan, data["plan"], self.user)
        if "kind" in data and (own is None or not same_timing(self.instance, when)):
            self._check(parsed, when)
        return data

    def _check(self, check: Callable[..., Any], *given: Any) -> None:
        """Reports each finding at its field, unless that is reported already: what it lacks is no second mistake."""
        try:
            check(*given)
        except ScheduleError as exc:
            for field, text in exc.by_field.items():
                place = field if field in self.fields else "kind"
                parts = KINDS[self.cleaned_data["kind"]] if place == "kind" else (place,)
                if not self.errors.keys() & {place, *parts}:
                    self.add_error(place, text)

    def store(self) -> PlanSchedule:
        """Make the schedule, or change it."""
        names = ("name", "plan", "when", "enabled", *POLICIES)
        given = {name: self.cleaned_data[name] for name in names}
        if self.instance.pk:
            return change_schedule(self.instance, user=self.user, **given)
        return create_schedule(**given, user=self.user)


def _when(data: dict[str, Any]) -> dict[str, Any]:
    kind = data.get("kind", "")
    names = [*KINDS.get(kind, ()), "time_zone", *(() if kind == "at" else ("begins", "ends"))]
    return {name: data[name] for name in names if data.get(name) not in (None, "")}


def _shown(schedule: PlanSchedule) -> dict[str, Any]:
    """The form's values for what is stored."""
    values: dict[str, Any] = {"name": schedule.task.name, "enabled": schedule.task.enabled}
    try:
        given = as_given(when_of(schedule.task))
    except TimingError:
        return values
    kind = next(kind for kind in KINDS if kind in given)
    local = {
        name: datetime.fromisoformat(given[name]).replace(tzinfo=None).isoformat(timespec="seconds")
        for name in MOMENTS
        if name in given
    }
    return {**values, "kind": kind, "time_zone": settings.TIME_ZONE, **given, **local}
