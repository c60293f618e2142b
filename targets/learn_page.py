"""The page "Learn a target": a recorded exchange becomes a proposal, which fills in the form of a new target."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import orjson
from django import forms
from django.http import HttpRequest
from unfold.widgets import UnfoldAdminFileFieldWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from targets.learning.learn import learn
from targets.learning.proposal import Proposal
from targets.learning.recorded.errors import LearnError

LEARNED: Final = "learned_target"
"""In the session: the proposal, without secrets, until the form takes it."""
FILE_BYTES: Final = 16 * 1024 * 1024
TEXT_CHARS: Final = 1_000_000
HINT_CHARS: Final = 2000
TARGET_BYTES: Final = 200_000


class LearnForm(forms.Form):
    """What is pasted may hold secrets: it is shown again to who sent it, in the answer to that request, and stored
    nowhere."""

    text = forms.CharField(
        required=False,
        max_length=TEXT_CHARS,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 8, "autocomplete": "off"}),
        label="A curl line and, below it, its answer; a recorded exchange; or an OpenAPI document",
    )
    file = forms.FileField(
        required=False, widget=UnfoldAdminFileFieldWidget, label="Or a file, such as a browser's HAR"
    )
    message = forms.CharField(
        required=False,
        max_length=HINT_CHARS,
        widget=UnfoldAdminTextInputWidget,
        label="What the user said in it, if needed",
    )
    address = forms.CharField(
        required=False, max_length=HINT_CHARS, widget=UnfoldAdminTextInputWidget, label="Address, if it has none"
    )

    def clean(self) -> dict[str, Any]:
        given: dict[str, Any] = super().clean() or self.cleaned_data
        file = given.get("file")
        if file is not None and file.size > FILE_BYTES:
            raise forms.ValidationError(f"The file is too large: at most {FILE_BYTES:,} bytes.")
        if file is None and not given.get("text") and not self.errors:
            raise forms.ValidationError("Paste something, or choose a file.")
        return given

    def inputs(self) -> list[bytes | str]:
        given = self.cleaned_data
        texts: list[bytes | str] = [given["text"]] if given["text"] else []
        return texts + ([given["file"].read()] if given["file"] else [])


def page_context(request: HttpRequest) -> dict[str, Any]:
    """The template's context. A proposal is kept in the session for the form of a new target."""
    if request.method != "POST":
        return {"form": LearnForm()}
    form = LearnForm(request.POST, request.FILES)
    found = _proposed(form) if form.is_valid() else None
    if found is not None:
        request.session[LEARNED] = found.target()
    shown = LearnForm(initial={name: request.POST.get(name, "") for name in ("text", "message", "address")})
    return {"form": shown, "problems": _problems(form), "found": found, "target": found and _shown(found)}


def propose(inputs: Sequence[bytes | str], *, message: str, url: str) -> Proposal:
    """As `learn`, of a size that a target may have. Raises LearnError."""
    found = learn(inputs, message=message, url=url)
    if len(orjson.dumps(found.target())) > TARGET_BYTES:
        raise LearnError("the proposal is too large: record a shorter conversation")
    return found


def _proposed(form: LearnForm) -> Proposal | None:
    given = form.cleaned_data
    try:
        return propose(form.inputs(), message=given["message"], url=given["address"])
    except LearnError as exc:
        form.add_error(None, str(exc))
        return None


def _problems(form: LearnForm) -> list[str]:
    return [str(error) for errors in form.errors.values() for error in errors]


def _shown(found: Proposal) -> str:
    return orjson.dumps(found.target(), option=orjson.OPT_INDENT_2).decode()


def learned(request: HttpRequest) -> dict[str, Any]:
    """The initial values of the form of a new target, if it was opened from this page."""
    kept = request.session.get(LEARNED) if "learned" in request.GET else None
    return dict(kept) if isinstance(kept, dict) else {}
