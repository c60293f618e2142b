"""Search and sweep, the parts of a load that find a target's capacity: a search for the highest level that meets its
conditions, and a sweep over given levels. Pure.

A level is a number of users, or conversations a second in an open loop.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from typing import Any, Final, NamedTuple, Self

from pydantic import Field, ValidationError, model_validator

from connectors.spec import Frozen

OVERHEAD_S: Final = 3.0
"""Overhead of a level besides settling and measuring: until all engines have it, and until its last second is
stored."""
LOWEST_SHARE: Final = 1000
"""A rate is lowered to at least this share of the start level."""
SETTLE_S: Final = 5.0
LEAVE_OUT: Final = ("warm_up_s", "cool_down_s", "max_turns_per_s")
"""Parts of a load that would distort a level."""


class Span(NamedTuple):
    """Whole seconds since the start, [from_s, to_s), in which `level` is measured; it was set at `set_s`."""

    level: float
    set_s: float
    from_s: int
    to_s: int


class Search(Frozen):
    """The search starts at the load's own level. `duration_s` is its maximum duration."""

    conditions: tuple[str, ...] = Field(
        min_length=1, max_length=20, description="Thresholds that a level must meet, such as ttft_ms.p95<800."
    )
    low: float | None = Field(
        None,
        gt=0,
        description="Lowest level of the search. Default: 1 user, or a thousandth of the rate at which it begins.",
    )
    high: float = Field(1000.0, gt=0, le=1_000_000, description="Highest level of the search.")
    settle_s: float = Field(
        SETTLE_S,
        ge=0,
        le=3600,
        description="Wait after each change of the load. Longer if answers that began before the change take longer.",
    )
    measure_s: float = Field(
        10.0,
        ge=1,
        le=3600,
        description="How long to measure each level. Longer where there are too few turns for a percentile.",
    )
    precision: float = Field(
        0.02,
        gt=0,
        le=0.5,
        description="How close to find the limit. The distance of the highest good and the lowest bad level, as a "
        "share of the level; users are whole.",
    )

    def lowest(self, start: float, *, whole: bool) -> float:
        return self.low if self.low is not None else (1.0 if whole else start / LOWEST_SHARE)

    def levels(self, start: float, *, whole: bool) -> int:
        """Maximum number of levels, unless noise requires repetitions."""
        ups, downs = self.high / start, start / self.lowest(start, whole=whole)
        parts = 0.5 / self.precision
        if whole:
            parts = min(parts, max(self.high, start) / 2)
        halvings = math.ceil(math.log2(max(parts, 1.0)))
        return 3 + math.ceil(math.log2(max(ups, downs, 1.0))) + halvings

    def expected_s(self, start: float, *, whole: bool) -> float:
        """Expected duration of this many levels."""
        return self.levels(start, whole=whole) * (self.settle_s + self.measure_s + OVERHEAD_S)

    def problem(self, start: float, *, whole: bool) -> str:
        """What is wrong with it for a load with the start level `start`; empty: nothing."""
        low = self.lowest(start, whole=whole)
        if not start:
            return "load.search needs a level above zero to begin at"
        if whole and (self.high != int(self.high) or low != int(low)):
            return f"load.search.low {low:g} and load.search.high {self.high:g} are users: whole numbers"
        if not low <= start <= self.high:
            bounds = f"load.search.low {low:g} and load.search.high {self.high:g}"
            return f"load.search begins at {start:g}, which is not between {bounds}"
        return ""


class Sweep(Frozen):
    """Holds one level after another. The load's stages and start level are derived from it."""

    levels: tuple[float, ...] = Field(
        min_length=1,
        max_length=100,
        description="Measure one level after another. Users, or conversations a second.",
        json_schema_extra={"items": {"type": "number", "exclusiveMinimum": 0, "maximum": 1_000_000}},
    )
    hold_s: float = Field(20.0, ge=3, le=86400, description="How long to hold each level.")
    settle_s: float | None = Field(
        None,
        ge=0,
        description="The first part of each level, which is not measured. Default: a quarter of it, at most 5 s.",
    )
    conditions: tuple[str, ...] = Field(
        (), max_length=20, description="Thresholds by which each level is called good or bad."
    )

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        if any(not 0 < level <= 1_000_000 for level in self.levels):
            raise ValueError("load.sweep.levels are numbers above 0, up to 1,000,000")
        if self.hold_s - self.settled_s < 2:
            raise ValueError(
                f"load.sweep.hold_s {self.hold_s:g} s less {self.settled_s:g} s to settle leave too little to measure"
            )
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
    """A load's data with what its sweep or search implies: stages and start level (`field`), or the maximum duration.
    Invalid data is left for validation to report."""
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


def beside_sweep(fields: Collection[str]) -> str:
    """Why a load with a sweep cannot have a search with these fields."""
    if "conditions" in fields:
        return "give load.search or load.sweep, not both: the conditions of a sweep are load.sweep.conditions"
    return f"load.sweep measures its own levels: leave {_listed([f'search.{name}' for name in sorted(fields)])} out"


def sweep_sets(*fields: str) -> str:
    """Why a load with a sweep cannot have these fields."""
    return f"load.sweep sets all levels and load.sweep.hold_s how long each: leave {_listed(fields)} out"


def _listed(fields: Sequence[str]) -> str:
    return ", ".join(f"load.{name}" for name in fields)


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
        return f"load.{what} needs load.users or load.rate_per_s: leave it out"
    if unfit := [name for name in LEAVE_OUT if getattr(load, name)]:
        return f"load.{what} sets its own levels and times: leave {_listed(unfit)} out"
    if search is not None:
        stages = "load.search has no stages: leave load.stages out" if load.stages else ""
        return stages or search.problem(load.begins_at, whole=whole)
    if [stage.model_dump() for stage in load.stages] != sweep.stages() or load.begins_at != sweep.levels[0]:
        return sweep_sets("stages")
    if whole and any(level != int(level) for level in sweep.levels):
        return "load.sweep.levels are users: whole numbers"
    return ""
