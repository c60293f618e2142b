"""The page "Send a test message": a small form, and under it what `targets.probe` found. No decisions here."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from connectors.spec import SpecError
from targets.models import Target
from targets.probe import LIMIT_S, Probe, probe
from targets.secrets import SecretsError
from targets.services import target_spec

MESSAGE_CHARS = 10_000
LANES = [("reference", "the plain client (reference lane)"), ("load", "that of the load")]


class CannotProbe(Exception):
    """The target as it is cannot be spoken to; the message says why."""


class ProbeForm(forms.Form):
    message = forms.CharField(
        max_length=MESSAGE_CHARS, initial="Hello", widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
    lane = forms.ChoiceField(
        choices=LANES, initial="reference", label="Carried by", widget=UnfoldAdminSelectWidget, required=False
    )


def probe_target(target: Target, message: str, lane: str) -> Probe:
    """Send `message` to a stored target, as somebody does who waits for a page. Raises CannotProbe."""
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
    """What the template needs; `posted` is the form's data, None for somebody who has only come to the page."""
    form = ProbeForm(posted)
    context: dict[str, Any] = {"target": target, "form": form, "limit_s": LIMIT_S}
    if posted is not None and form.is_valid():
        try:
            context["found"] = probe_target(target, form.cleaned_data["message"], form.cleaned_data["lane"])
        except CannotProbe as exc:
            form.add_error(None, str(exc))
    return context
