"""Options of `burn`: conversations that begin when those of a recorded trace did."""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from connectors.spec import SpecError
from runs.engine.spec import Load, TraceLoad
from runs.engine.trace import pack, unpack
from runs.engine.trace_units import UNITS, duration_text
from runs.traces import read_trace
from tokenburn_site.burn.errors import BadUsage

NOT_WITH = ("sweep", "find_capacity", "users", "rate", "arrivals", "stages", "start_jitter")


def add(parser: ArgumentParser) -> None:
    """Add the options."""
    trace = parser.add_argument_group("when a trace says (instead of --users and --rate)")
    trace.add_argument("--trace", metavar="FILE", help="conversations begin at its times: CSV, JSONL or a JSON list")
    trace.add_argument("--speed", type=speed, metavar="X", help="2: twice as fast as it was; default 1")
    trace.add_argument(
        "--trace-unit", choices=UNITS, help="of its numbers, where neither their name nor their form says so"
    )


def load_data(given: Mapping[str, Any]) -> dict[str, Any]:
    """What they add to the load's data: all of it but its bounds. Raises BadUsage."""
    if given["trace"] is None:
        for name in ("speed", "trace_unit"):
            if given[name] is not None:
                raise BadUsage(f"--{name.replace('_', '-')} is for --trace: leave it out")
        return {}
    for name in NOT_WITH:
        if given[name] is not None:
            raise BadUsage(f"--trace says when conversations begin: leave --{name.replace('_', '-')} out")
    fast = given["speed"] or 1.0
    within_s = None if given["duration"] is None else given["duration"] * fast
    try:
        times, unit = read_trace(
            Path(given["trace"]), unit=given["trace_unit"], rows=given["conversations"], within_s=within_s
        )
    except SpecError as exc:
        raise BadUsage(f"--trace: {exc}") from exc
    return {"kind": "trace", "arrivals": pack(times), "trace_unit": unit, "speed": fast}


def before(load: Load) -> str:
    """What a trace was read as, before its run begins. Empty for other loads."""
    if not isinstance(load, TraceLoad):
        return ""
    times = unpack(load.arrivals)
    many = f"{len(times):,} request{'' if len(times) == 1 else 's'} over {duration_text(times[-1])}"
    fast = "" if load.speed == 1 else f", sent over {duration_text(times[-1] / load.speed)}"
    return f"trace: {many}, timestamps read as {load.trace_unit}{fast}"


def speed(text: str) -> float:
    """From 0.001 to 1000."""
    try:
        number = float(text.removesuffix("x"))
    except ValueError:
        number = 0.0
    if not 0.001 <= number <= 1000:
        raise ArgumentTypeError(f"{text!r} is not a speed: write for example 2, or 0.5")
    return number
