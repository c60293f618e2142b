"""ScenarioSpec: what a virtual user says, step by step. Pure data, validated; `scenarios.render` walks it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails


class ScenarioError(ValueError):
    """A scenario that cannot be used; the message says where and what to do."""


class Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Say(Frozen):
    """Send a message. `answer` is the scripted reply: it goes into the history when `history` is "scripted"."""

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

    @model_validator(mode="after")
    def _pools_are_filled(self) -> Self:
        for name, texts in self.pools.items():
            if not texts:
                raise ValueError(f"pools.{name} is empty: there is nothing to draw")
        return self


def _says(steps: tuple[Step, ...]) -> Iterator[Say]:
    for step in steps:
        if isinstance(step, Say):
            yield step
        elif isinstance(step, Repeat):
            yield from _says(step.steps)


def parse_scenario(data: Mapping[str, Any]) -> ScenarioSpec:
    """Validate the shape of a scenario's data; `scenarios.render.check_scenario` also compiles its templates.

    Raises ScenarioError: one line that names each wrong field by its path, as in `steps[2].text`.
    """
    try:
        return ScenarioSpec.model_validate(data)
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        # An item that is wrong is also missing from its list: that it is wrong says enough.
        items = {error["loc"][:end] for error in errors for end in range(1, len(error["loc"]))}
        found = [_problem(error) for error in errors if error["loc"] not in items]
        raise ScenarioError("; ".join(found)) from exc


_KINDS = ("say", "wait", "expect", "set", "repeat")
_WORDS = {
    "missing": "is missing",
    "extra_forbidden": "is not a known field",
    "union_tag_not_found": f"needs `do`, one of {', '.join(_KINDS)}",
    "union_tag_invalid": f"`do` must be one of {', '.join(_KINDS)}",
    "model_type": "must be an object",
    "model_attributes_type": "must be an object",
    "dict_type": "must be an object",
    "tuple_type": "must be a list",
    "string_type": "must be a text",
    "string_unicode": "is not valid Unicode",
}


def _problem(error: ErrorDetails) -> str:
    """One finding in our words, without pydantic's: no input values, no addresses."""
    kind, message = error["type"], str(error["msg"])
    if kind == "value_error":
        text = message.removeprefix("Value error, ")
    elif kind == "too_short" and error["loc"][-1:] == ("steps",):
        text = "must hold at least one step"
    else:
        text = _WORDS.get(kind) or message.replace("Input should", "must")
    where = _path(error["loc"])
    return f"{where}: {text}" if where else text if kind == "value_error" else f"the scenario {text}"


def _path(loc: tuple[int | str, ...]) -> str:
    """`("steps", 2, "say", "text")` as `steps[2].text`: the kind of a step, which follows its number, is not a key."""
    path = ""
    for before, part in zip((None, *loc), loc, strict=False):
        if isinstance(part, int):
            path += f"[{part}]"
        elif not (isinstance(before, int) and part in _KINDS):
            path += f".{part}" if path else part
    return path
