"""Whether a run fits beside all others: at the same time, and with what was sent in the last 24 hours.

Sums are only true under `policy.lock.one_at_a_time`: whoever asks holds it until their own use is written.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from django.db.models import QuerySet, Sum

from policy.limits import Limits, SiteLimits
from policy.targets import NotAllowedError, shown
from runs import db_clock
from runs.db_clock import DbNow
from runs.lifecycle.transitions import RUN_ACTIVE
from runs.load.budget import Budget
from runs.models import QuotaUse, Run

DAY_S: Final = 86_400.0
AT_ONCE: Final = {"users": "users", "arrivals_per_s": "conversations per second"}
OVER_A_DAY: Final = {"turns": "turns", "tokens": "tokens", "cost": "cost"}
LOAD: Final = "load"


class Use(NamedTuple):
    """What one run takes. Amounts of a day are 0 where nothing limits them: they are counted when it has ended."""

    users: int
    arrivals_per_s: float
    turns: int = 0
    tokens: int = 0
    cost: float = 0.0


def check_room(use: Use, user_id: int | None, limits: Limits, site: SiteLimits, *, beside: int | None = None) -> None:
    """Raises NotAllowedError. `beside`: the run whose own use does not count, because it is what changes."""
    others = QuotaUse.objects.exclude(run=beside) if beside is not None else QuotaUse.objects.all()
    _at_once(use, user_id, others, limits, site)
    if beside is not None:
        return  # its amounts were reserved when it was requested
    mine = others.filter(user=user_id)
    for whose, rows, caps in (
        ("your runs", mine, {name: getattr(limits, f"person_day_{name}") for name in OVER_A_DAY}),
        ("runs of the installation", others, {name: getattr(site, f"day_{name}") for name in OVER_A_DAY}),
    ):
        _check(use, rows.filter(at__gt=DbNow(-DAY_S)), caps, OVER_A_DAY, f"in 24 hours in all {whose}")


def check_room_of(run: Run, budget: Budget, limits: Limits, site: SiteLimits) -> None:
    """Whether a run that waits still has its room. Beside those that were requested before it: of runs that do not fit
    together any more the last ones have to go. Raises NotAllowedError."""
    own = QuotaUse.objects.filter(run=run.pk).first()
    if own is not None:
        before = QuotaUse.objects.filter(run__lt=run.pk)
        _at_once(Use(own.users, own.arrivals_per_s), own.user_id, before, limits, site)
    for name, words in OVER_A_DAY.items():
        caps = [getattr(limits, f"person_day_{name}"), getattr(site, f"day_{name}")]
        cap, most = min((cap for cap in caps if cap is not None), default=None), getattr(budget, name)
        if cap is not None and (most is None or most > cap):
            raise NotAllowedError(
                f"the policy allows {shown(cap)} {words} in 24 hours by now, and this run may send more "
                f"({_hint(name)}): start it again, or ask for less",
                LOAD,
            )


def _at_once(use: Use, user_id: int | None, others: QuerySet[QuotaUse], limits: Limits, site: SiteLimits) -> None:
    for whose, rows, caps in (
        ("your runs", others.filter(user=user_id), {name: getattr(limits, f"person_{name}") for name in AT_ONCE}),
        ("runs of the installation", others, {name: getattr(site, name) for name in AT_ONCE}),
    ):
        _check(use, rows.filter(run__status__in=RUN_ACTIVE), caps, AT_ONCE, f"at the same time in all {whose}")


def _check(use: Use, rows: QuerySet[QuotaUse], caps: Mapping[str, Any], words: Mapping[str, str], when: str) -> None:
    capped = {name: cap for name, cap in caps.items() if cap is not None}
    if not capped:
        return
    sums = rows.aggregate(**{f"{name}_used": Sum(name, default=0) for name in capped})
    for name, cap in capped.items():
        asked, used = getattr(use, name), sums[f"{name}_used"]
        if asked and used + asked > cap:
            raise NotAllowedError(
                f"{shown(asked)} {words[name]} more are too many: the policy allows {shown(cap)} {when}, and "
                f"{shown(used)} are used or reserved: ask for less ({_hint(name)}), or wait",
                LOAD,
            )


def _hint(name: str) -> str:
    own = {"users": "load.users or load.max_sessions", "arrivals_per_s": "load.rate_per_s"}
    return own.get(name, f"load.budget.{name}")


def reserve_use(run: Run, use: Use) -> None:
    """Reserve it, in the transaction that makes the run."""
    QuotaUse.objects.create(run=run, user_id=run.requested_by_id, at=db_clock.now(), **use._asdict())


def settle(run_id: int, report: Mapping[str, Any] | None) -> None:
    """The run is over: what it really used takes the place of what was reserved. Without a report that stays."""
    if report is None:
        return
    cost = report.get("cost")
    QuotaUse.objects.filter(run=run_id).update(
        turns=report["turns"]["sent"],
        tokens=report["tokens"]["total"] or 0,
        cost=cost["total"] if cost else 0.0,
    )
