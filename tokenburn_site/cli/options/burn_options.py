"""Converts parsed options to Options, and validates their combinations."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from typing import Any, Final

from connectors.spec import SpecError
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options import budget, search, trace, users
from tokenburn_site.cli.options.budget import BudgetOptions
from tokenburn_site.cli.options.declare import NULL, Group
from tokenburn_site.cli.options.load import LoadOptions, check_load
from tokenburn_site.cli.options.regions import RegionOptions, check_regions
from tokenburn_site.cli.options.results import STDOUT, ResultOptions, check_results
from tokenburn_site.cli.options.scenarios import ScenarioOptions, check_scenario
from tokenburn_site.cli.options.search import CapacityOptions
from tokenburn_site.cli.options.target import TargetOptions, all_params, check_target, with_target_file
from tokenburn_site.cli.options.trace import TraceOptions
from tokenburn_site.cli.options.users import UserOptions

GROUPS: Final[tuple[type[Group], ...]] = (
    TargetOptions,
    ScenarioOptions,
    LoadOptions,
    UserOptions,
    BudgetOptions,
    CapacityOptions,
    TraceOptions,
    RegionOptions,
    ResultOptions,
)
"""In the order of the help."""
FLAGS: Final = {
    path: option.flag_of(name)
    for group in reversed(GROUPS)
    for name, option in reversed(list(group.options()))
    for path in option.paths
}
"""The option for each field of the load; the first one where several set it."""
EARLIER: Final = {
    old: option.flag_of(name) for group in GROUPS for name, option in group.options() for old in option.earlier
}
"""Earlier names of options, and the present ones."""
_FIELD = re.compile(r"\bload((?:\.\w+|\[\d+\])+)")


@dataclass(frozen=True, kw_only=True)
class Options(TargetOptions, ScenarioOptions, LoadOptions, BudgetOptions, TraceOptions, RegionOptions, ResultOptions):
    """A command line that makes sense: the command's own options, and the load that all others make."""

    load: Mapping[str, Any] = field(default_factory=dict)
    """Data of a load, which is still to be validated."""

    @property
    def to_stdout(self) -> bool:
        """A result goes to stdout, and all else to stderr."""
        return STDOUT in {self.json, self.markdown}


def check(given: Mapping[str, Any]) -> Options:
    """What the parser found, as Options. Raises BadUsage where options contradict each other or one is missing."""
    given = with_target_file(given)
    check_target(given)
    check_scenario(given)
    check_load(given)
    check_results(given)
    check_regions(given)
    found: dict[str, Any] = {
        each.name: given[each.name] for each in fields(Options) if given.get(each.name) is not None
    }
    found |= {name: tuple(value) for name, value in found.items() if isinstance(value, list)}
    found["params"] = all_params(given, given["synthetic"] and given["synthetic"].output)
    try:
        return Options(**found, load=load_data(given))
    except SpecError as exc:
        raise BadUsage(spelled(str(exc))) from exc


def load_data(given: Mapping[str, Any]) -> dict[str, Any]:
    """The load that the options make, with nothing in it that was not given. Raises BadUsage, SpecError."""
    load: dict[str, Any] = {}
    for group in GROUPS:
        for name, option in group.options():
            if option.paths and given[name] is not None:
                _put(load, option.paths[0], None if given[name] is NULL else given[name])
    for part in (trace, users, budget, search):
        part.arrange(given, load)
    return {"kind": "open" if "rate_per_s" in load else "closed", **load}


def _put(load: dict[str, Any], path: str, value: Any) -> None:
    *parts, name = path.split(".")
    for part in parts:
        load = load.setdefault(part, {})
    load[name] = value


def spelled(text: str) -> str:
    """`text` with each field of the load, such as `load.users`, replaced by its option."""
    return _FIELD.sub(lambda found: _option(found[1][1:]) or found[0], text)


def present_names(argv: Sequence[str]) -> list[str]:
    """The same command line without earlier names."""
    found: list[str] = []
    renamed, words = {*EARLIER, "--max-turns", "--impatient"}, iter(argv)
    for word in words:
        flag, equals, value = word.partition("=")
        if not equals and flag in renamed and (follows := next(words, None)) is not None:
            found += _present(flag, follows)
        else:
            found.append(equals.join(_present(flag, value)))
    return found


def _present(flag: str, value: str) -> tuple[str, str]:
    if flag == "--max-turns" and "/" in value:
        return "--max-turn-rate", value
    if (flag, value) == ("--impatient", "double"):
        return flag, "hedge"
    return EARLIER.get(flag, flag), value


def _option(path: str) -> str:
    field = path.partition("[")[0]
    while field and field not in FLAGS:
        field = field.rpartition(".")[0]
    if field == "budget.prices":
        return FLAGS[field] + path[len(field) :]  # of which model, in the user's own words
    return FLAGS.get(field, "")
