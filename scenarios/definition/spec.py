"""ScenarioSpec: what a simulated user says, step by step. Validated data; `scenarios.render.walk` executes it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, model_validator

from inputs.json_limits import NO_TEXT, json_problem, text_problem
from inputs.wording import words_of
from scenarios.definition.data import DataPool, check_size
from scenarios.definition.files import MAX_FILES, MAX_PER_MESSAGE, FileSpec, check_files
from scenarios.definition.spread import Spread

if TYPE_CHECKING:
    from pydantic_core import ErrorDetails

_PATH = r"^[a-zA-Z_]\w*(\.\w+)*$"
"""Where a list is found, as a template would name it: `questions`, `row.questions`, `data.talk.messages`."""


class ScenarioError(ValueError):
    """A scenario that cannot be used; the message says where and what to do."""


class Frozen(BaseModel):
    # Built on first use, as part of the containing model, so that importing does not build each model separately.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


AnswerKind = Literal[
    "text", "complete", "tool_call", "refusal", "filtered", "length", "reasoning", "result", "empty", "any"
]
"""As `connectors.content.answers.Expectation`, which this package may not import; a test holds the two together."""


class Say(Frozen):
    """Send a message. `answer` is the scripted reply: it goes into the history when `history` is "scripted".
    `expect_text`: which answers are good (docs/targets.md), in place of what the target says. `attachments`: names of
    `files`, or files as there; strings are templates."""

    do: Literal["say"] = "say"
    text: str = Field(min_length=1)
    attachments: tuple[Any, ...] = Field(
        (), max_length=MAX_PER_MESSAGE, json_schema_extra={"items": {"type": ["string", "object"]}}
    )
    answer: str | None = None
    expect_text: tuple[AnswerKind, ...] | None = Field(None, min_length=1)


class Wait(Frozen):
    """Think. All of these together, at most `max_s`: `seconds`, a drawn pause, the time to read the last answer, and
    that to type the message that follows, as words a minute or `per_character_s`."""

    do: Literal["wait"] = "wait"
    seconds: float = Field(0.0, ge=0, le=3600)
    pause_s: Spread | None = None
    reading_wpm: float | None = Field(None, ge=1)
    typing_wpm: float | None = Field(None, ge=1)
    per_character_s: float = Field(0.0, ge=0, le=10)
    max_s: float = Field(60.0, ge=0, le=3600)


class Expect(Frozen):
    """Check the answer to the preceding `say`. If any check fails, the turn fails: `expect_failed`."""

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


def _given(name: str, kind: str) -> dict[str, Any]:
    """Part of a JSON schema: an object has it, and not as null."""
    return {"properties": {name: {"type": kind}}, "required": [name]}


class Repeat(Frozen):
    """Do `steps` `times` times, or for each item of the list `over`, which is then `{{ row }}` (or another name).

    `{{ loop.index }}` counts from 1.
    """

    model_config = ConfigDict(json_schema_extra={"oneOf": [_given("times", "integer"), _given("over", "string")]})

    do: Literal["repeat"] = "repeat"
    times: int | None = Field(None, ge=1, le=100_000)
    over: str | None = Field(None, pattern=_PATH)
    row: str = Field("row", pattern=r"^[a-zA-Z_]\w*$")
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _times_or_over(self) -> Self:
        if (self.times is None) == (self.over is None):
            raise ValueError("a repeat needs either `times` or `over`")
        return self


class Replay(Frozen):
    """Hold the recorded conversation that `messages` names: `[{"role", "content"}]`, as in a conversation file.

    Before each message but the first, the user takes `per_character_s` for each of its characters, at most `max_s`.
    """

    do: Literal["replay"] = "replay"
    messages: str = Field(pattern=_PATH)
    per_character_s: float = Field(0.05, ge=0, le=10)
    max_s: float = Field(30.0, ge=0, le=3600)


MAX_TAGS = 10
_TAG_NAME = re.compile(r"[A-Za-z_][\w-]{0,39}")
_TAG_VALUE = re.compile(r"[^\x00-\x1f\x7f]{1,60}")
RESERVED_TAGS = frozenset({"scenario", "model"})


def _few_and_short(tags: dict[str, str]) -> dict[str, str]:
    if len(tags) > MAX_TAGS:
        raise ValueError(f"there are {len(tags)} tags, and at most {MAX_TAGS} are possible")
    for name, value in tags.items():
        if name in RESERVED_TAGS:
            raise ValueError(f"a tag cannot be called {name!r}: conversations are already grouped by {name}")
        if not _TAG_NAME.fullmatch(name):
            raise ValueError(
                f"{name!r} is not a valid tag name: use up to 40 letters, digits, _ and -, and no digit first"
            )
        if not _TAG_VALUE.fullmatch(value):
            raise ValueError(f"the tag {name!r} needs a value of 1 to 60 characters on one line")
    return tags


def parse_tags(value: Any) -> dict[str, str]:
    """The tags of a scenario that is built by hand. Raises ScenarioError."""
    if not isinstance(value, Mapping) or not all(isinstance(part, str) for item in value.items() for part in item):
        raise ScenarioError('tags: must be an object of texts, for example {"tier": "gold"}')
    try:
        return _few_and_short(dict(value))
    except ValueError as exc:
        raise ScenarioError(f"tags: {exc}") from exc


TAGS_SCHEMA = {
    "maxProperties": MAX_TAGS,
    "propertyNames": {"pattern": f"^{_TAG_NAME.pattern}$", "not": {"enum": sorted(RESERVED_TAGS)}},
    "additionalProperties": {"type": "string", "pattern": f"^{_TAG_VALUE.pattern}$"},
}
Tags = Annotated[dict[str, str], AfterValidator(_few_and_short), Field(json_schema_extra=TAGS_SCHEMA)]
Step = Annotated[Say | Wait | Expect | Set | Repeat | Replay, Field(discriminator="do")]


class ScenarioSpec(Frozen):
    """Steps, variables, pools and data. A pool is a list of texts: `{{ pick.topic }}` draws one, seeded by the session.
    Of each pool of `data` a conversation has one row: `{{ data.customers.name }}`. `files` go with messages that name
    them."""

    name: str = Field(min_length=1, max_length=120)
    description: str = ""
    tags: Tags = Field(default_factory=dict)
    """Keys by which thresholds and the report distinguish conversations, besides the scenario's name and the model."""
    system: str | None = None
    history: Literal["live", "scripted", "none"] = "live"
    variables: dict[str, Any] = Field(default_factory=dict)
    pools: dict[str, tuple[str, ...]] = Field(
        default_factory=dict,
        json_schema_extra={"additionalProperties": {"type": "array", "items": {"type": "string"}, "minItems": 1}},
    )
    data: dict[str, DataPool] = Field(
        default_factory=dict, json_schema_extra={"propertyNames": {"pattern": r"^[^\W\d]\w*$"}}
    )
    files: dict[str, FileSpec] = Field(default_factory=dict, max_length=MAX_FILES)
    steps: tuple[Step, ...] = Field(min_length=1)

    @model_validator(mode="after")
    def _says_something(self) -> Self:
        if not any(True for _ in _says(self.steps)):
            raise ValueError("the scenario has no `say` step: it would send nothing")
        return self

    @model_validator(mode="after")
    def _data_fits(self) -> Self:
        for name in self.data:
            if not name.isidentifier():
                raise ValueError(f"data: {name!r} cannot be used in templates: give it a name of letters, digits and _")
        check_size(self.data)
        check_files(self.files, dict(_packed(self.steps)))
        return self

    @model_validator(mode="after")
    def _pools_are_filled(self) -> Self:
        for name, texts in self.pools.items():
            if not texts:
                raise ValueError(f"pools.{name} is empty: there is nothing to draw")
        return self


def _says(steps: tuple[Step, ...]) -> Iterator[Say | Replay]:
    for step in steps:
        if isinstance(step, Say | Replay):
            yield step
        elif isinstance(step, Repeat):
            yield from _says(step.steps)


def say_steps(steps: Sequence[Step], path: str = "steps") -> Iterator[tuple[str, Say]]:
    """All `say` steps with their places."""
    for number, step in enumerate(steps):
        where = f"{path}[{number}]"
        if isinstance(step, Say):
            yield where, step
        elif isinstance(step, Repeat):
            yield from say_steps(step.steps, f"{where}.steps")


def _packed(steps: Sequence[Step]) -> Iterator[tuple[str, str]]:
    """The base64 of files that steps hold themselves, with its places."""
    for path, step in say_steps(steps):
        for number, file in enumerate(step.attachments):
            if isinstance(file, Mapping) and isinstance(text := file.get("base64"), str):
                yield f"{path}.attachments[{number}]", text


def parse_scenario(data: Mapping[str, Any]) -> ScenarioSpec:
    """Validate the shape of a scenario's data; `scenarios.render.walk.check_scenario` also compiles its templates.

    Raises ScenarioError: one line that names each wrong field by its path, as in `steps[2].text`.
    """
    if problem := json_problem(data):
        raise ScenarioError(text_problem(data) if problem == NO_TEXT else f"the scenario {problem}")
    try:
        return ScenarioSpec.model_validate(data)
    except ValidationError as exc:
        errors = exc.errors(include_url=False)
        # An invalid item is also missing from its list; one error is enough.
        items = {error["loc"][:end] for error in errors for end in range(1, len(error["loc"]))}
        found = [_problem(error) for error in errors if error["loc"] not in items]
        raise ScenarioError("; ".join(found)) from exc


_KINDS = ("say", "wait", "expect", "set", "repeat", "replay")
_WORDS = {
    "union_tag_not_found": f"needs `do`, one of {', '.join(_KINDS)}",
    "union_tag_invalid": f"`do` must be one of {', '.join(_KINDS)}",
}


def _problem(error: ErrorDetails) -> str:
    """One finding in our words, without pydantic's: no input values, no addresses."""
    kind = error["type"]
    if kind == "value_error":
        text = words_of(error)
    elif kind == "too_short" and error["loc"][-1:] == ("steps",):
        text = "must hold at least one step"
    else:
        text = _WORDS.get(kind) or words_of(error, ScenarioSpec)
    where = _path(error["loc"])
    return f"{where}: {text}" if where else text if kind == "value_error" else f"the scenario {text}"


def _path(loc: tuple[int | str, ...]) -> str:
    """`("steps", 2, "say", "text")` as `steps[2].text`: the kind of a step follows its number and is not a key."""
    path = ""
    for before, part in zip((None, *loc), loc, strict=False):
        if isinstance(part, int):
            path += f"[{part}]"
        elif not (isinstance(before, int) and part in _KINDS):
            path += f".{part}" if path else part
    return path
