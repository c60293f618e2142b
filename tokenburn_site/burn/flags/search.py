"""Options of `burn`: looking for the highest load that holds, or holding one load after the other."""

from __future__ import annotations

import re
from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from typing import Any, NamedTuple

from metrics.thresholds import ThresholdError, parse_thresholds
from metrics.words import counted
from runs.display import seconds_text
from runs.engine.spec import Load
from tokenburn_site.burn import values
from tokenburn_site.burn.errors import BadUsage

OF_SEARCH = {"lowest": "low", "highest": "high", "measure": "measure_s", "precision": "precision"}
"""Option and field of the search; `--settle` is of both."""
SWEPT_ALONE = ("users", "rate", "stages", "duration")
_SHARE = re.compile(r"(\d+(?:\.\d+)?|\.\d+)(%?)")


class Level(NamedTuple):
    """Users, or conversations a second."""

    value: float
    is_rate: bool


def add(parser: ArgumentParser) -> None:
    """Add the options."""
    group = parser.add_argument_group("how much it can take")
    group.add_argument(
        "--find-capacity",
        action="append",
        metavar="EXPR",
        help="the highest level that keeps it: 'ttft_ms.p95<800 and error_rate<1%%'; begins with --users or --rate "
        "(default 1 user); --duration: the longest it may take",
    )
    group.add_argument("--lowest", type=level, metavar="L", help="level below which it does not go: 2, 0.5/s")
    group.add_argument("--highest", type=level, metavar="L", help="level above which it does not go; default 1000")
    group.add_argument("--settle", type=pause, metavar="T", help="after each change of the load; default 5s")
    group.add_argument("--measure", type=values.duration, metavar="T", help="then each level is measured; default 10s")
    group.add_argument("--precision", type=share, metavar="P", help="how close the limit is found; default 2%%")
    group.add_argument(
        "--sweep", type=levels, metavar="LEVELS", help="hold one level after the other: 10,20,50,100 or 5/s,10/s,20/s"
    )
    group.add_argument("--hold", type=values.duration, metavar="T", help="how long each; default 20s")


def arranged(given: Mapping[str, Any]) -> dict[str, Any]:
    """The options with the beginning that a search or sweep gives the load. Raises BadUsage."""
    given = dict(given)
    if given["sweep"]:
        for name in SWEPT_ALONE:
            if given[name] is not None:
                raise BadUsage(f"--sweep says all levels and --hold how long each: leave --{name} out")
        first = given["sweep"][0]
        given["rate" if first.is_rate else "users"] = first.value if first.is_rate else int(first.value)
    elif given["find_capacity"] and given["users"] is None and given["rate"] is None:
        given["users"] = 1
    return given


def ends_by_itself(given: Mapping[str, Any]) -> bool:
    """Whether the load needs no duration."""
    return bool(given["sweep"] or given["find_capacity"])


def load_data(given: Mapping[str, Any]) -> dict[str, Any]:
    """What they add to the load's data. Raises BadUsage."""
    conditions = given["find_capacity"] or []
    for text in conditions:
        try:
            parse_thresholds(text)
        except ThresholdError as exc:
            raise BadUsage(f"--find-capacity: {exc}") from exc
    if given["sweep"]:
        return {"sweep": _sweep(given, conditions)}
    _refuse(given, ("hold",), "--sweep")
    if conditions:
        return {"search": _search(given, conditions)}
    _refuse(given, (*OF_SEARCH, "settle"), "--find-capacity")
    return {}


def _sweep(given: Mapping[str, Any], conditions: list[str]) -> dict[str, Any]:
    _refuse(given, OF_SEARCH, "--find-capacity without --sweep")
    found: dict[str, Any] = {"levels": [each.value for each in given["sweep"]], "conditions": conditions}
    if given["hold"] is not None:
        found["hold_s"] = given["hold"]
    if given["settle"] is not None:
        found["settle_s"] = given["settle"]
    return found


def _search(given: Mapping[str, Any], conditions: list[str]) -> dict[str, Any]:
    found: dict[str, Any] = {"conditions": conditions}
    for option, field in {**OF_SEARCH, "settle": "settle_s"}.items():
        value = given[option]
        if isinstance(value, Level):
            if value.is_rate != (given["rate"] is not None):
                unit = "a rate, such as 20/s" if given["rate"] is not None else "a number of users"
                raise BadUsage(f"--{option}: this load's levels are not of that kind: give {unit}")
            value = value.value
        if value is not None:
            found[field] = value
    return found


def _refuse(given: Mapping[str, Any], options: Any, needs: str) -> None:
    for option in options:
        if given[option] is not None:
            raise BadUsage(f"--{option} is for {needs}: leave it out")


def before(load: Load) -> str:
    """What there is to say before a search or sweep begins: how long it takes. Empty for other loads."""
    if load.sweep is not None:
        levels = counted(len(load.sweep.levels), "level")
        return f"sweep: {levels} of {load.sweep.hold_s:g} s, {load.duration_s:g} s in all"
    if load.search is None or load.duration_s is None:
        return ""
    whole = load.kind == "closed"
    most, expected_s = (
        load.search.levels(load.begins_at, whole=whole),
        load.search.expected_s(load.begins_at, whole=whole),
    )
    unit = "users" if whole else "conversations/s"
    return (
        f"search: from {load.begins_at:g} {unit}, up to {load.search.high:g}; {expected_s / most:.0f} s a level, "
        f"mostly at most {most} levels ({seconds_text(expected_s)}); ends after {seconds_text(load.duration_s)}"
    )


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


def pause(text: str) -> float:
    """A duration that may be zero."""
    return 0.0 if text in {"0", "0s"} else values.duration(text)


def share(text: str) -> float:
    """`2%` or `0.02`."""
    found = _SHARE.fullmatch(text)
    number = float(found[1]) / (100 if found[2] else 1) if found else 0.0
    if not 0 < number <= 0.5:
        raise ArgumentTypeError(f"{text!r} is not a share up to a half: write for example 2%")
    return number
