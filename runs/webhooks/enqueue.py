"""Selects the webhooks of an ended run: one row per delivery, in the transaction of the run's last status.

`runs.webhooks.deliver` sends them.
"""

from __future__ import annotations

from django.db.models import Q

from runs.db_clock import DbNow
from runs.lifecycle.transitions import RUN_TERMINAL
from runs.models import Run, Webhook, WebhookDelivery, WebhookWhen
from runs.webhooks.payload import Outcome, is_bad

OUTCOME = ("status", "report__thresholds", "report__verdict__reasons")
"""The columns of an `Outcome`."""


def note_end(run_id: int) -> None:
    """Write a delivery for each webhook that is to be notified of this run's end, in the transaction that ends it."""
    found = Run.objects.filter(pk=run_id, local=False)
    row = found.values_list("plan_id", *OUTCOME).first()
    if row is None:
        return  # a local run, whose end the command line reports
    plan_id, *outcome = row
    mine = Q(plan=None) | Q(plan_id=plan_id)
    hooks = Webhook.objects.filter(mine, Q(schedule=None) | Q(schedule__slots__run=run_id), enabled=True)
    wanted = [hook for hook in hooks if _wants(hook.when, run_id, plan_id, (outcome[0], outcome[1], outcome[2]))]
    WebhookDelivery.objects.bulk_create(
        [WebhookDelivery(webhook=hook, run_id=run_id, next_at=DbNow()) for hook in wanted], ignore_conflicts=True
    )


def _wants(when: str, run_id: int, plan_id: int | None, outcome: Outcome) -> bool:
    if when == WebhookWhen.ALWAYS:
        return True
    bad = is_bad(outcome)
    if when == WebhookWhen.FAILED:
        return bad
    before = None
    if plan_id is not None:  # runs of no plan have nothing in common
        others = Run.objects.filter(plan_id=plan_id, local=False, status__in=RUN_TERMINAL).exclude(pk=run_id)
        before = others.order_by("-ended_at").values_list(*OUTCOME).first()
    return bad != (before is not None and is_bad(before))
