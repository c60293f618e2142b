"""Fields of a load that had other names before 1.0: both names are read, the new one is written. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from metrics.earlier_names import BUDGET, warn_renamed

LOAD: Final = {"people": "user_profile"}
USER_PROFILE: Final = {"at_once": "conversations_per_user"}
IN_BUDGET: Final = {"only_errors_s": "no_success_timeout_s", **BUDGET}


def load_renamed(data: Mapping[str, Any]) -> dict[str, Any]:
    """A load's data with present names."""
    return _renamed(data, LOAD)


def profile_renamed(data: Mapping[str, Any]) -> dict[str, Any]:
    """A `user_profile` with present names."""
    return _renamed(data, USER_PROFILE)


def budget_renamed(data: Mapping[str, Any]) -> dict[str, Any]:
    """A `budget` with present names."""
    return _renamed(data, IN_BUDGET)


def patience_renamed(data: Mapping[str, Any]) -> dict[str, Any]:
    """A `patience` with present names: `then` had the value `double`."""
    if data.get("then") != "double":
        return dict(data)
    warn_renamed("then: double", "then: hedge")
    return {**data, "then": "hedge"}


def present_load(load: Mapping[str, Any], notes: list[str] | None = None) -> dict[str, Any]:
    """A load's data, stored or given, with present names and values. Warns of nothing; `notes` gets a line for each
    earlier name. What is not valid is left as it is."""
    told = [] if notes is None else notes
    found = _present(load, LOAD, "load", told)
    for part, names in (("user_profile", USER_PROFILE), ("budget", IN_BUDGET)):
        if isinstance(found.get(part), Mapping):
            found[part] = _present(found[part], names, f"load.{part}", told)
    profile = found.get("user_profile")
    patience = profile.get("patience") if isinstance(profile, Mapping) else None
    if isinstance(profile, Mapping) and isinstance(patience, Mapping) and patience.get("then") == "double":
        found["user_profile"] = {**profile, "patience": {**patience, "then": "hedge"}}
        told.append("load.user_profile.patience.then: double is now hedge")
    return found


def user_profile_of(load: Mapping[str, Any]) -> dict[str, Any]:
    """The `user_profile` of a stored load, which may be older than its names, with today's."""
    return present_load(load).get("user_profile") or {}


def _present(data: Mapping[str, Any], names: Mapping[str, str], path: str, notes: list[str]) -> dict[str, Any]:
    found = dict(data)
    for old, new in names.items():
        if old in found and new not in found:
            found[new] = found.pop(old)
            notes.append(f"{path}.{old} is now {path}.{new}")
    return found


def _renamed(data: Mapping[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    found = dict(data)
    for old, new in names.items():
        if old in found:
            if new in found:
                raise ValueError(f"{old} is the earlier name of {new}: give one of them")
            found[new] = found.pop(old)
            warn_renamed(f"the load's field `{old}`", f"`{new}`")
    return found
