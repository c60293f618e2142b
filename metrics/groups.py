"""A group: the conversations of a run that have one scenario and one model. Pure, and light: the engine imports it.

Groups are numbered from 0 (`runs.load.groups` says how); what is counted for each of them can be added up again for
every choice of scenario, model and tags.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

SCENARIO, MODEL = "scenario", "model"
Where = tuple[tuple[str, str], ...]
"""A choice: pairs of `scenario`, `model` or the name of a tag, and its value. All must match."""


@dataclass(frozen=True)
class Group:
    """`model` is empty if the target names none; `scenarios` is the number of scenarios in the group, which its name
    then contains."""

    scenario: str
    model: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    scenarios: int = 1

    def value(self, key: str) -> str | None:
        """Its scenario, its model or that tag of it."""
        if key == SCENARIO:
            return self.scenario
        return self.model if key == MODEL else self.tags.get(key)


def chosen(groups: Sequence[Group], where: Where) -> list[int]:
    """The numbers of the groups for which all of `where` holds."""
    return [number for number, group in enumerate(groups) if all(group.value(key) == want for key, want in where)]


def choice_text(where: Where) -> str:
    """A choice as written after a metric's name: `{scenario=rapid-fire}`; empty for no choice."""
    return "{" + ", ".join(f"{key}={value}" for key, value in where) + "}" if where else ""


def known_values(groups: Iterable[Group], key: str) -> list[str]:
    """Every value that `key` has among them, in their order."""
    return list(dict.fromkeys(value for group in groups if (value := group.value(key))))


def known_keys(groups: Iterable[Group]) -> list[str]:
    """The keys that a choice may use."""
    return [SCENARIO, MODEL, *sorted({name for group in groups for name in group.tags})]
