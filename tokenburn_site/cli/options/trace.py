"""Options of `burn`: replay of a trace."""

from __future__ import annotations

from argparse import ArgumentTypeError
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from connectors.spec import SpecError
from metrics.number_format import counted, duration
from runs.load.profile import Load, TraceLoad, beside_trace
from runs.load.trace import pack, unpack
from runs.load.trace_units import UNITS
from runs.planning.trace_files import read_trace
from tokenburn_site.cli.options.declare import Group, of_load, own
from tokenburn_site.cli.options.values import Syntax

SET_BY_TRACE = ("users", "rate_per_s", "arrivals", "start_jitter_s", "stages", "search", "sweep")
"""Fields of the load."""


def speed(text: str) -> float:
    """From 0.001 to 1000."""
    try:
        number = float(text.removesuffix("x"))
    except ValueError:
        number = 0.0
    if not 0.001 <= number <= 1000:
        raise ArgumentTypeError(f"{text!r} is not a speed: write for example 2, or 0.5")
    return number


@dataclass(frozen=True, kw_only=True)
class TraceOptions(Group):
    title = "trace (instead of --users and --rate)"

    trace: Path | None = own(
        "start conversations at the times of this file: CSV, JSONL or a JSON list",
        lambda text: Path(text).expanduser(),
        "FILE",
    )
    speed = of_load("speed", Syntax(speed, "X"), default=True)
    trace_unit = of_load("trace_unit", Syntax(None, None), choices=UNITS)


def arrange(given: Mapping[str, Any], load: dict[str, Any]) -> None:
    """Read the trace, as much of it as the load's bounds need. Raises SpecError."""
    path = given["trace"]
    if path is None:
        return
    if given_twice := [name for name in SET_BY_TRACE if name in load]:
        raise SpecError(beside_trace(given_twice[0]))
    fast = given["speed"] or 1.0
    within_s = None if given["duration"] is None else given["duration"] * fast
    try:
        times, unit = read_trace(path, unit=given["trace_unit"], rows=given["conversations"], within_s=within_s)
    except SpecError as exc:
        raise SpecError(f"--trace: {exc}") from exc
    load |= {"kind": "trace", "arrivals": pack(times), "trace_unit": unit}


def before(load: Load) -> str:
    """What a trace was read as, before its run begins. Empty for other loads."""
    if not isinstance(load, TraceLoad):
        return ""
    times = unpack(load.arrivals)
    many = f"{counted(len(times), 'request')} over {duration(times[-1])}"
    fast = "" if load.speed == 1 else f", sent over {duration(times[-1] / load.speed)}"
    return f"trace: {many}, timestamps read as {load.trace_unit}{fast}"
