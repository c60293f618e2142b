"""The load: part of a plan, of a run, and of an engine's order. Frozen."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal, Self

from pydantic import ConfigDict, Field, TypeAdapter, model_validator

from connectors.spec import Frozen, SpecError
from inputs.json_limits import TOO_DEEP, json_problem, text_problem
from runs.load.budget import Budget
from runs.load.earlier_names import load_renamed, present_load
from runs.load.problems import load_problems
from runs.load.schema_rules import level_may_be_left_out, times_in_any_form
from runs.load.search import Search, Sweep, beside_sweep, completed, problem
from runs.load.trace import pack, unpack
from runs.load.trace_units import SECONDS, ReadAs, UnitDoubt, since_first
from runs.load.typed import as_read, read_as_numbers
from runs.load.users import UserProfile

LONGEST_S: Final = 7 * 86400


class Stage(Frozen):
    """A straight line from the previous level to `to` in `duration_s`; zero duration: a jump."""

    duration_s: float = Field(ge=0, le=LONGEST_S)
    to: float = Field(ge=0, le=1_000_000)


class _Load(Frozen):
    """What every load has. With `stages` the level changes with time, and `duration_s` is their sum."""

    model_config = ConfigDict(json_schema_extra=level_may_be_left_out)

    stages: tuple[Stage, ...] = Field(
        (), max_length=1000, description="Instead of load.duration_s: length and final level of each stage."
    )
    duration_s: float | None = Field(None, gt=0, le=LONGEST_S, description="Length of the load.")
    conversations: int | None = Field(None, ge=1, description="End the load after N conversations.")
    warm_up_s: float = Field(
        0.0,
        ge=0,
        description="Exclude the first part of the load from all figures. Turns that are planned for it are recorded.",
    )
    cool_down_s: float = Field(
        0.0,
        ge=0,
        description="Exclude the last part of the load from all figures. Turns that are planned for it are recorded.",
    )
    max_turns_per_s: float | None = Field(
        None,
        gt=0,
        description="Maximum rate of turns. Over all engines; a turn that would exceed it is planned for later.",
    )
    grace_s: float = Field(
        30.0,
        ge=0,
        description="Time for answers in flight after the end of the load. Then they are aborted.",
    )
    budget: Budget = Budget()
    user_profile: UserProfile = UserProfile()
    search: Search | None = None
    sweep: Sweep | None = None

    @model_validator(mode="before")
    @classmethod
    def _earlier_names(cls, data: Any) -> Any:
        return load_renamed(data) if isinstance(data, Mapping) else data

    @model_validator(mode="before")
    @classmethod
    def _length(cls, data: Any) -> Any:
        """The stages say how long the load lasts."""
        if isinstance(data, Mapping) and _is_given(data, "search") and _is_given(data, "sweep", "levels"):
            raise ValueError(beside_sweep(data["search"]))
        data = completed(data, _level_field(cls)) if isinstance(data, Mapping) else data
        if not isinstance(data, Mapping) or not data.get("stages") or data.get("duration_s") is not None:
            return data
        try:
            total_s = sum(float(_of(stage, "duration_s")) for stage in data["stages"])
        except (TypeError, ValueError, LookupError, AttributeError):
            return data  # the stages' own validation says what is wrong
        if total_s == 0 or total_s > LONGEST_S:
            raise ValueError(f"load.stages: all together must be longer than 0 s, and at most {LONGEST_S} s")
        return {**data, "duration_s": total_s}

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if wrong := problem(self):
            raise ValueError(wrong)
        if self.duration_s is None and self.conversations is None:
            raise ValueError("no end: give load.duration_s, load.stages or load.conversations")
        if self.cool_down_s and self.duration_s is None:
            raise ValueError("load.cool_down_s is the last part of the load: it needs load.duration_s")
        if self.duration_s is not None and self.warm_up_s + self.cool_down_s >= self.duration_s:
            raise ValueError("load.warm_up_s and load.cool_down_s leave nothing of load.duration_s to count")
        if self.user_profile.conversations_per_user > 1 and not isinstance(self, ClosedLoad):
            raise ValueError(
                "load.user_profile.conversations_per_user applies only to load.users: each arrival is one conversation"
            )
        total_s = sum(stage.duration_s for stage in self.stages)
        if self.stages and self.duration_s is not None and abs(total_s - self.duration_s) > 1e-6:
            raise ValueError(f"load.stages replaces load.duration_s, {self.duration_s:g} s: leave load.duration_s out")
        return self

    @property
    @abstractmethod
    def begins_at(self) -> float:
        """The level before the first stage: users, or conversations a second."""

    @property
    def counted_ns(self) -> tuple[int, int | None]:
        """The span in which turns count, by their planned times; None: to the end."""
        end_s = None if self.duration_s is None or not self.cool_down_s else self.duration_s - self.cool_down_s
        return int(self.warm_up_s * 1e9), None if end_s is None else int(end_s * 1e9)


def _is_given(data: Mapping[str, Any], part: str, field: str = "") -> bool:
    found = data.get(part)
    return isinstance(found, Mapping) and bool(found) and (not field or field in found)


def _level_field(kind: type[_Load]) -> str:
    return "rate_per_s" if "rate_per_s" in kind.model_fields else "users"


def _of(stage: Any, name: str) -> Any:
    return stage[name] if isinstance(stage, Mapping) else getattr(stage, name)


class ClosedLoad(_Load):
    """Closed loop: each of `users` holds one conversation after another until the time or the number is reached."""

    kind: Literal["closed"] = "closed"
    users: int = Field(
        ge=0,
        le=1_000_000,
        description="Closed loop: number of users, each with one conversation after another.",
    )
    start_jitter_s: float = Field(
        0.0, ge=0, le=3600, description="Delay the start of each user by a random time up to T."
    )

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.peak:
            raise ValueError("no load: give at least one user in load.users, or in load.stages")
        return self

    @property
    def begins_at(self) -> float:
        return self.users

    @property
    def peak(self) -> int:
        """The maximum number of users at the same time."""
        return math.ceil(max([self.users, *(stage.to for stage in self.stages)]))


class OpenLoad(_Load):
    """Open loop: conversations arrive at `rate_per_s`, whatever the target does; missed arrivals are dropped."""

    kind: Literal["open"] = "open"
    rate_per_s: float = Field(
        ge=0, le=1_000_000, description="Open loop: start conversations at this rate. Whatever the target does."
    )
    arrivals: Literal["constant", "poisson"] = Field("constant", description="How load.rate_per_s is spread over time.")
    max_sessions: int = Field(10_000, ge=1)
    """Maximum number of open sessions over all shards; further arrivals are dropped and counted."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.rate_per_s and not any(stage.to for stage in self.stages):
            raise ValueError("no load: give a rate above zero in load.rate_per_s, or in load.stages")
        return self

    @property
    def begins_at(self) -> float:
        return self.rate_per_s


def beside_trace(field: str) -> str:
    """Why a load that replays a trace cannot have this field."""
    return f"a trace has its own times: leave load.{field} out, or give load.speed"


class TraceLoad(_Load):
    """Conversations arrive at the times of a recorded trace; row i of it is conversation i. Missed ones are dropped.

    Give `arrivals_s`, a list of seconds since the start, or `timestamps`, the numbers of a recording, both ascending;
    they are kept packed. `duration_s` and `conversations` may end the load before the trace does.
    """

    model_config = ConfigDict(json_schema_extra=times_in_any_form)

    kind: Literal["trace"] = "trace"
    arrivals: str = Field(min_length=1, repr=False)
    """Packed by `runs.load.trace`."""
    trace_unit: ReadAs | None = Field(
        None,
        description="Unit of the numbers, if the file does not show it. Of a stored load what they were read as; null: "
        "they were given as arrivals_s.",
    )
    speed: float = Field(1.0, ge=0.001, le=1000, description="2: twice as fast as recorded.")
    max_sessions: int = Field(10_000, ge=1)
    """As in an open loop."""

    @model_validator(mode="before")
    @classmethod
    def _packed(cls, data: Any) -> Any:
        """A trace ends by itself: neither a duration nor a number of conversations is needed."""
        if not isinstance(data, Mapping):
            return data
        for name in ("stages", "sweep"):
            if data.get(name):
                raise ValueError(beside_trace(name))
        data = dict(data)
        if "timestamps" in data:
            data |= _of_timestamps(data)
        elif "arrivals_s" in data and data.get("trace_unit") not in (None, "s"):
            raise ValueError("arrivals_s are seconds: with a trace_unit give timestamps")
        if "arrivals_s" in data:
            try:
                data["arrivals"] = pack(map(_seconds, data.pop("arrivals_s")))
            except TypeError as exc:
                raise ValueError("arrivals_s is a list of seconds since the start, ascending") from exc
        if isinstance(data.get("arrivals"), str):
            rows = len(unpack(data["arrivals"]))
            asked = data.get("conversations")
            data["conversations"] = min(asked, rows) if isinstance(asked, int) else asked or rows
        return data

    @property
    def begins_at(self) -> float:
        return self.speed


def _seconds(value: Any) -> float:
    if isinstance(value, bool):
        raise TypeError
    return float(value)


def _of_timestamps(data: dict[str, Any]) -> dict[str, Any]:
    """`arrivals_s` and `trace_unit` in place of the timestamps in `data`. Raises ValueError."""
    if "arrivals_s" in data or "arrivals" in data:
        raise ValueError("give timestamps or arrivals_s, not both")
    unit, numbers = data.get("trace_unit"), data.pop("timestamps")
    if unit not in (None, *SECONDS) or not isinstance(numbers, list | tuple):
        raise ValueError("timestamps is a list of numbers, ascending; trace_unit one of s, ms, us, ns or days")
    try:
        times, found = since_first(numbers, unit)
    except UnitDoubt as exc:
        raise ValueError(f"the unit of timestamps is ambiguous: {exc}: set trace_unit to s, ms, us or ns") from exc
    return {"arrivals_s": times, "trace_unit": found}


Load = ClosedLoad | OpenLoad | TraceLoad
LoadProfile = Annotated[Load, Field(discriminator="kind")]
_load: TypeAdapter[Load] = TypeAdapter(LoadProfile)


def parse_load(data: Mapping[str, Any]) -> Load:
    """Validate a load profile's data. Raises SpecError naming each wrong field, as in `load.users`."""
    if problem := json_problem(data):  # numbers have words of their own
        wrong = f"load {TOO_DEEP}" if problem == TOO_DEEP else text_problem(data, "load")
        if wrong:
            raise SpecError(wrong)
    try:
        load = _load.validate_python(dict(data))
    except ValueError as exc:
        raise SpecError(load_problems(exc, LoadProfile)) from exc
    if no_numbers := list(read_as_numbers(present_load(data), load.model_dump(mode="json"))):
        raise SpecError("; ".join(f"{path}: must be a number" for path in no_numbers))
    return load


def stored_load(data: Mapping[str, Any], notes: list[str] | None = None) -> dict[str, Any]:
    """A valid load's data as a plan stores it: under present names (see `present_load`), with numbers as numbers."""
    found = present_load(data, notes)
    typed: dict[str, Any] = as_read(found, parse_load(found).model_dump(mode="json"))
    return typed
