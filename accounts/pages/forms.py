"""The forms of the pages."""

from __future__ import annotations

from typing import Any, Final

from django import forms
from unfold.widgets import BASE_INPUT_CLASSES

CODE_CHARS: Final = 40
LOOK: Final = {"class": " ".join(BASE_INPUT_CLASSES)}


class CodeForm(forms.Form):
    code = forms.CharField(
        max_length=CODE_CHARS,
        widget=forms.TextInput(
            {**LOOK, "autocomplete": "one-time-code", "autofocus": "", "spellcheck": "false", "autocapitalize": "none"}
        ),
    )


class AgainForm(CodeForm):
    """Asks somebody who is logged in to prove it again: by the password or, without one, by a code."""

    password = forms.CharField(
        strip=False, widget=forms.PasswordInput({**LOOK, "autocomplete": "current-password"}), max_length=4096
    )

    def __init__(self, user: Any, *args: Any, **more: Any) -> None:
        super().__init__(*args, **more)
        self.user = user
        del self.fields["code" if user.has_usable_password() else "password"]

    def clean(self) -> dict[str, Any]:
        given = super().clean() or self.cleaned_data
        if "password" in given and not self.user.check_password(given["password"]):
            self.add_error("password", "This is not your password.")
        return given
