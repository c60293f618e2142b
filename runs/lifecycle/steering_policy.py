"""Whether a running load may be raised."""

from __future__ import annotations

from policy.limits import User, limits_for, site_limits_for
from policy.targets import NotAllowedError, at_most, shown
from runs.lifecycle.quota import Use, check_room
from runs.load.demand import at_level
from runs.load.profile import Load
from runs.models import QuotaUse, Run


def permit(run: Run, load: Load, level: float, user: User) -> None:
    """Under `policy.lock.one_at_a_time`. Raises NotAllowedError if the new level is above what `user` may request, or
    does not fit beside the other runs of the run's person and of the installation. Lowering is always possible."""
    users, arrivals_per_s = at_level(load, level)
    now = QuotaUse.objects.filter(run=run.pk).first()
    if now is None or users > now.users or arrivals_per_s > now.arrivals_per_s:
        asking = limits_for(user)
        at_most("users", users, asking.users)
        at_most("conversations per second", arrivals_per_s, asking.arrivals_per_s)
        _without_approval("users", users, asking.approve_users)
        _without_approval("conversations per second", arrivals_per_s, asking.approve_arrivals_per_s)
        owner = run.requested_by
        check_room(
            Use(users, arrivals_per_s), run.requested_by_id, limits_for(owner), site_limits_for(owner), beside=run.pk
        )
    QuotaUse.objects.filter(run=run.pk).update(users=users, arrivals_per_s=arrivals_per_s)


def _without_approval(what: str, asked: float, cap: float | None) -> None:
    if cap is not None and asked > cap:
        raise NotAllowedError(
            f"{shown(asked)} {what} need approval, which a running load cannot get: stay at {shown(cap)}, or start "
            "another run",
            "load",
        )
