"""Regions: labels of worker hosts that plans refer to. Pure.

A region is a queue (`runs.workers.registry.region_queue`), so its name is short and plain.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any, Final

NAME: Final = r"[a-z0-9][a-z0-9_-]{0,39}"
PATTERN: Final = rf"^({NAME})?$"
"""Of a host's own region, which may be empty: nowhere in particular."""


def region_problem(name: object) -> str:
    """What is wrong with a region's name; empty: nothing."""
    if isinstance(name, str) and re.fullmatch(NAME, name, re.ASCII):
        return ""
    return f"{str(name)[:60]!r} is not a region: at most 40 small letters, digits, hyphens, such as eu or us-east"


def regions_problem(regions: Any, processes: int | None) -> str:
    """What is wrong with a plan's regions; empty: nothing."""
    if not isinstance(regions, list | tuple):
        return 'give a list of names, for example ["eu", "us"], or [] for anywhere'
    for name in regions:
        if problem := region_problem(name):
            return problem
    if len(set(regions)) < len(regions):
        return "a region is named twice: engines are shared evenly, so once is enough"
    if processes is not None and processes < len(regions):
        return f"{len(regions)} regions need as many processes at least, not {processes}: one engine runs in one region"
    return ""


def shard_regions(regions: Sequence[str], processes: int) -> list[str]:
    """The region of each of `processes` shards, in turn; empty: anywhere."""
    return [regions[index % len(regions)] if regions else "" for index in range(processes)]
