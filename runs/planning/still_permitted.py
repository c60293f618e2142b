"""Whether the policy still permits a run that waited for its approval, or for its workers."""

from __future__ import annotations

from pydantic import BaseModel

from audit.services import record
from connectors.spec import parse_target_spec
from policy.limits import Limits, limits_for, site_limits_for
from policy.targets import NotAllowedError, check_target
from runs.lifecycle.quota import check_room_of
from runs.load.profile import Load, parse_load
from runs.models import Approval, Run
from runs.models.approval import Decision
from runs.planning.approval_rules import why_approval
from runs.planning.errors import RequestError
from runs.planning.within import LOAD, within


def check_policy(run: Run, *, approved: bool) -> None:
    """Under the policy of now for whoever asked for the run. Raises NotAllowedError."""
    limits, load = limits_for(run.requested_by), parse_load(run.load)
    check_target(parse_target_spec(run.target_spec), limits)
    _check_load(load, limits)
    check_room_of(run, load.budget, limits, site_limits_for(run.requested_by))
    if not approved and (why := why_approval(load, limits)):
        raise NotAllowedError(f"{why}: start it again, so that it waits for that", LOAD)


def check_policy_of_run(run: Run) -> None:
    """As its engines start. Raises RequestError: target_not_allowed, load_not_allowed."""
    try:
        check_policy(run, approved=Approval.objects.filter(run=run, decision=Decision.APPROVED).exists())
    except NotAllowedError as exc:
        code, why = f"{exc.field}_not_allowed", f"the run did not start: {exc}"
        record("run.start", user=run.requested_by, on=run, outcome="refused", details={"code": code, "why": why})
        raise RequestError(code, why) from exc


def _check_load(load: Load, limits: Limits) -> None:
    """Raises NotAllowedError also for a limit that the run would have got as its own: its load is frozen."""
    granted = within(load, limits)
    if granted is load:
        return
    new = [f"load.{name}" for name in _differ(load, granted) if name != "budget"]
    new += [f"load.budget.{name}" for name in _differ(load.budget, granted.budget)]
    text = f"the policy limits {', '.join(new)} by now, and this run has no such limit: start it again"
    raise NotAllowedError(text, LOAD)


def _differ(one: BaseModel, other: BaseModel) -> list[str]:
    return [name for name in type(one).model_fields if getattr(one, name) != getattr(other, name)]
