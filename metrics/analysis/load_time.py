"""The length and the end of a run's load. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from metrics.analysis.totals import Aggregate


def load_end_s(aggregate: Aggregate) -> float | None:
    """When the load ended, in s since the start, by its last engine; None: with its last answer."""
    ends = [engine.tail["load"] for engine in aggregate.engines.values() if engine.tail.get("load") is not None]
    return max(ends) / 1e9 if ends else None


def load_s(aggregate: Aggregate, load: Mapping[str, Any]) -> float:
    """How long the load that counts lasted, in s: what rates are per. Answers that came after its end do not make it
    longer. Without an end (a closed loop of so many conversations, an engine that died) from the first turn's begin to
    the last one's end."""
    begin_s, end_s, asked_s = load.get("warm_up_s") or 0.0, load_end_s(aggregate), load.get("duration_s")
    if end_s is not None and asked_s:
        end_s = min(end_s, asked_s - (load.get("cool_down_s") or 0.0))
    return aggregate.duration_s if end_s is None or end_s <= begin_s else end_s - begin_s


def load_so_far_s(load: Mapping[str, Any], at_s: float) -> float:
    """Of the first `at_s` seconds of a run, how long the load that counts has lasted by then."""
    asked_s = load.get("duration_s")
    end_s = min(at_s, asked_s - (load.get("cool_down_s") or 0.0)) if asked_s else at_s
    return float(max(0.0, end_s - (load.get("warm_up_s") or 0.0)))


def counted_end_s(aggregate: Aggregate, load: Mapping[str, Any]) -> float | None:
    """End of the counted load; None: unknown."""
    end_s, asked_s = load_end_s(aggregate), load.get("duration_s")
    return end_s if end_s is None or not asked_s else min(end_s, asked_s - (load.get("cool_down_s") or 0.0))
