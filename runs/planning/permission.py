"""Refusals of a policy as those of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from audit.services import record
from policy.limits import Limits
from policy.panic import closed
from policy.targets import NotAllowedError
from runs import db_clock
from runs.load.profile import Load
from runs.models import Approval, Run, RunStatus, TestPlan
from runs.planning.approval_rules import why_approval
from runs.planning.errors import RequestError

T = TypeVar("T")


def refuse_if_closed() -> None:
    """Raises RequestError while the emergency stop is on."""
    if why := closed():
        raise RequestError("closed", why)


def permitted(work: Callable[[], T]) -> T:
    """Raises RequestError where a quota does not suffice."""
    try:
        return work()
    except NotAllowedError as exc:
        raise RequestError("quota_used", str(exc), exc.field) from exc


@contextmanager
def refusals_recorded(user: Any, plan: TestPlan | None = None) -> Iterator[None]:
    """What is refused to `user` stands in the audit log."""
    try:
        yield
    except RequestError as exc:
        record("run.start", user=user, on=plan, outcome="refused", details={"code": exc.code, "why": str(exc)})
        raise


def needed_approval(load: Load, limits: Limits, *, local: bool) -> str:
    """What somebody else has to approve; empty: nothing. Raises RequestError for a run that cannot wait for it."""
    why = why_approval(load, limits)
    if why and local:
        raise RequestError(
            "approval_needed", f"{why}: start it on the site or with --workers, where it can wait for that"
        )
    return why


def ask_approval(run: Run, why: str) -> None:
    """In the transaction that makes the run."""
    run.status, run.reason = RunStatus.WAITING, f"waits for approval: {why}"
    run.save(update_fields=["status", "reason"])
    Approval.objects.create(run=run, why=why, asked_at=db_clock.now())
