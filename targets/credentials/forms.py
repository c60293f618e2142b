"""The admin's forms in which secrets are entered."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django import forms
from django.contrib.auth import get_user_model
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminPasswordWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from policy.limits import User
from sealing.secrets import SecretsError
from targets.credentials.models import Credential
from targets.credentials.services import EXAMPLE, checked_origins
from targets.credentials.values import change_values, stored_names

if TYPE_CHECKING:
    CredentialFormBase = forms.ModelForm[Credential]
    Fields = forms.BaseForm
else:
    CredentialFormBase = forms.ModelForm
    Fields = object

CLEAR_ALL = "*"


def secret_name() -> forms.CharField:
    return forms.CharField(
        required=False,
        max_length=64,
        widget=UnfoldAdminTextInputWidget,
        help_text="For example api_key, used in templates as {{ secret.api_key }}.",
    )


def secret_value() -> forms.CharField:
    return forms.CharField(
        required=False,
        strip=False,
        widget=UnfoldAdminPasswordWidget({"autocomplete": "new-password"}),
        help_text="Write-only: stored encrypted, never shown again. Replaces a stored secret of the same name.",
    )


class TakesSecret(Fields):
    """Of a form with the fields `secret_name` and `secret_value`."""

    def given_secret(self) -> dict[str, str]:
        """The one that was entered, if any; reports half of one."""
        data: dict[str, Any] = self.cleaned_data
        name, value = data.get("secret_name", ""), data.get("secret_value", "")
        if bool(name) != bool(value):
            self.add_error("secret_name" if value else "secret_value", "Give both the secret's name and its value.")
            return {}
        return {name: value} if name else {}


class OriginsField(forms.CharField):
    """One in each line."""

    def prepare_value(self, value: Any) -> Any:
        return "\n".join(value) if isinstance(value, list) else value

    def clean(self, value: Any) -> Any:
        try:
            return checked_origins(str(super().clean(value)).split())
        except ValueError as exc:
            raise forms.ValidationError(str(exc)) from exc

    def has_changed(self, initial: Any, data: Any) -> bool:
        return str(self.prepare_value(initial or "")).split() != str(data or "").split()


class CredentialForm(TakesSecret, CredentialFormBase):
    user: User = None
    """Who fills it in."""
    origins = OriginsField(
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text=f"Where its secrets may be sent: scheme, host and port, one in each line, such as {EXAMPLE}.",
    )
    secret_name = secret_name()
    secret_value = secret_value()
    clear_secrets = forms.MultipleChoiceField(required=False, widget=UnfoldAdminCheckboxSelectMultipleWidget)

    class Meta:
        model = Credential
        fields = ["name", "owner", "origins", "users", "groups"]

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        users = self.fields.get("users")
        if isinstance(users, forms.ModelMultipleChoiceField):  # those who can do anything on the site
            users.queryset = get_user_model()._default_manager.filter(is_active=True, is_staff=True)
        field = self.fields.get("clear_secrets")  # absent for those who may only look
        if not isinstance(field, forms.MultipleChoiceField):
            return
        try:
            field.choices = [(name, name) for name in stored_names(self.instance)]
        except SecretsError:
            field.choices = [(CLEAR_ALL, "all: they cannot be decrypted")]

    def clean(self) -> dict[str, Any]:
        data: dict[str, Any] = super().clean() or self.cleaned_data
        given, cleared = self.given_secret(), data.get("clear_secrets", [])
        if not given and not cleared:
            return data
        try:
            change_values(self.instance, given=given, cleared=cleared, clear_all=CLEAR_ALL in cleared)
        except ValueError as exc:
            self.add_error("secret_name", str(exc))
        return data
