"""Loads for people: a trace's many times are a few words, and put back when what is shown comes back. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from runs.engine.trace import unpack

SHOWN_TIMES: Final = 20
TIMES: Final = ("arrivals_s", "timestamps", "arrivals")
"""As given, and as packed by `runs.engine.trace`."""


def arrivals_text(load: Mapping[str, Any]) -> str:
    """As in "5,000 arrivals from 0 s to 812.4 s", of times as they were given; empty for others."""
    name = next((name for name in ("arrivals_s", "timestamps") if isinstance(load.get(name), list)), None)
    return _words(load[name], _unit(name, load)) if name else ""


def folded(load: Any) -> Any:
    """`load` with the times of a trace as one text: how many they are, the first and the last."""
    if not isinstance(load, Mapping) or load.get("kind") != "trace":
        return load
    return {name: _folded(value, _unit(name, load)) if name in TIMES else value for name, value in load.items()}


def _unit(name: str, load: Mapping[str, Any]) -> str:
    return f" {load.get('trace_unit') or ''}".rstrip() if name == "timestamps" else " s"


def unfolded(load: Any, before: Any) -> Any:
    """What `folded` took out of `before` put back, where its words still stand; everything else as it is now."""
    if not isinstance(load, Mapping) or not isinstance(before, Mapping):
        return load
    shown = folded(before)
    kept = {name for name in TIMES if name in before and load.get(name) == shown[name]}
    return {name: before[name] if name in kept else value for name, value in load.items()}


def _folded(times: Any, unit: str) -> Any:
    if isinstance(times, str):
        try:
            times = unpack(times)
        except ValueError:
            return times
    elif not isinstance(times, list) or len(times) <= SHOWN_TIMES:
        return times
    words = _words(times, unit)
    return f"{words}, kept as they are" if words else times


def _words(times: Sequence[Any], unit: str) -> str:
    """Empty for what no load can follow: a plan of an earlier version, say."""
    try:
        first, last = float(times[0]), float(times[-1])
    except (IndexError, TypeError, ValueError):
        return ""
    return f"{len(times):,} arrival{'' if len(times) == 1 else 's'} from {first:,.6g}{unit} to {last:,.6g}{unit}"
