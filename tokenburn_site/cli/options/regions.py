"""Options of `burn`: regions of its engines."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from runs.workers.regions import region_problem, regions_problem
from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options.declare import Group, own


def region(text: str) -> str:
    if problem := region_problem(text):
        raise ArgumentTypeError(problem)
    return text


@dataclass(frozen=True, kw_only=True)
class RegionOptions(Group):
    title = "regions (with --workers)"

    regions: tuple[str, ...] = own(
        "run the engines in this region; repeatable: spread evenly. Default: any region",
        region,
        "NAME",
        flag="--region",
        action="append",
    )


def check_regions(given: Mapping[str, Any]) -> None:
    found = given["regions"] or ()
    if found and not given["workers"]:
        raise BadUsage("--region needs --workers: add it, or leave --region out")
    if problem := regions_problem(found, given["processes"]):
        raise BadUsage(f"--region: {problem}")
