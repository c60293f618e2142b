"""Scenarios in the admin. Library scenarios are read-only; copies can be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminTextareaWidget

from inputs.forms import BoundedJSONField
from scenarios.definition.folding import folded, unfolded
from scenarios.definition.spec import ScenarioError
from scenarios.import_form import ImportForm
from scenarios.models import Scenario
from scenarios.services import Imported, take_in

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    ScenarioBase = ModelAdmin[Scenario]
    ScenarioFormBase = forms.ModelForm[Scenario]
else:
    from unfold.admin import ModelAdmin as ScenarioBase

    ScenarioFormBase = forms.ModelForm

COPIES = 1000


class ScenarioForm(ScenarioFormBase):
    """Shows long data as a summary, and keeps the stored data as long as the summary is not edited."""

    class Meta:
        model = Scenario
        fields = ["name", "description", "spec"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self._before = self.instance.spec if self.instance.pk else {}
        if self.instance.pk and "spec" in self.fields:
            self.initial["spec"] = folded(self._before)

    def clean_spec(self) -> Any:
        return unfolded(self.cleaned_data["spec"], self._before)


@admin.register(Scenario)
class ScenarioAdmin(ScenarioBase):
    list_display = ["name", "description", "from_library", "updated_at"]
    list_filter = ["builtin"]
    search_fields = ["name", "description"]
    fields = ["name", "description", "spec"]
    form = ScenarioForm
    actions = ["copy"]
    actions_list = ["import_file"]
    warn_unsaved_form = True
    change_form_outer_before_template = "scenarios/admin/tools.html"
    formfield_overrides = {
        models.TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 2})},
        models.JSONField: {
            "form_class": BoundedJSONField,
            "widget": UnfoldAdminTextareaWidget(attrs={"data-json": "", "rows": 28}),
        },
    }

    def has_change_permission(self, request: HttpRequest, obj: Scenario | None = None) -> bool:
        return super().has_change_permission(request, obj) and not _is_builtin(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Scenario | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not _is_builtin(obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without "delete selected": it checks no permission per row, and would include library rows."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    @action(description="Import a file", url_path="import", permissions=["add"], icon="upload_file")
    def import_file(self, request: HttpRequest) -> HttpResponse:
        form = ImportForm(request.POST or None, request.FILES or None)
        if request.method == "POST" and form.is_valid():
            given = dict(form.cleaned_data)
            if given["scenario"] is not None and not self.has_change_permission(request, given["scenario"]):
                raise PermissionDenied
            try:
                found = take_in(given.pop("file"), **given)
            except ScenarioError as exc:
                form.add_error("file", str(exc))
            else:
                return self._imported(request, found, given["scenario"] is not None)
        context = self.admin_site.each_context(request) | {"form": form, "title": "Import a file", "opts": self.opts}
        return TemplateResponse(request, "scenarios/import.html", context)

    def _imported(self, request: HttpRequest, found: Imported, changed: bool) -> HttpResponse:
        for note in found.notes:
            self.message_user(request, note, messages.WARNING)
        for row in found.scenarios:
            if changed:
                self.log_change(request, row, [{"changed": {"fields": ["spec"]}}])
            else:
                self.log_addition(request, row, [{"added": {}}])
        names = ", ".join(row.name for row in found.scenarios[:8])
        self.message_user(request, f"{'Changed' if changed else 'Imported'}: {names}.", messages.SUCCESS)
        if len(found.scenarios) == 1:
            return redirect("admin:scenarios_scenario_change", found.scenarios[0].pk)
        return redirect("admin:scenarios_scenario_changelist")

    @admin.display(description="Library", boolean=True, ordering="builtin")
    def from_library(self, scenario: Scenario) -> bool:
        return scenario.builtin

    @admin.action(description="Create an editable copy", permissions=["add"])
    def copy(self, request: HttpRequest, queryset: QuerySet[Scenario]) -> None:
        for scenario in queryset:
            name = _free_name(scenario.name)
            copied = Scenario(name=name, description=scenario.description, spec=scenario.spec | {"name": name})
            copied.full_clean()
            copied.save()
            self.log_addition(request, copied, [{"added": {}}])
            self.message_user(request, f"{scenario.name} was copied to {copied.name}.", messages.SUCCESS)


def _is_builtin(scenario: Scenario | None) -> bool:
    # Unfold sometimes passes the row's id instead of the row: those calls are not about editing a single scenario
    return isinstance(scenario, Scenario) and scenario.builtin


def _free_name(name: str) -> str:
    limit = Scenario._meta.get_field("name").max_length or 0
    for number in range(1, COPIES):
        suffix = " (copy)" if number == 1 else f" (copy {number})"
        candidate = name[: limit - len(suffix)] + suffix
        if not Scenario.objects.filter(name=candidate).exists():
            return candidate
    raise ValueError(f"there are {COPIES} copies of {name!r}: rename or delete some")
