"""The page "Send a test message": a form and the result of `targets.probe`. Contains no logic."""

from __future__ import annotations

from typing import Any

from django import forms
from django.conf import settings
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget

from audit.services import record
from connectors.spec import SpecError
from policy.limits import User, limits_for
from policy.panic import closed
from policy.targets import NotAllowedError, check_target
from sealing.secrets import SecretsError
from targets.binding import CredentialRefused, check_use, note_use
from targets.models import Target
from targets.probe import LIMIT_S, probe
from targets.probe_result import Probe
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


def probe_target(target: Target, message: str, lane: str, user: User) -> Probe:
    """Send `message` to a stored target with the short time limit of a page. Raises CannotProbe, also if `user` may
    not use the target's credential."""
    told = {"lane": lane}
    if why := closed():
        record("target.probe", on=target, outcome="refused", details=told)
        raise CannotProbe(why)
    try:
        check_use(target, user)
        spec = target_spec(target, with_secrets=True)
        check_target(spec, limits_for(user))
        note_use(target.credential)
        record("target.probe", on=target, details=told)  # before: what is sent is sent, whatever comes back
        return probe(
            spec,
            [message],
            lane="load" if lane == "load" else "reference",
            allow_private=settings.ALLOW_PRIVATE,
            limit_s=LIMIT_S,
        )
    except (SpecError, SecretsError, CredentialRefused, NotAllowedError) as exc:
        record("target.probe", on=target, outcome="refused", details=told)
        raise CannotProbe(str(exc)) from exc


def page_context(target: Target, posted: Any, user: User) -> dict[str, Any]:
    """The template's context; `posted` is the form's data, None when the page is opened."""
    form = ProbeForm(posted)
    context: dict[str, Any] = {"target": target, "form": form, "limit_s": LIMIT_S}
    if posted is not None and form.is_valid():
        try:
            context["found"] = probe_target(target, form.cleaned_data["message"], form.cleaned_data["lane"], user)
        except CannotProbe as exc:
            form.add_error(None, str(exc))
    return context
