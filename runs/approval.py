"""Decides about runs that wait for approval. `runs.services` lets them wait."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from audit.services import record
from policy.lock import one_at_a_time
from policy.targets import NotAllowedError
from runs import db_clock
from runs.db_clock import DbNow
from runs.lifecycle.transitions import move_run
from runs.models import Approval, Run, RunStatus
from runs.models.approval import NOTE_CHARS, Decision
from runs.permissions import has_right
from runs.planning.errors import RequestError
from runs.planning.permission import refuse_if_closed
from runs.planning.still_permitted import check_policy
from runs.services import stop_run
from runs.workers import dispatch
from runs.workers.leases import READY_WITHIN_S

HOUR_S: Final = 3600.0
APPROVE: Final = "runs.approve_run"


class ApprovalError(ValueError):
    """The decision is not possible; the message says why."""


def may_approve(user: Any) -> bool:
    """The right alone: whose run it is, `approve` asks."""
    return has_right(user, APPROVE)


def approve(run: Run, user: Any) -> None:
    """Let it queue for its workers. Raises ApprovalError if it does not wait, if it is the user's own, or if the policy
    forbids it by now."""
    try:
        with one_at_a_time():
            approval = _waiting(run, user)
            refuse_if_closed()
            _check_policy(run)
            _decide(approval, Decision.APPROVED, user)
            _queue(run)
            record("run.approve", user=user, on=run, details={"why": approval.why})
    except (ApprovalError, RequestError) as exc:
        record("run.approve", user=user, on=run, outcome="refused", details={"why": str(exc)})
        raise ApprovalError(str(exc)) from exc


def refuse(run: Run, user: Any, note: str = "") -> None:
    """End it with a sentence. Raises ApprovalError as `approve` does."""
    try:
        with one_at_a_time():
            approval = _waiting(run, user)
            _decide(approval, Decision.REFUSED, user, note)
            record("run.refuse", user=user, on=run, details={"note": approval.note})
    except ApprovalError as exc:
        record("run.refuse", user=user, on=run, outcome="refused", details={"why": str(exc)})
        raise
    stop_run(run, _sentence(approval))


def expire() -> int:
    """End the runs about which nobody decided in time, and those that whoever refused them was killed before ending.
    Returns their number."""
    since = DbNow(-settings.APPROVAL_HOURS * HOUR_S)
    late = Approval.objects.filter(decision=Decision.NONE, run__status=RunStatus.WAITING, asked_at__lt=since)
    for run_id in list(late.values_list("run_id", flat=True)):
        with one_at_a_time():
            approval = Approval.objects.select_for_update().filter(run=run_id, decision=Decision.NONE).first()
            if approval is not None:
                _decide(approval, Decision.EXPIRED, None)
    over = Approval.objects.filter(decision__in=[Decision.REFUSED, Decision.EXPIRED], run__status=RunStatus.WAITING)
    return sum(stop_run(approval.run_id, _sentence(approval)) for approval in list(over))


def _sentence(approval: Approval) -> str:
    """Why its run ended."""
    if approval.decision == Decision.EXPIRED:
        return f"nobody approved it within {settings.APPROVAL_HOURS:g} hours"
    return f"{approval.decided_by_name} did not approve it" + (f": {approval.note}" if approval.note else "")


def _waiting(run: Run, user: Any) -> Approval:
    """Its approval, locked. Raises ApprovalError."""
    approval = Approval.objects.select_for_update().filter(run=run.pk).first()
    status = Run.objects.values_list("status", flat=True).get(pk=run.pk)
    if approval is None or approval.decision != Decision.NONE or status != RunStatus.WAITING:
        raise ApprovalError(f"run {run.pk} is {status}: it does not wait for approval")
    if run.requested_by_id is not None and run.requested_by_id == user.pk:
        raise ApprovalError(f"run {run.pk} is your own: somebody else has to decide about it; you can stop it")
    return approval


def _queue(run: Run) -> None:
    """Raises ApprovalError."""
    if not move_run(run.pk, RunStatus.QUEUED, reason="", ready_by=DbNow(READY_WITHIN_S)):
        raise ApprovalError(f"run {run.pk} was stopped meanwhile")
    transaction.on_commit(partial(dispatch.nudge, run.pk))


def _check_policy(run: Run) -> None:
    """The policy may have changed in the days that a run waits. Raises ApprovalError."""
    try:
        check_policy(run, approved=True)
    except NotAllowedError as exc:
        raise ApprovalError(f"run {run.pk} may not start any more: {exc}") from exc


def _decide(approval: Approval, decision: Decision, user: Any, note: str = "") -> None:
    approval.decision, approval.decided_at = decision, db_clock.now()
    approval.decided_by, approval.decided_by_name = user, str(user or "")[:150]
    approval.note = " ".join(note.split())[:NOTE_CHARS]
    approval.save()
