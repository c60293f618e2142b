"""Button actions on the pages of schedules and webhooks. Contains no logic."""

from __future__ import annotations

from typing import Any

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.views.decorators.http import require_POST

from runs.models import DeliveryStatus, PlanSchedule, Webhook
from runs.permissions import has_right, may_control
from runs.schedules.services import ScheduleError, set_enabled
from runs.web.views import allowed
from runs.webhooks.deliver import send_test


def may_change_schedules(user: Any) -> bool:
    return may_control(user) and user.has_perm("runs.change_planschedule")


def may_change_webhooks(user: Any) -> bool:
    return has_right(user, "runs.change_webhook")


@require_POST
@allowed(may_change_schedules)
def switch(request: HttpRequest, pk: int, enabled: bool) -> HttpResponse:
    """Pause or resume a schedule."""
    schedule = get_object_or_404(PlanSchedule.objects.select_related("task"), pk=pk)
    try:
        set_enabled(schedule, enabled, request.user)
    except ScheduleError as exc:
        messages.error(request, f"{schedule} was not resumed: {exc}")
    else:
        messages.success(request, f"{schedule} is {'resumed' if enabled else 'paused'}.")
    return redirect("admin:runs_planschedule_change", pk)


@require_POST
@allowed(may_change_webhooks)
def test_webhook(request: HttpRequest, pk: int) -> HttpResponse:
    """Send a test message and show the result."""
    webhook = get_object_or_404(Webhook, pk=pk)
    sent = send_test(webhook)
    if sent.status == DeliveryStatus.DELIVERED:
        messages.success(request, f"{webhook.host} accepted the test message (HTTP {sent.http_status}).")
    else:
        messages.error(request, f"The test message was not accepted: {sent.error}")
    return redirect("admin:runs_webhook_change", pk)
