"""The page "Send a test message": a form and the result of `targets.probe`. Contains no logic."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from connectors.spec import SpecError
from policy.panic import closed
from targets.models import Target
from targets.probe import LIMIT_S, probe
from targets.probe_result import Probe
from targets.secrets import SecretsError
from targets.services import target_spec

MESSAGE_CHARS = 10_000
LANES = [("reference", "the plain client (reference lane)"), ("load", "that of the load")]


class CannotProbe(Exception):
    """The target cannot be used as it is; the message says why."""


class ProbeForm(forms.Form):
    message = forms.CharField(
        max_length=MESSAGE_CHARS, initial="Hello", widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
    lane = forms.ChoiceField(
        choices=LANES, initial="reference", label="Lane", widget=UnfoldAdminSelectWidget, required=False
    )


def probe_target(target: Target, message: str, lane: str) -> Probe:
    """Send `message` to a stored target with the short time limit of a page. Raises CannotProbe."""
    if why := closed():
        raise CannotProbe(why)
    try:
        spec = target_spec(target, with_secrets=True)
        return probe(
            spec,
            [message],
            lane="load" if lane == "load" else "reference",
            allow_private=settings.ALLOW_PRIVATE,
            limit_s=LIMIT_S,
        )
    except (SpecError, SecretsError) as exc:
        raise CannotProbe(str(exc)) from exc


def page_context(target: Target, posted: Any) -> dict[str, Any]:
    """The template's context; `posted` is the form's data, None when the page is opened."""
    form = ProbeForm(posted)
    context: dict[str, Any] = {"target": target, "form": form, "limit_s": LIMIT_S}
    if posted is not None and form.is_valid():
        try:
            context["found"] = probe_target(target, form.cleaned_data["message"], form.cleaned_data["lane"])
        except CannotProbe as exc:
            form.add_error(None, str(exc))
    return context
