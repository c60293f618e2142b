"""Options of `burn`: where its engines run."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from typing import Any

from runs.regions import region_problem, regions_problem
from tokenburn_site.burn.errors import BadUsage


def add(parser: ArgumentParser) -> None:
    """Add the options."""
    places = parser.add_argument_group("where (with --workers)")
    places.add_argument(
        "--region",
        dest="regions",
        action="append",
        type=_region,
        default=[],
        metavar="NAME",
        help="run the engines in this region; repeated: shared evenly. Default: wherever there is room",
    )


def regions(given: Mapping[str, Any]) -> tuple[str, ...]:
    """The regions that were given. Raises BadUsage."""
    found = tuple(given["regions"])
    if found and not given["workers"]:
        raise BadUsage("--region is for workers on other hosts: add --workers, or leave it out")
    if problem := regions_problem(found, given["processes"]):
        raise BadUsage(f"--region: {problem}")
    return found


def _region(text: str) -> str:
    if problem := region_problem(text):
        raise ArgumentTypeError(problem)
    return text
