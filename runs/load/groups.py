"""The groups of a run and their numbers, the same for every engine and for the report. Pure.

The number of a group is that of its scenario times the number of models, plus that of its model. A run with very many
scenarios (a folder of recorded conversations) would store more about its groups than about its turns: beyond
MAX_GROUPS, scenarios with the same tags are one group, and if that is still too many, all scenarios are.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Protocol

from metrics.groups import Group
from runs.load.earlier_names import user_profile_of

__all__ = ["MAX_GROUPS", "Group", "first_numbers", "frozen_groups", "groups_of", "own_model"]

MAX_GROUPS = 100


class _Scenario(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def tags(self) -> Mapping[str, str]: ...


class _Users(Protocol):
    @property
    def models(self) -> Sequence[str]: ...


class _Frozen(NamedTuple):
    name: str
    tags: Mapping[str, str]
    stands_for: int = 1


class _FrozenUsers(NamedTuple):
    models: Sequence[str]


def groups_of(scenarios: Sequence[_Scenario], users: _Users, model: str = "") -> tuple[Group, ...]:
    """Every group by its number. `model`: the target's own, for a run whose users draw no model."""
    named, models = _told_apart(scenarios, users)[0], tuple(users.models) or (model,)
    return tuple(Group(told.name, name, told.tags, told.stands_for) for told in named for name in models)


def first_numbers(scenarios: Sequence[_Scenario], users: _Users) -> tuple[int, ...]:
    """For each scenario the number of its group with the first model; the other models' follow."""
    return tuple(place * max(1, len(users.models)) for place in _told_apart(scenarios, users)[1])


def frozen_groups(
    scenario_specs: Sequence[Mapping[str, Any]], load: Mapping[str, Any], target_spec: Mapping[str, Any]
) -> tuple[Group, ...]:
    """`groups_of` the data that a Run has stored."""
    parts = [part["scenario"] for part in scenario_specs]
    scenarios = [_Frozen(part["name"], part.get("tags") or {}) for part in parts]
    users = _FrozenUsers(user_profile_of(load).get("models") or ())
    return groups_of(scenarios, users, own_model(target_spec.get("params", {})))


def own_model(params: Mapping[str, Any]) -> str:
    """The model that the target itself names; empty: none."""
    return str(params.get("model") or "")


def _told_apart(scenarios: Sequence[_Scenario], users: _Users) -> tuple[list[_Frozen], list[int]]:
    """The scenarios that are groups of their own, and the place of each scenario among them."""
    limit = MAX_GROUPS // max(1, len(users.models))
    if len(scenarios) <= max(1, limit):
        return [_Frozen(one.name, one.tags) for one in scenarios], list(range(len(scenarios)))
    kinds: dict[tuple[tuple[str, str], ...], list[str]] = {}
    keys = [tuple(sorted(one.tags.items())) for one in scenarios]
    if len(set(keys)) > max(1, limit):
        keys = [()] * len(scenarios)
    for key, one in zip(keys, scenarios, strict=True):
        kinds.setdefault(key, []).append(one.name)
    places = {key: place for place, key in enumerate(kinds)}
    named = [
        _Frozen(names[0] if len(names) == 1 else f"{len(names)} scenarios", dict(key), len(names))
        for key, names in kinds.items()
    ]
    return named, [places[key] for key in keys]
