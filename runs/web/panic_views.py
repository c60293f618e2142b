"""The button of the emergency stop. Contains no logic."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.views.decorators.http import require_POST

from metrics.number_format import counted
from policy.models.panic import USE_PANIC
from runs import panic
from runs.permissions import has_right
from runs.web.views import allowed


def may_panic(user: Any) -> bool:
    return has_right(user, USE_PANIC)


@require_POST
@allowed(may_panic)
def begin(request: HttpRequest) -> HttpResponse:
    """Stop everything and return to the start page."""
    made = panic.begin(by=str(request.user), user=request.user, reason=request.POST.get("reason", ""))
    stopped, paused = counted(len(made.stopped_runs), "run"), counted(len(made.paused_tasks), "schedule")
    messages.success(request, f"Stopped: {stopped}. Paused: {paused}.")
    return redirect("admin:index")


@require_POST
@allowed(may_panic)
def undo(request: HttpRequest) -> HttpResponse:
    """Allow runs again and return to the start page."""
    undone = panic.undo(by=str(request.user), user=request.user)
    if undone is None:
        messages.warning(request, "The emergency stop was not on.")
    else:
        messages.success(request, f"Runs may start again. Resumed: {counted(len(undone.paused_tasks), 'schedule')}.")
    return redirect("admin:index")
