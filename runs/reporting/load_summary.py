"""Summarizes loads with many times as short text for forms, and restores them from it. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from metrics.number_format import counted, exact
from runs.load.trace import unpack

SHOWN_TIMES: Final = 20
TIMES: Final = ("arrivals_s", "timestamps", "arrivals")
"""As given, and as packed by `runs.load.trace`."""


def arrivals_text(load: Mapping[str, Any]) -> str:
    """As in "5,000 arrivals from 0 s to 812.4 s", of times as they were given; empty for others."""
    name = next((name for name in ("arrivals_s", "timestamps") if isinstance(load.get(name), list)), None)
    return _words(load[name], _unit(name, load)) if name else ""


def summarize(load: Any) -> Any:
    """`load` with the times of a trace as one text: how many they are, the first and the last."""
    if not isinstance(load, Mapping) or load.get("kind") != "trace":
        return load
    return {
        name: _summarize_times(value, _unit(name, load)) if name in TIMES else value for name, value in load.items()
    }


def _unit(name: str, load: Mapping[str, Any]) -> str:
    return f" {load.get('trace_unit') or ''}".rstrip() if name == "timestamps" else " s"


def restore(load: Any, before: Any) -> Any:
    """Restores from `before` what `summarize` removed, where its text is unchanged; everything else is as given."""
    if not isinstance(load, Mapping) or not isinstance(before, Mapping):
        return load
    shown = summarize(before)
    kept = {name for name in TIMES if name in before and load.get(name) == shown[name]}
    return {name: before[name] if name in kept else value for name, value in load.items()}


def _summarize_times(times: Any, unit: str) -> Any:
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
    return f"{counted(len(times), 'arrival')} from {exact(first)}{unit} to {exact(last)}{unit}"
