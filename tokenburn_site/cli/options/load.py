"""Options of `burn`: the load."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tokenburn_site.cli.errors import BadUsage
from tokenburn_site.cli.options import values
from tokenburn_site.cli.options.declare import Group, of_load, own
from tokenburn_site.cli.options.values import Syntax


@dataclass(frozen=True, kw_only=True)
class LoadOptions(Group):
    title = "load (--users or --rate; --duration, --stages or --conversations)"

    users = of_load("users", Syntax(values.level, "N"))
    rate = of_load("rate_per_s", Syntax(values.level_rate, "R"), ": 20/s, 300/m")
    arrivals = of_load("arrivals", default=True)
    duration = of_load("duration_s", more=": 30s, 2m, 1h, 500ms")
    stages = of_load("stages", Syntax(values.stages, "S"), ", such as 1m:50,5m:50,30s:0")
    max_turn_rate = of_load("max_turns_per_s", more=": 100/s")
    start_jitter = of_load("start_jitter_s")
    warm_up = of_load("warm_up_s")
    cool_down = of_load("cool_down_s")
    grace = of_load("grace_s", default=True)
    conversations = of_load("conversations")
    processes: int = own("number of engine processes; default 1", values.positive, "P", default=1)
    workers: bool = own("run on Celery workers (start them with `up`)", action="store_true")
    witness: bool = own(
        "run without the witness, the independent session that checks the figures",
        flag="--no-witness",
        action="store_false",
    )
    seed: int | None = own("seed of all random choices; default: a new one", values.seed, "S")


def check_load(given: Mapping[str, Any]) -> None:
    """Whether the options say what kind of load it is; the rest is the load's own to check. Raises BadUsage."""
    kinds = ("users", "rate", "trace", "sweep", "find_capacity")
    if all(given[name] is None for name in kinds):
        raise BadUsage("no load: give --users N, --rate 20/s or --trace FILE; see burn --help")
    if given["users"] is not None and given["rate"] is not None:
        raise BadUsage("give --users or --rate, not both; see burn --help")
