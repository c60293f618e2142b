"""The admin's import page."""

from __future__ import annotations

from typing import Any

from django import forms
from unfold.widgets import (
    UnfoldAdminFileFieldWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from scenarios.models import Scenario


class ImportForm(forms.Form):
    """A new scenario from a file; or, where a scenario and the name of its data are given, rows for that."""

    file = forms.FileField(widget=UnfoldAdminFileFieldWidget)
    name = forms.CharField(
        required=False, max_length=120, widget=UnfoldAdminTextInputWidget, label="Name of the new scenario"
    )
    scenario = forms.ModelChoiceField(
        Scenario.objects.filter(builtin=False),
        required=False,
        widget=UnfoldAdminSelectWidget,
        label="Or add data to this scenario",
        empty_label="none: create a new scenario",
    )
    pool = forms.CharField(required=False, max_length=60, widget=UnfoldAdminTextInputWidget, label="Name of the data")
    use = forms.ChoiceField(
        choices=[(use, use.replace("_", " ")) for use in ("in_turn", "once", "random")],
        required=False,
        widget=UnfoldAdminSelectWidget,
        label="How to use its rows",
    )
    limit = forms.IntegerField(
        required=False,
        min_value=1,
        widget=UnfoldAdminIntegerFieldWidget,
        label="Sample size (maximum number of rows or conversations)",
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        if bool(given.get("scenario")) != bool(given.get("pool")):
            self.add_error("pool", "Give both a scenario and the name that its data has, or neither.")
        return given
