"""How much of a target a load may take at its peak. Pure."""

from __future__ import annotations

from collections import deque

from runs.load.profile import ClosedLoad, Load, TraceLoad
from runs.load.trace import unpack


def users_of(load: Load) -> int:
    """Conversations that may be open at the same time."""
    if not isinstance(load, ClosedLoad):
        return load.max_sessions
    peak = load.peak if load.search is None else max(load.peak, int(load.search.high))
    return peak * load.user_profile.connections


def arrivals_of(load: Load) -> float:
    """Conversations that begin in the busiest second; 0 for a closed loop."""
    if isinstance(load, ClosedLoad):
        return 0.0
    if isinstance(load, TraceLoad):
        return float(_busiest(unpack(load.arrivals), load.speed))
    highest = max([load.rate_per_s, *(stage.to for stage in load.stages)])
    return highest if load.search is None else max(highest, load.search.high)


def _busiest(times_s: list[float], speed: float) -> int:
    """Most arrivals in any second of the replay."""
    second: deque[float] = deque()
    most = 0
    for at_s in times_s:
        second.append(at_s)
        while at_s - second[0] >= speed:
            second.popleft()
        most = max(most, len(second))
    return most


def at_level(load: Load, level: float) -> tuple[int, float]:
    """Users and conversations per second after a change of the load to this level."""
    if isinstance(load, ClosedLoad):
        return int(level) * load.user_profile.connections, 0.0
    if isinstance(load, TraceLoad):
        return load.max_sessions, float(_busiest(unpack(load.arrivals), level)) if level else 0.0
    return load.max_sessions, level
