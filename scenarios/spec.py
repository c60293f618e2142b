"""ScenarioSpec: what a virtual user says, step by step. Pure data, validated; `scenarios.render` walks it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator


class ScenarioError(ValueError):
    """A scenario that cannot be used; the message says where and what to do."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Say(Frozen):
    """Send a message. `answer` is the scripted reply that goes into the history when `history` is "scripted"."""

    do: Literal["say"] = "say"
    text: str = Field(min_length=1)
    answer: str | None = None


class Wait(Frozen):
    """Think. `seconds`, plus `per_character_s` for each character of the message that follows, at most `max_s`."""

    do: Literal["wait"] = "wait"
    seconds: float = Field(0.0, ge=0, le=3600)
    per_character_s: float = Field(0.0, ge=0, le=10)
    max_s: float = Field(60.0, ge=0, le=3600)


class Expect(Frozen):
    """Check the answer to the `say` before. All given checks must hold, else the turn fails: `expect_failed`."""

    do: Literal["expect"] = "expect"
    contains: str | None = None
    not_contains: str | None = None
    matches: str | None = Field(None, description="regular expression, searched in the answer")
    is_format: Literal["json", "xml"] | None = None
    min_chars: int | None = Field(None, ge=0)
    max_chars: int | None = Field(None, ge=0)


class Set(Frozen):
    """Give a variable a value: any JSON, strings in it are templates."""

    do: Literal["set"] = "set"
    name: str = Field(pattern=r"^[a-zA-Z_]\w*$")
    value: Any


class Repeat(Frozen):
    """Do `steps` `times` times; `{{ loop.index }}` counts from 1."""

    do: Literal["repeat"] = "repeat"
    times: int = Field(ge=1, le=100_000)
    steps: tuple[Step, ...] = Field(min_length=1)


Step = Annotated[Say | Wait | Expect | Set | Repeat, Field(discriminator="do")]


class ScenarioSpec(Frozen):
    """Steps, variables and pools. A pool is a list of texts: `{{ pick.topic }}` draws one, seeded by the session."""

    name: str = Field(min_length=1, max_length=120)
    description: str = ""
    system: str | None = None
    history: Literal["live", "scripted", "none"] = "live"
    variables: dict[str, Any] = Field(default_factory=dict)
    pools: dict[str, tuple[str, ...]] = Field(default_factory=dict)
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(True for _ in _says(self.steps)):
            raise ValueError("the scenario has no `say` step: it would send nothing")
        return self


def _says(steps: tuple[Step, ...]) -> Any:
    for step in steps:
        if isinstance(step, Say):
            yield step
        elif isinstance(step, Repeat):
            yield from _says(step.steps)


def parse_scenario(data: Mapping[str, Any]) -> ScenarioSpec:
    """Validate a scenario's data. Raises ScenarioError naming each wrong field."""
    try:
        return ScenarioSpec.model_validate(data)
    except ValueError as exc:
        raise ScenarioError(str(exc)) from exc
