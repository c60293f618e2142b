"""Buttons of a run that waits for approval. Contains no logic."""

from __future__ import annotations

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from runs.approval import ApprovalError, approve, may_approve, refuse
from runs.models import Run
from runs.web.views import allowed


@require_POST
@allowed(may_approve)
def decide(request: HttpRequest, pk: int, approved: bool) -> HttpResponse:
    """Approve or refuse the run and return to its page."""
    run = get_object_or_404(Run, pk=pk)
    try:
        if approved:
            approve(run, request.user)
            messages.success(request, f"{run} is approved and queued.")
        else:
            refuse(run, request.user, request.POST.get("note", ""))
            messages.success(request, f"{run} is refused.")
    except ApprovalError as exc:
        messages.error(request, f"Nothing was decided: {exc}")
    return redirect("runs:live", run.pk)
