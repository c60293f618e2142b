"""Policies, the limits of the installation and emergency stops in the admin."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db import models
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from inputs.admin_read_only import ReadOnly
from policy.models import InstallationLimits, OwnedHost, Panic, Policy
from policy.ownership import PATH, ProofError, prove, token

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    PolicyBase = ModelAdmin[Policy]
    LimitsBase = ModelAdmin[InstallationLimits]
    PanicBase = ModelAdmin[Panic]
    OwnedBase = ModelAdmin[OwnedHost]
    OwnedFormBase = forms.ModelForm[OwnedHost]
else:
    from unfold.admin import ModelAdmin as LimitsBase
    from unfold.admin import ModelAdmin as OwnedBase
    from unfold.admin import ModelAdmin as PanicBase

    OwnedFormBase = forms.ModelForm
    from unfold.admin import ModelAdmin as PolicyBase

EMPTY = "An empty field is no limit."


@admin.register(Policy)
class PolicyAdmin(PolicyBase):
    list_display = ["label", "users", "arrivals_per_s", "duration_s", "tokens", "cost", "binds_superusers"]
    list_display_links = ["label"]
    list_select_related = ["group"]
    warn_unsaved_form = True
    formfield_overrides = {models.TextField: {"widget": UnfoldAdminTextareaWidget(attrs={"rows": 4})}}
    fieldsets = [
        (None, {"fields": ["group", "targets", "binds_superusers"]}),
        (
            "One run",
            {
                "description": f"{EMPTY} A load that leaves something open gets these limits as its own.",
                "fields": [("users", "arrivals_per_s"), ("turns_per_s", "duration_s"), ("tokens", "cost")],
            },
        ),
        (
            "All runs of one person",
            {
                "description": EMPTY,
                "fields": [
                    ("person_users", "person_arrivals_per_s"),
                    ("person_day_turns", "person_day_tokens"),
                    "person_day_cost",
                ],
            },
        ),
        (
            "Approval",
            {
                "description": "A run above one of these waits until somebody else with the right to approve runs "
                "decides about it. An empty field asks for no approval.",
                "fields": [
                    ("approve_users", "approve_arrivals_per_s"),
                    ("approve_duration_s", "approve_tokens"),
                    "approve_cost",
                ],
            },
        ),
    ]

    @admin.display(description="Holds for", ordering="group__name")
    def label(self, policy: Policy) -> str:
        return "everybody else (default)" if policy.group is None else f"group {policy.group}"


@admin.register(InstallationLimits)
class InstallationLimitsAdmin(LimitsBase):
    """One row: made by the first save."""

    list_display = ["__str__", "users", "arrivals_per_s", "day_turns", "day_tokens", "day_cost"]
    warn_unsaved_form = True
    fieldsets = [
        (
            None,
            {
                "description": f"Of all runs of everybody together. {EMPTY}",
                "fields": [
                    ("users", "arrivals_per_s"),
                    ("day_turns", "day_tokens"),
                    "day_cost",
                    "binds_superusers",
                ],
            },
        )
    ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return super().has_add_permission(request) and not InstallationLimits.objects.exists()


@admin.register(Panic)
class PanicAdmin(ReadOnly, PanicBase):
    """Who stopped everything, and when. Written by the button alone."""

    list_display = ["began_at", "began_by_name", "reason", "is_on", "ended_at", "ended_by_name"]
    list_filter = ["is_on"]
    actions: Any = None


class ProveForm(OwnedFormBase):
    """Its address is asked for the file when the form is sent."""

    user: Any = None
    proofs: dict[str, OwnedHost | ProofError]
    """What was found at the addresses of this request."""
    url = forms.CharField(label="Address", max_length=300, widget=UnfoldAdminTextInputWidget)

    class Meta:
        model = OwnedHost
        fields: list[str] = []

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.fields[
            "url"
        ].help_text = (
            f"Such as https://api.example.org. Publish the text {token()} at its {PATH} first: the file is read now."
        )

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        if "url" in data:
            found = self._proof(data["url"])
            if isinstance(found, ProofError):
                self.add_error("url", str(found))
            else:
                self.instance = found
        return data

    def _proof(self, url: str) -> OwnedHost | ProofError:
        if url not in self.proofs:
            try:
                self.proofs[url] = prove(url, self.user)
            except ProofError as exc:
                self.proofs[url] = exc
        return self.proofs[url]


@admin.register(OwnedHost)
class OwnedHostAdmin(OwnedBase):
    list_display = ["__str__", "proved_at", "proved_by"]
    form = ProveForm

    def get_form(self, request: HttpRequest, obj: OwnedHost | None = None, change: bool = False, **kwargs: Any) -> Any:
        form: Any = super().get_form(request, obj, change=change, **kwargs)
        form.user, form.proofs = request.user, vars(request).setdefault("proofs", {})
        return form

    def changeform_view(self, request: HttpRequest, object_id: str | None = None, *args: Any, **kwargs: Any) -> Any:
        """A form that was sent is looked at before Django begins a transaction for it: the host has ten seconds to
        answer, in which nobody else could write."""
        if request.method == "POST" and object_id is None and self.has_add_permission(request):
            self.get_form(request)(request.POST).is_valid()
        return super().changeform_view(request, object_id, *args, **kwargs)

    def get_fields(self, request: HttpRequest, obj: OwnedHost | None = None) -> list[Any]:
        return ["url"] if obj is None else ["host", "port", "proved_at", "proved_by"]

    def get_readonly_fields(self, request: HttpRequest, obj: OwnedHost | None = None) -> list[Any]:
        return [] if obj is None else ["host", "port", "proved_at", "proved_by"]

    def has_change_permission(self, request: HttpRequest, obj: OwnedHost | None = None) -> bool:
        return False

    def save_model(self, request: HttpRequest, obj: OwnedHost, form: Any, change: bool) -> None:
        """The form has stored it with its proof."""
