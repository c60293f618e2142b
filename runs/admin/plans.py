"""Test plans in the admin, validated by the engine's own parsers."""

from __future__ import annotations

import math
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString, mark_safe
from unfold.widgets import UnfoldAdminDecimalFieldWidget, UnfoldAdminTextareaWidget

from inputs.forms import BoundedInline, BoundedJSONField
from policy.limits import User, limits_for
from runs.admin.row_select import AutocompletesRows, row_id
from runs.load.profile import stored_load
from runs.models import PlanScenario, TestPlan
from runs.permissions import may_control
from runs.planning.credentials import check_credential
from runs.planning.errors import RequestError
from runs.planning.plan_estimate import estimate_lines, estimate_plan
from runs.planning.run_request import RunRequest, stored_spec
from runs.reporting.formatting import load_json, load_text
from runs.reporting.load_summary import restore, summarize
from runs.services import request_run
from scenarios.models import Scenario
from targets.binding import use_refused

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin, TabularInline

    PlanBase = ModelAdmin[TestPlan]
    MixBase = TabularInline[PlanScenario, TestPlan]
    PlanFormBase = forms.ModelForm[TestPlan]
    MixFormBase = forms.ModelForm[PlanScenario]
else:
    from unfold.admin import ModelAdmin as PlanBase
    from unfold.admin import TabularInline as MixBase

    PlanFormBase = MixFormBase = forms.ModelForm

MIX = "mix"
"""Form prefix of the mix: the related name of a plan's scenarios."""
MIX_ROWS = 190
"""Maximum rows of the mix in a form: each has five fields, and Django reads at most 1,000 fields of a form."""
MAX_WEIGHT = 1e6
LOAD_EXAMPLE = {"kind": "closed", "users": 50, "duration_s": 30}


class TestPlanForm(PlanFormBase):
    """Shows a summary of a long trace, and keeps the stored times as long as the summary is not edited."""

    __test__ = False  # pytest would collect it by its name
    user: User = None
    """Who fills it in."""

    class Meta:
        model = TestPlan
        fields = ["name", "target", "load", "thresholds", "abort_on_fail", "processes", "regions", "witness", "seed"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before = self.instance.load if self.instance.pk else {}
        if self.instance.pk and "load" in self.fields:
            self.initial["load"] = summarize(self._before)

    def clean_load(self) -> Any:
        return restore(self.cleaned_data["load"], self._before)

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if "load" not in data or "thresholds" not in data:
            return data  # not JSON: already reported
        data["thresholds"] = data["thresholds"] or []
        data["regions"] = data.get("regions") or []
        mix = self._mix()
        target = data.get("target")
        request = RunRequest(
            None if target is None else stored_spec(target),
            mix,
            data["load"],
            data["thresholds"],
            bool(data.get("abort_on_fail")),
            data.get("processes"),
            data["regions"],
            data.get("seed"),
            limits_for(self.user),
        )
        problems = request.problems()
        try:
            check_credential(target, self.user)
        except RequestError as exc:
            problems.setdefault(exc.field, str(exc))
        for field, text in problems.items():
            if field != "scenarios":
                self.add_error(field, text)
            elif mix:  # without any the mix's own forms say so
                self.add_error(None, text)
        if "load" not in problems:
            data["load"] = stored_load(data["load"])
        return data

    def _mix(self) -> list[tuple[float, Any]]:
        """The scenarios entered below that are valid; their own forms report what is invalid."""
        given = []
        for number in range(min(row_id(self.data.get(f"{MIX}-TOTAL_FORMS")), MIX_ROWS)):
            row = {name: self.data.get(f"{MIX}-{number}-{name}") for name in ("scenario", "weight", "DELETE")}
            with suppress(ValueError):
                weight = float(row["weight"] or 0)
                if not row["DELETE"] and math.isfinite(weight) and 0 < weight <= MAX_WEIGHT:
                    given.append((weight, row_id(row["scenario"])))
        stored = Scenario.objects.in_bulk({pk for _, pk in given})
        return [(weight, stored[pk].spec) for weight, pk in given if pk in stored]


class MixForm(MixFormBase):
    weight = forms.FloatField(min_value=1e-6, max_value=MAX_WEIGHT, initial=1.0, widget=UnfoldAdminDecimalFieldWidget)

    class Meta:
        model = PlanScenario
        fields = ["scenario", "weight"]


class MixInline(BoundedInline, AutocompletesRows, MixBase):
    model = PlanScenario
    form = MixForm
    verbose_name = "scenario"
    verbose_name_plural = "Scenarios: each conversation draws one, by weight"
    extra = 0
    min_num = 1
    max_num = MIX_ROWS
    autocomplete_fields = ["scenario"]

    def get_formset(self, *args: Any, **kwargs: Any) -> Any:
        return super().get_formset(*args, **{**kwargs, "validate_min": True, "validate_max": True})


@admin.register(TestPlan)
class TestPlanAdmin(AutocompletesRows, PlanBase):
    __test__ = False  # pytest would collect it by its name
    form = TestPlanForm
    list_display = ["name", "target", "load_words", "processes", "updated_at"]
    list_filter = ["target"]
    list_select_related = ["target"]
    search_fields = ["name", "target__name"]
    autocomplete_fields = ["target"]
    readonly_fields = ["estimate", "no_estimate"]
    inlines = [MixInline]
    actions = ["start_runs"]
    warn_unsaved_form = True
    change_form_outer_before_template = "runs/admin/plan_tools.html"
    formfield_overrides = {
        models.JSONField: {
            "form_class": BoundedJSONField,
            "widget": UnfoldAdminTextareaWidget(attrs={"data-json": "", "rows": 6}),
        },
    }

    def get_changeform_initial_data(self, request: HttpRequest) -> dict[str, Any]:
        return {"load": LOAD_EXAMPLE, **super().get_changeform_initial_data(request)}

    def get_form(self, request: HttpRequest, obj: TestPlan | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.user = request.user
        if obj is not None:
            obj.asker = request.user  # type: ignore[attr-defined]  # for its estimate
        return form

    def get_fields(self, request: HttpRequest, obj: TestPlan | None = None) -> list[Any]:
        """Users who may only view see a summary of the load too. An estimate is for those who may start the plan's
        runs, as far as its target's credential goes."""
        hidden = "estimate" if obj is not None and use_refused(obj.target, request.user) else "no_estimate"
        names = [name for name in super().get_fields(request, obj) if name != hidden]
        if obj is None or self.has_change_permission(request, obj):
            return names
        return ["load_shown" if name == "load" else name for name in names]

    def has_start_permission(self, request: HttpRequest) -> bool:
        return may_control(request.user)

    @admin.display(description="Load")
    def load_words(self, plan: TestPlan) -> str:
        return load_text(plan.load)

    @admin.display(description="Load")
    def load_shown(self, plan: TestPlan) -> SafeString:
        return load_json(plan.load)

    @admin.display(description="Estimate of a run")
    def estimate(self, plan: TestPlan) -> str:
        """As the plan was last saved."""
        if not plan.pk:
            return "shown once the plan is saved"
        try:
            lines = estimate_lines(estimate_plan(plan, getattr(plan, "asker", None)).data())
        except RequestError as exc:
            return str(exc)
        return format_html_join(mark_safe("<br>"), "{}", ((line,) for line in lines))

    @admin.display(description="Estimate of a run")
    def no_estimate(self, plan: TestPlan) -> str:
        return "only for those who may use the credential of the plan's target"

    @admin.action(description="Start a run", permissions=["start"])
    def start_runs(self, request: HttpRequest, queryset: QuerySet[TestPlan]) -> None:
        for plan in queryset.select_related("target"):
            try:
                run = request_run(plan, user=request.user)
            except RequestError as exc:
                self.message_user(request, f"{plan}: {exc}", messages.ERROR)
            else:
                self.message_user(request, f"{run} is queued.", messages.SUCCESS)
