"""A load within what a policy grants: refused where it asks for more, bounded where it leaves something open. Pure."""

from __future__ import annotations

from typing import Any, Final

from connectors.spec import SpecError
from policy.limits import Limits
from policy.targets import NotAllowedError, at_most
from runs.load.demand import arrivals_of, users_of
from runs.load.profile import ClosedLoad, Load, OpenLoad, TraceLoad, parse_load
from runs.load.trace import unpack

LOAD: Final = "load"
SESSIONS: Final = OpenLoad.model_fields["max_sessions"].default


def within(load: Load, limits: Limits) -> Load:
    """The load with the policy's limits where it has none of its own. Raises NotAllowedError."""
    changes: dict[str, Any] = {**_users(load, limits), **_turn_rate(load, limits), **_duration(load, limits)}
    if limits.arrivals_per_s is not None:  # a long trace takes a while to read
        at_most("conversations per second", arrivals_of(load), limits.arrivals_per_s)
    if budget := _budget(load, limits):
        changes["budget"] = {**load.budget.model_dump(mode="json"), **budget}
    return bounded(load, changes)


def bounded(load: Load, changes: dict[str, Any]) -> Load:
    """The load with these fields changed. Raises NotAllowedError if that leaves no possible load."""
    if not changes:
        return load
    try:
        return parse_load(load.model_dump(mode="json") | changes)
    except SpecError as exc:
        raise NotAllowedError(f"within the limits of the policy there is no such load: {exc}", LOAD) from exc


def _users(load: Load, limits: Limits) -> dict[str, Any]:
    caps = [cap for cap in (limits.users, limits.person_users) if cap is not None]
    if not caps:
        return {}
    if not isinstance(load, ClosedLoad) and load.max_sessions == SESSIONS > min(caps) > 0:
        return {"max_sessions": min(caps)}
    what = "users" if isinstance(load, ClosedLoad) else "open conversations (load.max_sessions)"
    at_most(what, users_of(load), min(caps))
    return {}


def _turn_rate(load: Load, limits: Limits) -> dict[str, Any]:
    cap = limits.turns_per_s
    if cap is None:
        return {}
    if load.search is not None or load.sweep is not None:
        raise NotAllowedError(
            f"the policy allows at most {cap:g} turns per second, which would distort a search or sweep: use a load "
            "without one",
            LOAD,
        )
    at_most("turns per second (load.max_turns_per_s)", load.max_turns_per_s or 0.0, cap)
    if not cap:
        raise NotAllowedError("the policy allows no turns: ask an administrator", LOAD)
    return {} if load.max_turns_per_s is not None else {"max_turns_per_s": cap}


def _duration(load: Load, limits: Limits) -> dict[str, Any]:
    cap = limits.duration_s
    if cap is None:
        return {}
    at_most("seconds (load.duration_s)", lasts_s(load) or 0.0, cap)
    return {} if load.duration_s is not None else {"duration_s": cap}


def lasts_s(load: Load) -> float | None:
    """For how long conversations begin; None: nobody knows."""
    if load.duration_s is None and isinstance(load, TraceLoad):
        return unpack(load.arrivals)[-1] / load.speed
    return load.duration_s


def _budget(load: Load, limits: Limits) -> dict[str, Any]:
    """The parts of a budget that the load leaves open."""
    found: dict[str, Any] = {}
    for name, cap in (("tokens", limits.tokens), ("cost", limits.cost)):
        if cap is None:
            continue
        own = getattr(load.budget, name)
        at_most(f"{name} (load.budget.{name})", own or 0, cap)
        if name == "cost":
            need_prices(load)
        if own is None:
            found[name] = cap
    return found


def need_prices(load: Load) -> None:
    """Raises NotAllowedError for a load whose cost nobody can count."""
    if not load.budget.prices:
        raise NotAllowedError(
            "the policy limits the cost, and this load has no prices: give load.budget.prices per million tokens, with "
            "'*' for any other model",
            LOAD,
        )
