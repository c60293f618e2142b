"""Scenarios in the admin. Those of the library are kept as they come; a copy may be changed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.contrib import admin, messages
from django.db import models
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget

from scenarios.models import Scenario

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    ScenarioBase = ModelAdmin[Scenario]
else:
    from unfold.admin import ModelAdmin as ScenarioBase

COPIES = 1000


@admin.register(Scenario)
class ScenarioAdmin(ScenarioBase):
    list_display = ["name", "description", "from_library", "updated_at"]
    list_filter = ["builtin"]
    search_fields = ["name", "description"]
    fields = ["name", "description", "spec"]
    actions = ["copy"]
    warn_unsaved_form = True
    change_form_outer_before_template = "scenarios/admin/tools.html"
    formfield_overrides = {
        models.TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 2})},
        models.JSONField: {"widget": UnfoldAdminTextareaWidget(attrs={"data-json": "", "rows": 28})},
    }

    def has_change_permission(self, request: HttpRequest, obj: Scenario | None = None) -> bool:
        return super().has_change_permission(request, obj) and not _is_builtin(obj)

    def has_delete_permission(self, request: HttpRequest, obj: Scenario | None = None) -> bool:
        return super().has_delete_permission(request, obj) and not _is_builtin(obj)

    def get_actions(self, request: HttpRequest) -> dict[str, Any]:
        """Without "delete selected": it asks for no right on the single row, and would take library rows along."""
        return {name: action for name, action in super().get_actions(request).items() if name != "delete_selected"}

    @admin.display(description="Library", boolean=True, ordering="builtin")
    def from_library(self, scenario: Scenario) -> bool:
        return scenario.builtin

    @admin.action(description="Copy, so that the copy can be changed", permissions=["add"])
    def copy(self, request: HttpRequest, queryset: QuerySet[Scenario]) -> None:
        for scenario in queryset:
            name = _free_name(scenario.name)
            copied = Scenario(name=name, description=scenario.description, spec=scenario.spec | {"name": name})
            copied.full_clean()
            copied.save()
            self.log_addition(request, copied, [{"added": {}}])
            self.message_user(request, f"{scenario.name} is copied as {copied.name}.", messages.SUCCESS)


def _is_builtin(scenario: Scenario | None) -> bool:
    # Unfold asks some questions with the row's id in place of the row: those are not about a single scenario's edit.
    return isinstance(scenario, Scenario) and scenario.builtin


def _free_name(name: str) -> str:
    limit = Scenario._meta.get_field("name").max_length or 0
    for number in range(1, COPIES):
        suffix = " (copy)" if number == 1 else f" (copy {number})"
        candidate = name[: limit - len(suffix)] + suffix
        if not Scenario.objects.filter(name=candidate).exists():
            return candidate
    raise ValueError(f"there are {COPIES} copies of {name!r}: rename or delete some")
