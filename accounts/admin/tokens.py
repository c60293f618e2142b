"""API tokens in the admin: one's own; administrators see everybody's."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from django import forms
from django.conf import settings
from django.contrib import admin, messages
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from unfold.widgets import UnfoldAdminCheckboxSelectMultipleWidget, UnfoldAdminIntegerFieldWidget

from accounts.models import ApiToken
from accounts.scopes import READ, SCOPES
from accounts.tokens import TokenError, make, revoke, visible_to
from inputs.admin_lookups import SealedColumns

if TYPE_CHECKING:  # django-unfold has no types: its classes behave like Django's own
    from django.contrib.admin import ModelAdmin

    TokenBase = ModelAdmin[ApiToken]
    FormBase = forms.ModelForm[ApiToken]
else:
    from unfold.admin import ModelAdmin as TokenBase

    FormBase = forms.ModelForm


class NewTokenForm(FormBase):
    scopes = forms.MultipleChoiceField(
        choices=list(SCOPES.items()),
        initial=[READ],
        required=False,
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        help_text="Within your own rights. Every token may read.",
    )
    days = forms.IntegerField(
        label="Valid for (days)",
        min_value=1,
        max_value=settings.TOKEN_MAX_DAYS,
        initial=settings.TOKEN_DAYS,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text=f"At most {settings.TOKEN_MAX_DAYS}.",
    )

    class Meta:
        model = ApiToken
        fields = ["name", "scopes"]


NEW: Final = {
    "title": "New API token",
    "show_save_and_continue": False,  # there is nothing to continue: the key is shown
    "show_save_and_add_another": False,
}


@admin.register(ApiToken)
class ApiTokenAdmin(SealedColumns, TokenBase):
    list_display = ["name", "begins", "user", "allowed", "state", "expires_at", "last_used_at", "last_used_from"]
    list_filter = ["revoked_at"]
    list_select_related = ["user"]
    search_fields = ["name", "start", "user__username"]
    fields = ["name", "begins", "user", "allowed", "state", "created_at", "expires_at", "revoked_at"]
    fields += ["last_used_at", "last_used_from"]
    actions = ["revoke_tokens"]

    @admin.display(description="Begins with")
    def begins(self, token: ApiToken) -> str:
        return f"{token.start}…"

    @admin.display(description="Scopes")
    def allowed(self, token: ApiToken) -> str:
        return ", ".join(token.scopes)

    def get_queryset(self, request: HttpRequest) -> QuerySet[ApiToken]:
        return visible_to(request.user, super().get_queryset(request))

    def has_module_permission(self, request: HttpRequest) -> bool:
        return bool(getattr(request.user, "is_staff", False))

    def has_view_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return self.has_module_permission(request)

    def has_add_permission(self, request: HttpRequest) -> bool:
        return self.has_module_permission(request)

    def has_change_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: ApiToken | None = None) -> bool:
        return False  # a revoked token stays as a record

    def get_fields(self, request: HttpRequest, obj: ApiToken | None = None) -> Any:
        return super().get_fields(request, obj) if obj else ["name", "scopes", "days"]

    def get_form(self, request: HttpRequest, obj: Any = None, change: bool = False, **more: Any) -> Any:
        return super().get_form(request, obj, change=change, **(more if obj else {"form": NewTokenForm, **more}))

    def save_form(self, request: HttpRequest, form: Any, change: bool) -> ApiToken:
        given = form.cleaned_data
        form.instance = make(request.user, given["name"], given["scopes"], given["days"])
        made: ApiToken = form.instance
        return made

    def save_model(self, request: HttpRequest, obj: ApiToken, form: Any, change: bool) -> None:
        """`save_form` stored it."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        """There is nothing."""

    def add_view(self, request: HttpRequest, form_url: str = "", extra_context: Any = None) -> HttpResponse:
        try:
            return super().add_view(request, form_url, {**NEW, **(extra_context or {})})
        except TokenError as exc:
            self.message_user(request, f"No token was made: {exc}.", messages.ERROR)
            return redirect("admin:accounts_apitoken_changelist")

    def response_add(self, request: HttpRequest, obj: ApiToken, post_url_continue: str | None = None) -> HttpResponse:
        """The only page that ever shows the key. Not a message, which would be stored in a cookie."""
        context = {**self.admin_site.each_context(request), "title": "New API token", "token": obj, "opts": self.opts}
        return TemplateResponse(request, "accounts/token_made.html", context)

    @admin.action(description="Revoke", permissions=["view"])
    def revoke_tokens(self, request: HttpRequest, queryset: QuerySet[ApiToken]) -> None:
        done = sum(map(revoke, queryset))
        self.message_user(request, f"{done} revoked." if done else "They were revoked before.", messages.SUCCESS)
