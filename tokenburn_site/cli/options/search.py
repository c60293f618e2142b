"""Options of `burn`: search and sweep."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Mapping
from typing import Any, NamedTuple

from connectors.spec import SpecError
from metrics.analysis.threshold_checks import check_limits
from metrics.analysis.thresholds import ThresholdError, parse_thresholds
from metrics.number_format import counted, duration, exact
from runs.load.profile import Load
from runs.load.search import sweep_sets
from tokenburn_site.cli.options import values
from tokenburn_site.cli.options.declare import Group, of_load
from tokenburn_site.cli.options.values import PAUSE, SHARE, Syntax

SET_BY_SWEEP = ("users", "rate_per_s", "stages", "duration_s")


class Level(NamedTuple):
    """Users, or conversations a second."""

    value: float
    is_rate: bool


def level(text: str) -> Level:
    """`50` users, or a rate such as `20/s`."""
    if "/" in text:
        return Level(values.rate(text), True)
    return Level(float(values.positive(text)), False)


def levels(text: str) -> list[Level]:
    """Several, all of one kind, separated by commas."""
    found = [level(part.strip()) for part in text.split(",")]
    if len({each.is_rate for each in found}) > 1:
        raise ArgumentTypeError(f"{text!r} has users and rates: write 10,20,50 or 5/s,10/s,20/s")
    return found


def condition(text: str) -> str:
    """A threshold, as it is written."""
    try:
        check_limits(parse_thresholds(text))
    except ThresholdError as exc:
        raise ArgumentTypeError(str(exc)) from exc
    return text


LEVEL = Syntax(level, "L")


class CapacityOptions(Group):
    title = "capacity"

    find_capacity = of_load(
        "search.conditions",
        Syntax(condition, "EXPR"),
        help="find the highest load that meets 'ttft_ms.p95<800 and error_rate<1%'; starts at --users or --rate "
        "(default 1 user); --duration: maximum length",
        action="append",
        also=("search", "sweep.conditions"),
    )
    min_load = of_load("search.low", LEVEL, ": 2, 0.5/s", earlier={"--lowest": level})
    max_load = of_load("search.high", LEVEL, default=True, earlier={"--highest": level})
    settle = of_load("search.settle_s", PAUSE, default=True, also=("sweep.settle_s",))
    measure = of_load("search.measure_s", default=True)
    precision = of_load("search.precision", SHARE, default=True)
    sweep = of_load("sweep.levels", Syntax(levels, "LEVELS"), ": 10,20,50,100 or 5/s,10/s,20/s", also=("sweep",))
    step_duration = of_load("sweep.hold_s", default=True, earlier={"--hold": values.duration})


def arrange(given: Mapping[str, Any], load: dict[str, Any]) -> None:
    """Bring search or sweep into the load's form, and give it the level where it begins. Raises SpecError."""
    if given["sweep"]:
        _sweep(given, load)
    elif given["find_capacity"] and given["users"] is None and given["rate"] is None:
        load["users"] = 1
    search = load.get("search", {})
    for option, field in (("min_load", "low"), ("max_load", "high")):
        if given[option] is not None:
            search[field] = _value(given[option], f"load.search.{field}", is_rate="rate_per_s" in load)


def _sweep(given: Mapping[str, Any], load: dict[str, Any]) -> None:
    if set_twice := [name for name in SET_BY_SWEEP if name in load]:
        raise SpecError(sweep_sets(*set_twice))
    first = given["sweep"][0]
    load["rate_per_s" if first.is_rate else "users"] = first.value
    load["sweep"]["levels"] = [each.value for each in given["sweep"]]
    search = load.pop("search", {})
    load["sweep"] |= {name: search.pop(name) for name in ("conditions", "settle_s") if name in search}
    if search:
        load["search"] = search


def _value(given: Level, field: str, *, is_rate: bool) -> float:
    if given.is_rate != is_rate:
        unit = "a rate, such as 20/s" if is_rate else "a number of users"
        raise SpecError(f"{field}: this load's levels are not of that kind: give {unit}")
    return given.value


def before(load: Load) -> str:
    """What there is to say before a search or sweep begins: how long it takes. Empty for other loads."""
    if load.sweep is not None:
        levels = counted(len(load.sweep.levels), "level")
        return f"sweep: {levels} of {duration(load.sweep.hold_s)}, {duration(load.duration_s or 0)} in all"
    if load.search is None or load.duration_s is None:
        return ""
    whole = load.kind == "closed"
    most, expected_s = (
        load.search.levels(load.begins_at, whole=whole),
        load.search.expected_s(load.begins_at, whole=whole),
    )
    unit = "users" if whole else "conversations/s"
    return (
        f"search: from {exact(load.begins_at)} {unit}, up to {exact(load.search.high)}; "
        f"{duration(expected_s / most)} a level, "
        f"usually at most {most} levels ({duration(expected_s)}); ends after {duration(load.duration_s)}"
    )
