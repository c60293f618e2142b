"""What an engine process is told on its stdin: a ShardSpec. How hard to press: a LoadProfile. All frozen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import Field, TypeAdapter, model_validator

from connectors.guard import AllowPrivate
from connectors.spec import Frozen, SpecError, TargetSpec, spec_problems
from scenarios.spec import ScenarioSpec


class ClosedLoad(Frozen):
    """Closed loop: each of `users` holds one conversation after another until the time or the number is reached."""

    kind: Literal["closed"] = "closed"
    users: int = Field(ge=1, le=1_000_000)
    duration_s: float | None = Field(None, gt=0, le=7 * 86400)
    conversations: int | None = Field(None, ge=1)
    grace_s: float = Field(30.0, ge=0)
    """How long turns in flight may go on after the end of `duration_s`; then they are aborted."""

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.duration_s is None and self.conversations is None:
            raise ValueError("give a duration or a number of conversations: a load must end")
        return self


class OpenLoad(Frozen):
    """Open loop: conversations arrive at `rate_per_s`, whatever the target does; missed arrivals are dropped."""

    kind: Literal["open"] = "open"
    rate_per_s: float = Field(gt=0, le=1_000_000)
    arrivals: Literal["constant", "poisson"] = "constant"
    duration_s: float | None = Field(None, gt=0, le=7 * 86400)
    conversations: int | None = Field(None, ge=1)
    max_sessions: int = Field(10_000, ge=1)
    """Sessions open at once over all shards; an arrival beyond that is dropped and counted."""
    grace_s: float = Field(30.0, ge=0)

    @model_validator(mode="after")
    def _bounded(self) -> Self:
        if self.duration_s is None and self.conversations is None:
            raise ValueError("give a duration or a number of conversations: a load must end")
        return self


LoadProfile = Annotated[ClosedLoad | OpenLoad, Field(discriminator="kind")]
_load: TypeAdapter[ClosedLoad | OpenLoad] = TypeAdapter(LoadProfile)


def parse_load(data: Mapping[str, Any]) -> ClosedLoad | OpenLoad:
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
