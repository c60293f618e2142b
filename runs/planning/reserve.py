"""What a run takes of its person's and the installation's quotas. A run is bounded to what it reserved, so that two
runs that fit together stay within the quota."""

from __future__ import annotations

import math
from typing import Any, Final

from connectors.spec import TargetSpec
from policy.limits import Limits, SiteLimits
from runs.lifecycle.quota import Use
from runs.load.demand import arrivals_of, users_of
from runs.load.profile import Load
from runs.planning.estimate import Amounts, estimate_run
from runs.planning.plan_estimate import last_answers
from runs.planning.run_request import Mix
from runs.planning.within import bounded, need_prices

AMOUNTS: Final = ("turns", "tokens", "cost")


def reserve(target: TargetSpec, mix: Mix, load: Load, seed: int, limits: Limits, site: SiteLimits) -> tuple[Load, Use]:
    """The load with a budget for each amount that has a quota: its own, or what the run may need at most by its
    estimate. Raises NotAllowedError."""
    limited = [name for name in AMOUNTS if _caps(name, limits, site)]
    use = Use(users_of(load), arrivals_of(load))
    if not limited:
        return load, use
    if "cost" in limited:
        need_prices(load)
    missing = [name for name in limited if getattr(load.budget, name) is None]
    changes: dict[str, Any] = {}
    if missing:
        high = estimate_run(target, mix, load, seed=seed, assumption=last_answers(target)).high
        changes = {name: _needed(name, high) for name in missing}
        load = bounded(load, {"budget": {**load.budget.model_dump(mode="json"), **changes}})
    return load, use._replace(**{name: getattr(load.budget, name) for name in limited})


def _caps(name: str, limits: Limits, site: SiteLimits) -> bool:
    return getattr(limits, f"person_day_{name}") is not None or getattr(site, f"day_{name}") is not None


def _needed(name: str, high: Amounts) -> float:
    """At least a little: a budget of nothing is none."""
    if name == "cost":
        return max(high.cost or 0.0, 1e-9)
    return max(1, math.ceil(high.turns if name == "turns" else high.tokens_in + high.tokens_out))
