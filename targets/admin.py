"""Targets in the admin. Secrets are write-only; only their names are shown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db import models
from django.db.models import Q
from django.http import Http404, HttpRequest, HttpResponse
from django.template.loader import render_to_string
from django.template.response import TemplateResponse
from unfold.decorators import action
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from connectors.preset_info import PresetInfo, preset_info, preset_infos
from connectors.spec import load_preset, preset_names
from inputs.forms import BoundedJSONField
from policy.limits import User
from targets.binding import CredentialRefused, check_change, led_to
from targets.credentials.admin import names_text
from targets.credentials.forms import TakesSecret, secret_name, secret_value
from targets.credentials.rights import usable
from targets.credentials.services import NotAllowed, entered
from targets.learn_page import learned
from targets.learn_page import page_context as page_of_learning
from targets.models import Credential, Target
from targets.probe_page import page_context

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    TargetBase = ModelAdmin[Target]
    TargetFormBase = forms.ModelForm[Target]
else:
    from unfold.admin import ModelAdmin as TargetBase

    TargetFormBase = forms.ModelForm


def preset_choices() -> list[tuple[str, str]]:
    return [(name, f"{load_preset(name).get('title', name)} ({name})") for name in preset_names()]


def preset_of(target: Target) -> PresetInfo | None:
    """None: the target is new, or its preset is no longer there."""
    return preset_info(target.preset) if target.pk and target.preset in preset_names() else None


class TargetForm(TakesSecret, TargetFormBase):
    user: User = None
    """Who fills it in."""
    preset = forms.ChoiceField(
        choices=preset_choices, initial=Target._meta.get_field("preset").get_default, widget=UnfoldAdminSelectWidget
    )
    secret_name = secret_name()
    secret_value = secret_value()

    class Meta:
        model = Target
        fields = ["name", "preset", "url", "stream", "params", "overrides", "credential"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.entered: Credential | None = None
        field = self.fields.get("credential")  # absent for those who may only look
        if isinstance(field, forms.ModelChoiceField):
            mine = usable(self.user).values("pk")
            field.queryset = Credential.objects.filter(Q(pk__in=mine) | Q(targets=self.instance.pk)).distinct()

    def full_clean(self) -> None:
        """Afterwards the instance has the new values."""
        super().full_clean()
        if not self.is_bound:
            return
        given = self.given_secret()
        if self.errors:
            return
        try:
            if given:
                self.entered = self._enter(given)
                self.instance.credential = self.entered
            check_change(self.instance, self.user)
        except CredentialRefused as exc:
            self.add_error(exc.field if exc.field in self.fields else None, str(exc))
        except (NotAllowed, ValueError) as exc:
            self.add_error("secret_name", str(exc))

    def _enter(self, given: dict[str, str]) -> Credential | None:
        target = self.instance
        return entered(target.credential, user=self.user, name=target.name, leads_to=led_to(target), given=given)


@admin.register(Target)
class TargetAdmin(TargetBase):
    form = TargetForm
    list_display = ["name", "preset", "url", "stream", "updated_at"]
    list_filter = ["preset", "stream"]
    search_fields = ["name", "url"]
    readonly_fields = ["about_preset", "stored_secrets"]
    actions_list = ["learn", "presets"]
    actions_detail = ["test_message"]
    warn_unsaved_form = True
    formfield_overrides = {
        models.JSONField: {
            "form_class": BoundedJSONField,
            "widget": UnfoldAdminTextareaWidget(attrs={"data-json": "", "rows": 8}),
        },
    }
    fieldsets = [
        (None, {"fields": ["name", "preset", "about_preset", "url", "stream"]}),
        (
            "Request",
            {
                "fields": ["params", "overrides"],
                "description": "Both are shown to everybody who may look at targets: keep secrets out of them.",
            },
        ),
        (
            "Secrets",
            {
                "fields": ["credential", "stored_secrets", "secret_name", "secret_value"],
                "description": "Enter a secret here: it is stored in a credential of your own, and is sent only "
                "to where this target leads. Or choose a credential that you may use.",
            },
        ),
    ]

    def get_form(self, request: HttpRequest, obj: Target | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.user = request.user
        return form

    def save_model(self, request: HttpRequest, obj: Target, form: Any, change: bool) -> None:
        """The credential first, if a secret was entered."""
        if form.entered is not None:
            form.entered.save()
            obj.credential = form.entered
        super().save_model(request, obj, form, change)

    @admin.display(description="Stored secrets")
    def stored_secrets(self, target: Target) -> str:
        return names_text(target.credential)

    @admin.display(description="About the preset")
    def about_preset(self, target: Target) -> str:
        return render_to_string("targets/preset.html", {"preset": preset_of(target)})

    def get_changeform_initial_data(self, request: HttpRequest) -> Any:
        return {**super().get_changeform_initial_data(request), **learned(request)}

    @action(description="Learn a target", url_path="learn", permissions=["add"], icon="school")
    def learn(self, request: HttpRequest) -> HttpResponse:
        """From a curl line or a HAR file to the form of a new target. Sends nothing."""
        context = self.admin_site.each_context(request) | page_of_learning(request) | {"model_admin": self}
        return TemplateResponse(request, "targets/learn.html", context | {"title": "Learn a target"})

    @action(description="Presets", url_path="presets", permissions=["view"], icon="list")
    def presets(self, request: HttpRequest) -> HttpResponse:
        """What each needs: addresses, secrets, params and limits."""
        context = self.admin_site.each_context(request) | {"presets": preset_infos(), "model_admin": self}
        return TemplateResponse(request, "targets/presets.html", context | {"title": "Presets"})

    @action(description="Send a test message", url_path="test-message", permissions=["change"], icon="send")
    def test_message(self, request: HttpRequest, object_id: str) -> HttpResponse:
        """A GET shows the form; only a POST sends."""
        target = self.get_object(request, object_id)
        if target is None:
            raise Http404
        posted = request.POST if request.method == "POST" else None
        context = self.admin_site.each_context(request) | page_context(target, posted, request.user)
        context |= {"title": f"Test message to {target}", "opts": self.opts}
        return TemplateResponse(request, "targets/probe.html", context)
