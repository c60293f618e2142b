"""Which runs need somebody else's approval. Pure."""

from __future__ import annotations

from policy.limits import Limits
from policy.targets import shown
from runs.load.demand import arrivals_of, users_of
from runs.load.profile import Load
from runs.planning.within import lasts_s


def why_approval(load: Load, limits: Limits) -> str:
    """What is above the limits for runs without approval, as text; empty: nothing. `load`: within all other limits."""
    above = [
        _above(users_of(load), limits.approve_users, "users"),
        _above(
            None if limits.approve_arrivals_per_s is None else arrivals_of(load),  # a long trace takes a while to read
            limits.approve_arrivals_per_s,
            "conversations per second",
        ),
        _above(None if limits.approve_duration_s is None else lasts_s(load), limits.approve_duration_s, "seconds"),
        _above(load.budget.tokens, limits.approve_tokens, "tokens"),
        _above(load.budget.cost, limits.approve_cost, "cost"),
    ]
    return "; ".join(filter(None, above))


def _above(asked: float | None, cap: float | None, what: str) -> str:
    if cap is None or (asked is not None and asked <= cap):
        return ""
    much = f"no limit of {what}" if asked is None else f"{shown(asked)} {what}"
    return f"{much}: above {shown(cap)} somebody else has to approve the run"
