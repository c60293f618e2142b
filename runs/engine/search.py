"""Parts of a LoadProfile that look for a chatbot's capacity: a search for the highest level that keeps its conditions,
and a sweep over levels that are known beforehand. Pure.

A level is a number of users, or conversations a second in an open loop.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from connectors.spec import Frozen

OVERHEAD_S: Final = 3.0
"""What a level costs beside settling and measuring: until all engines know of it, until its last second is stored."""
LOWEST_SHARE: Final = 1000
"""A rate is lowered to this part of where it began, at most."""
SETTLE_S: Final = 5.0
LEAVE_OUT: Final = ("warm_up_s", "cool_down_s", "max_turns_per_s")
"""What would falsify a level."""


class Span(NamedTuple):
    """Whole seconds since the start, [from_s, to_s), in which `level` is measured; it was set at `set_s`."""

    level: float
    set_s: float
    from_s: int
    to_s: int


class Search(Frozen):
    """The load's own level is where it begins. `duration_s` is the longest that it may take."""

    conditions: tuple[str, ...] = Field(min_length=1, max_length=20)
    """Thresholds that a level must keep, as in `ttft_ms.p95<800`."""
    low: float | None = Field(None, gt=0)
    """Never fewer; default: 1 user, or a thousandth of the rate at which it begins."""
    high: float = Field(1000.0, gt=0, le=1_000_000)
    settle_s: float = Field(SETTLE_S, ge=0, le=3600)
    """After each change, before anything is measured; longer if answers that began before the change take longer."""
    measure_s: float = Field(10.0, ge=1, le=3600)
    """Longer where there are too few turns for a percentile, at most `runs.stepping.LONGER` times."""
    precision: float = Field(0.02, gt=0, le=0.5)
    """How close the highest good and the lowest bad level must come, of the level; users are whole."""

    def lowest(self, start: float, *, whole: bool) -> float:
        return self.low if self.low is not None else (1.0 if whole else start / LOWEST_SHARE)

    def levels(self, start: float, *, whole: bool) -> int:
        """How many it measures at most, unless noise makes it measure some again."""
        ups, downs = self.high / start, start / self.lowest(start, whole=whole)
        parts = 0.5 / self.precision
        if whole:
            parts = min(parts, max(self.high, start) / 2)
        halvings = math.ceil(math.log2(max(parts, 1.0)))
        return 3 + math.ceil(math.log2(max(ups, downs, 1.0))) + halvings

    def expected_s(self, start: float, *, whole: bool) -> float:
        """How long so many levels take."""
        return self.levels(start, whole=whole) * (self.settle_s + self.measure_s + OVERHEAD_S)

    def problem(self, start: float, *, whole: bool) -> str:
        """What is wrong with it for a load that begins at `start`; empty: nothing."""
        low = self.lowest(start, whole=whole)
        if not start:
            return "a search needs a level above zero to begin at"
        if whole and (self.high != int(self.high) or low != int(low)):
            return f"search.low {low:g} and search.high {self.high:g} are users: whole numbers"
        if not low <= start <= self.high:
            return f"a search begins at {start:g}, which is not between its low {low:g} and its high {self.high:g}"
        return ""


class Sweep(Frozen):
    """Holds one level after the other. The load's stages are made of it, and its beginning."""

    levels: tuple[float, ...] = Field(min_length=1, max_length=100)
    hold_s: float = Field(20.0, ge=3, le=86400)
    settle_s: float | None = Field(None, ge=0)
    """The first part of each level, which is not measured; default: a quarter of it, at most 5 s."""
    conditions: tuple[str, ...] = Field((), max_length=20)
    """Thresholds by which each level is called good or bad."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if any(not 0 < level <= 1_000_000 for level in self.levels):
            raise ValueError("levels are numbers above 0, up to 1,000,000")
        if self.hold_s - self.settled_s < 2:
            raise ValueError(f"of {self.hold_s:g} s, {self.settled_s:g} s to settle leave less than 2 s to measure")
        return self

    @property
    def settled_s(self) -> float:
        return min(SETTLE_S, self.hold_s / 4) if self.settle_s is None else self.settle_s

    def stages(self) -> list[dict[str, float]]:
        """As data of a load: hold, jump, hold, ..."""
        made: list[dict[str, float]] = []
        for number, level in enumerate(self.levels):
            jump = [{"duration_s": 0.0, "to": level}] if number else []
            made += [*jump, {"duration_s": self.hold_s, "to": level}]
        return made

    def spans(self) -> list[Span]:
        """What is measured of each level, in their order."""
        found = []
        for number, level in enumerate(self.levels):
            begin_s = number * self.hold_s
            found.append(Span(level, begin_s, math.ceil(begin_s + self.settled_s), int(begin_s + self.hold_s)))
        return found


def completed(data: Mapping[str, Any], field: str) -> Mapping[str, Any]:
    """A load's data with what its sweep or search says of it: stages and beginning (`field`), or the longest duration.

    What is not valid is left for validation to name.
    """
    try:
        if data.get("sweep") and not data.get("stages"):
            sweep = Sweep.model_validate(data["sweep"])
            first = sweep.levels[0]
            begin = int(first) if field == "users" and first == int(first) else first
            return {**data, field: begin, "stages": sweep.stages()}
        if data.get("search") and data.get("duration_s") is None:
            search = Search.model_validate(data["search"])
            start, whole = float(data[field]), field == "users"
            return {**data, "duration_s": 2 * search.expected_s(start, whole=whole)}
    except (ValidationError, TypeError, ValueError, LookupError, ArithmeticError):
        pass
    return data


def conditions_of(load: Any) -> tuple[str, ...]:
    """The conditions of a LoadProfile's search or sweep."""
    part = load.search or load.sweep
    return () if part is None else tuple(part.conditions)


def problem(load: Any) -> str:
    """What is wrong with the search or sweep of a LoadProfile as a whole; empty: nothing, or it has neither."""
    search, sweep, whole = load.search, load.sweep, load.kind == "closed"
    if search is None and sweep is None:
        return ""
    what = "search" if search is not None else "sweep"
    if load.kind not in {"closed", "open"}:
        return f"a {what} needs users or a rate, which a load of the kind {load.kind!r} has not"
    if search is not None and sweep is not None:
        return "give a search or a sweep, not both: a sweep has conditions of its own"
    if unfit := [name for name in LEAVE_OUT if getattr(load, name)]:
        return f"a {what} sets its own levels and measures them in its own time: leave out {', '.join(unfit)}"
    if search is not None:
        return "a search has no stages: leave them out" if load.stages else search.problem(load.begins_at, whole=whole)
    if [stage.model_dump() for stage in load.stages] != sweep.stages() or load.begins_at != sweep.levels[0]:
        return "a sweep makes the load's stages and its beginning: leave them out"
    if whole and any(level != int(level) for level in sweep.levels):
        return "sweep.levels are users: whole numbers"
    return ""
