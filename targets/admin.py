"""Targets in the admin. Secrets are write-only; only their names are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from unfold.decorators import action
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from connectors.spec import load_preset, preset_names
from inputs.forms import BoundedJSONField
from targets.models import Target
from targets.probe_page import page_context
from targets.secret_input import change_secrets, stored_names
from targets.secrets import SecretsError

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    TargetBase = ModelAdmin[Target]
    TargetFormBase = forms.ModelForm[Target]
else:
    from unfold.admin import ModelAdmin as TargetBase

    TargetFormBase = forms.ModelForm

CLEAR_ALL = "*"


def preset_choices() -> list[tuple[str, str]]:
    return [(name, f"{load_preset(name).get('title', name)} ({name})") for name in preset_names()]


class TargetForm(TargetFormBase):
    preset = forms.ChoiceField(
        choices=preset_choices, initial=Target._meta.get_field("preset").get_default, widget=UnfoldAdminSelectWidget
    )
    secret_name = forms.CharField(
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text="For example api_key, used in templates as {{ secret.api_key }}.",
    )
    secret_value = forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
        help_text="Write-only: stored encrypted, never shown again. Replaces a stored secret of the same name.",
    )
    clear_secrets = forms.MultipleChoiceField(required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = Target
        fields = ["name", "preset", "url", "stream", "params", "overrides"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        field = self.fields.get("clear_secrets")  # absent for those who may only look
        if not isinstance(field, forms.MultipleChoiceField):
            return
        try:
            field.choices = [(name, name) for name in stored_names(self.instance)]
        except SecretsError:
            field.choices = [(CLEAR_ALL, "all: they cannot be decrypted")]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        name, value = data.get("secret_name", ""), data.get("secret_value", "")
        if bool(name) != bool(value):
            self.add_error("secret_name" if value else "secret_value", "Give both the secret's name and its value.")
            return data
        cleared = data.get("clear_secrets", [])
        if not name and not cleared:
            return data
        try:
            change_secrets(
                self.instance,
                given={name: value} if name else {},
                cleared=cleared,
                clear_all=CLEAR_ALL in cleared,
            )
        except ValueError as exc:
            self.add_error("secret_name", str(exc))
        return data


@admin.register(Target)
class TargetAdmin(TargetBase):
    form = TargetForm
    list_display = ["name", "preset", "url", "stream", "updated_at"]
    list_filter = ["preset", "stream"]
    search_fields = ["name", "url"]
    readonly_fields = ["stored_secrets"]
    actions_detail = ["test_message"]
    warn_unsaved_form = True
    formfield_overrides = {
        models.JSONField: {
            "form_class": BoundedJSONField,
            "widget": UnfoldAdminTextareaWidget(attrs={"data-json": "", "rows": 8}),
        },
    }
    fieldsets = [
        (None, {"fields": ["name", "preset", "url", "stream"]}),
        (
            "Request",
            {
                "fields": ["params", "overrides"],
                "description": "Both are shown to everybody who may look at targets: keep secrets out of them.",
            },
        ),
        ("Secrets", {"fields": ["stored_secrets", "secret_name", "secret_value", "clear_secrets"]}),
    ]

    @admin.display(description="Stored secrets")
    def stored_secrets(self, target: Target) -> str:
        try:
            return ", ".join(stored_names(target)) or "none"
        except SecretsError as exc:
            return f"cannot be opened: {exc}"

    @action(description="Send a test message", url_path="test-message", permissions=["change"], icon="send")
    def test_message(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A GET shows the form; only a POST sends."""
        target = self.get_object(request, object_id)
        if target is None:
            raise Http404
        posted = request.POST if request.method == "POST" else None
        context = self.admin_site.each_context(request) | page_context(target, posted)
        context |= {"title": f"Test message to {target}", "opts": self.opts}
        return render(request, "targets/probe.html", context)
