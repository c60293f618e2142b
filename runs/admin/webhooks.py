"""Webhooks in the admin. Addresses and keys are write-only."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest
from django.utils.safestring import SafeString
from unfold.widgets import UnfoldAdminPasswordWidget, UnfoldBooleanSwitchWidget

from inputs.admin_lookups import SealedColumns
from runs.admin.row_select import AutocompletesRows
from runs.models import Webhook
from runs.reporting.formatting import moment_text, status_badge
from runs.webhooks.secrets import KEY_CHARS, URL_CHARS, give_secrets, has_key

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    WebhookBase = ModelAdmin[Webhook]
    FormBase = forms.ModelForm[Webhook]
else:
    from unfold.admin import ModelAdmin as WebhookBase

    FormBase = forms.ModelForm

LAST_DELIVERIES = 20


class WebhookForm(FormBase):
    url = forms.CharField(
        label="Address",
        required=False,
        max_length=URL_CHARS,
        widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
        help_text="Write-only: stored encrypted; only the host is shown. Leave empty to keep it.",
    )
    key = forms.CharField(
        label="Signing key",
        required=False,
        strip=False,
        max_length=KEY_CHARS,
        widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
        help_text="Write-only. Each message then carries an HMAC-SHA-256 of its body. Leave empty to keep it.",
    )
    clear_key = forms.BooleanField(label="Remove the key", required=False, widget=UnfoldBooleanSwitchWidget)

    class Meta:
        model = Webhook
        fields = ["name", "kind", "plan", "schedule", "when", "enabled"]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        key = "" if data.get("clear_key") else data.get("key") or None
        try:
            give_secrets(self.instance, url=data.get("url", ""), key=key)
        except ValueError as exc:
            self.add_error("url", str(exc))
        return data


@admin.register(Webhook)
class WebhookAdmin(SealedColumns, AutocompletesRows, WebhookBase):
    form = WebhookForm
    list_display = ["name", "kind", "host", "when", "plan", "schedule", "enabled", "last_delivery"]
    list_filter = ["kind", "enabled", "plan"]
    list_select_related = ["plan", "schedule__task"]
    search_fields = ["name", "host"]
    autocomplete_fields = ["plan", "schedule"]
    readonly_fields = ["host", "signed"]
    warn_unsaved_form = True
    change_form_outer_before_template = "runs/admin/webhook_tools.html"
    change_form_outer_after_template = "runs/admin/webhook_deliveries.html"
    fieldsets = [
        (None, {"fields": ["name", "kind", "enabled"]}),
        ("Which runs", {"fields": ["plan", "schedule", "when"]}),
        ("Address", {"fields": ["host", "url", "signed", "key", "clear_key"]}),
    ]

    @admin.display(description="Signed")
    def signed(self, webhook: Webhook) -> str:
        if not webhook.pk:
            return "no"
        return {True: "yes", False: "no", None: "unknown: it cannot be decrypted"}[has_key(webhook)]

    @admin.display(description="Last delivery")
    def last_delivery(self, webhook: Webhook) -> SafeString | str:
        last = webhook.deliveries.first()
        return status_badge(last.status) if last else ""

    def get_queryset(self, request: HttpRequest) -> QuerySet[Webhook]:
        return super().get_queryset(request).defer("sealed_secrets")

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        webhook = self.get_object(request, object_id)
        more: dict[str, Any] = {}
        if webhook is not None:
            rows = webhook.deliveries.select_related("run")[:LAST_DELIVERIES]
            more = {
                "deliveries": [(row, moment_text(row.created_at), _next(row)) for row in rows],
                "may_change": self.has_change_permission(request, webhook),
            }
        return super().change_view(request, object_id, form_url, (extra_context or {}) | more)


def _next(delivery: Any) -> str:
    return moment_text(delivery.next_at if delivery.status == "pending" else delivery.delivered_at)
