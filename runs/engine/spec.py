"""What an engine process is told on its stdin: a ShardSpec. How hard to press: a LoadProfile. All frozen."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from connectors.guard import AllowPrivate
from connectors.spec import Frozen, SpecError, TargetSpec, spec_problems
from runs.engine.budget import Budget
from runs.engine.people import People
from runs.engine.search import Search, Sweep, completed, problem
from runs.engine.trace import pack, unpack
from runs.engine.trace_units import SECONDS, ReadAs, UnitDoubt, since_first
from scenarios.spec import ScenarioSpec


class Stage(Frozen):
    """From the level before it to `to` in `duration_s`, in a straight line; in no time at all: a jump."""

    duration_s: float = Field(ge=0, le=7 * 86400)
    to: float = Field(ge=0, le=1_000_000)


class _Load(Frozen):
    """What every load has. With `stages` the level changes with time, and `duration_s` is their sum."""

    stages: tuple[Stage, ...] = Field((), max_length=1000)
    duration_s: float | None = Field(None, gt=0, le=7 * 86400)
    conversations: int | None = Field(None, ge=1)
    warm_up_s: float = Field(0.0, ge=0)
    cool_down_s: float = Field(0.0, ge=0)
    """Turns that are planned for the first, or the last, so many seconds are recorded and not counted."""
    max_turns_per_s: float | None = Field(None, gt=0)
    """A cap over all engines: a turn that would exceed it is planned for later."""
    grace_s: float = Field(30.0, ge=0)
    """How long turns in flight may go on after the end of `duration_s`; then they are aborted."""
    budget: Budget = Budget()
    people: People = People()
    search: Search | None = None
    sweep: Sweep | None = None

    @model_validator(mode="before")
    @classmethod
    def _length(cls, data: Any) -> Any:
        """The stages say how long the load lasts."""
        data = completed(data, _level_field(cls)) if isinstance(data, Mapping) else data
        if not isinstance(data, Mapping) or not data.get("stages") or data.get("duration_s") is not None:
            return data
        try:
            return {**data, "duration_s": sum(float(_of(stage, "duration_s")) for stage in data["stages"])}
        except (TypeError, ValueError, LookupError, AttributeError):
            return data  # the stages' own validation says what is wrong

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if wrong := problem(self):
            raise ValueError(wrong)
        if self.duration_s is None and self.conversations is None:
            raise ValueError("give a duration or a number of conversations: a load must end")
        if self.cool_down_s and self.duration_s is None:
            raise ValueError("a cool-down needs a duration: it is its last part")
        if self.duration_s is not None and self.warm_up_s + self.cool_down_s >= self.duration_s:
            raise ValueError("warm-up and cool-down leave nothing of the duration to count")
        if self.people.at_once > 1 and not isinstance(self, ClosedLoad):
            raise ValueError("people.at_once is for the users of a closed loop: arrivals hold one conversation each")
        total_s = sum(stage.duration_s for stage in self.stages)
        if self.stages and self.duration_s is not None and abs(total_s - self.duration_s) > 1e-6:
            raise ValueError(f"the stages last {total_s:g} s and duration_s says {self.duration_s:g}: leave it out")
        return self

    @property
    def begins_at(self) -> float:
        """The level before the first stage: users, or conversations a second."""
        raise NotImplementedError  # each kind has its own

    @property
    def counted_ns(self) -> tuple[int, int | None]:
        """From when until when turns count, by the time they are planned for; None: to the end."""
        end_s = None if self.duration_s is None or not self.cool_down_s else self.duration_s - self.cool_down_s
        return int(self.warm_up_s * 1e9), None if end_s is None else int(end_s * 1e9)


def _level_field(kind: type[_Load]) -> str:
    return "rate_per_s" if "rate_per_s" in kind.model_fields else "users"


def _of(stage: Any, name: str) -> Any:
    return stage[name] if isinstance(stage, Mapping) else getattr(stage, name)


class ClosedLoad(_Load):
    """Closed loop: each of `users` holds one conversation after another until the time or the number is reached."""

    kind: Literal["closed"] = "closed"
    users: int = Field(ge=0, le=1_000_000)
    start_jitter_s: float = Field(0.0, ge=0, le=3600)
    """Each user begins up to so much later, drawn from the seed."""

    @model_validator(mode="after")
    def _somebody(self) -> Self:
        if not self.peak:
            raise ValueError("give at least one user")
        return self

    @property
    def begins_at(self) -> float:
        return self.users

    @property
    def peak(self) -> int:
        """The most users that are there at the same time."""
        return math.ceil(max([self.users, *(stage.to for stage in self.stages)]))


class OpenLoad(_Load):
    """Open loop: conversations arrive at `rate_per_s`, whatever the target does; missed arrivals are dropped."""

    kind: Literal["open"] = "open"
    rate_per_s: float = Field(ge=0, le=1_000_000)
    arrivals: Literal["constant", "poisson"] = "constant"
    max_sessions: int = Field(10_000, ge=1)
    """Sessions open at once over all shards; an arrival beyond that is dropped and counted."""

    @model_validator(mode="after")
    def _something(self) -> Self:
        if not self.rate_per_s and not any(stage.to for stage in self.stages):
            raise ValueError("give a rate above zero")
        return self

    @property
    def begins_at(self) -> float:
        return self.rate_per_s


class TraceLoad(_Load):
    """Conversations arrive at the times of a recorded trace; row i of it is conversation i. Missed ones are dropped.

    Give `arrivals_s`, a list of seconds since the start, or `timestamps`, the numbers of a recording, both ascending;
    they are kept packed. `duration_s` and `conversations` may end the load before the trace does.
    """

    kind: Literal["trace"] = "trace"
    arrivals: str = Field(min_length=1, repr=False)
    """Packed by `runs.engine.trace`."""
    trace_unit: ReadAs | None = None
    """What `timestamps`, or the times of a file, are read as; None: they were given as `arrivals_s`."""
    speed: float = Field(1.0, ge=0.001, le=1000)
    """2: twice as fast as it was."""
    max_sessions: int = Field(10_000, ge=1)
    """As in an open loop."""

    @model_validator(mode="before")
    @classmethod
    def _packed(cls, data: Any) -> Any:
        """A trace bounds the load: no duration and no number of conversations has to be given."""
        if not isinstance(data, Mapping):
            return data
        for name in ("stages", "sweep"):
            if data.get(name):
                raise ValueError(f"a trace has its own times: leave {name} out; its speed may be given")
        data = dict(data)
        if "timestamps" in data:
            data |= _of_timestamps(data)
        elif "arrivals_s" in data and data.get("trace_unit") not in (None, "s"):
            raise ValueError("arrivals_s are seconds: with a trace_unit give timestamps")
        if "arrivals_s" in data:
            try:
                data["arrivals"] = pack(map(float, data.pop("arrivals_s")))
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
        raise ValueError(f"the unit of timestamps is in doubt: {exc}: say trace_unit: s, ms, us or ns") from exc
    return {"arrivals_s": times, "trace_unit": found}


Load = ClosedLoad | OpenLoad | TraceLoad
LoadProfile = Annotated[Load, Field(discriminator="kind")]
_load: TypeAdapter[Load] = TypeAdapter(LoadProfile)


def parse_load(data: Mapping[str, Any]) -> Load:
    """Validate a load profile's data. Raises SpecError naming each wrong field."""
    try:
        return _load.validate_python(dict(data))
    except ValueError as exc:
        raise SpecError(f"load: {spec_problems(exc)}") from exc


class WeightedScenario(Frozen):
    weight: float = Field(1.0, gt=0)
    scenario: ScenarioSpec


class ShardSpec(Frozen):
    """One engine's whole order: share `index` of `of`.

    `id_base` is added to the engine's own counters, so that a session or turn has one id everywhere:
    id = id_base + number, id_base = shard id * 2**32.
    """

    run_id: int
    shard_id: int
    index: int = Field(ge=0)
    of: int = Field(ge=1)
    seed: int
    id_base: int
    ledger_path: str
    target: TargetSpec
    scenarios: tuple[WeightedScenario, ...] = Field(min_length=1)
    load: LoadProfile
    record_chars: int = Field(4000, ge=0)
    """Characters of each message and answer that the ledger keeps."""
    allow_private: AllowPrivate = True
    """Which private and loopback addresses may be dialled (see `connectors.guard`)."""
    connectors: dict[str, str] = Field(default_factory=dict)
    """Connectors of the user's own: protocol and `module:Class`."""
    answer_within_s: float | None = Field(None, gt=0)
    """The longest wait that the run's thresholds allow any turn; None: they do not say."""
    thresholds_wait_s: float = Field(0.0, ge=0)
    """The highest limit of the run's thresholds on the time until a whole answer; 0: they have none."""
    source_addresses: tuple[str, ...] = ()
    """Of this host: connections leave from them in turn (see `connectors.wire.sources`)."""
