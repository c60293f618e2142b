"""How answers are read, and which question a message answers."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any, Final, Literal, Self

from pydantic import AfterValidator, Field, model_validator

from connectors.content.answers import DEFAULT_EXPECT, Expectation
from connectors.content.formats import DATA, WHOLE_TEXT, Format
from connectors.content.patterns import compile_pattern
from connectors.spec.base import Frozen
from connectors.spec.saving import Pattern, Save, Source

EVENT_NAME: Final = "@event"
"""The `kind` of a mapping that tells events apart by the names that the stream gives them, not by their data."""
PATHS: Final = ("text", "delta", "reasoning", "error", "finish", "tool_call", "refusal", "result", "stamp")
"""Fields of a part that are paths."""
CONTENT: Final = ("text", "delta", "reasoning", "refusal", "result")


def _check_line(text: str) -> str:
    if DATA not in compile_pattern(text).groupindex:
        raise ValueError(f"the pattern has no group (?P<{DATA}>...): what of a line is its data")
    return text


class Condition(Frozen):
    """True of an event: it is literally `data`, or `path` is there, or the value at `path` equals `equals`, or the text
    at `path` (without it: the event itself, which is one) has what `matches`, a regular expression, describes."""

    data: str | None = None
    path: str | None = None
    equals: Any = None
    matches: Pattern | None = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.data is not None and self.path is not None:
            raise ValueError("give either `data` or `path`")
        if self.data is None and self.path is None and self.matches is None:
            raise ValueError("give `data`, `path` or `matches`")
        for name, value in (("equals", self.equals), ("matches", self.matches)):
            if value is not None and self.data is not None:
                raise ValueError(f"`{name}` has no effect beside `data`: give `path`")
        if self.equals is not None and (self.path is None or self.matches is not None):
            raise ValueError("`equals` stands beside `path`, and without `matches`")
        return self


class UsageSpec(Frozen):
    """Paths to the target's own token counts. `reasoning` are those of the output that the model thought with; without
    it they are looked for where servers put them. `reasoning_apart`: the count of `output` leaves them out."""

    input: str | None = None
    output: str | None = None
    reasoning: str | None = None
    reasoning_apart: bool = False


class CallsSpec(Frozen):
    """How tool calls are read. `at` is the path to one call or to a list of them (without it: that of `tool_call`), and
    the others are paths within a call. `key` is what tells the calls of a stream apart that come in pieces, such as
    their index; without it each is whole. `arguments` are an object, or a text of JSON."""

    at: str | None = None
    key: str | None = None
    id: str | None = None
    name: str | None = None
    arguments: str | None = None

    @model_validator(mode="after")
    def _tells(self) -> Self:
        if self.name is None and self.arguments is None:
            raise ValueError("give `name`, `arguments` or both: what a call says")
        return self


class PartSpec(Frozen):
    """Where the parts of one kind of event are. Each value is a path: plain (`choices[0].delta.content`) or JMESPath.

    `delta` is a piece of the answer, `text` a whole one: in a stream it counts if no piece came before it. `error` is
    what the target says went wrong, if it is there and not empty. `save` keeps values for the requests that follow.
    `finish` is the reason why the answer ended, as a word; `tool_call` and `refusal` say, if they are there and not
    empty, that the answer asks for a tool, or that the target refused (and its words). `result` is what an answer has
    instead of a text, such as a vector, if it is there and not empty. `calls`: what the tool calls say. `format`: what
    its events are, if they are not what the others are.
    """

    format: Format | None = None
    text: str | None = None
    delta: str | None = None
    reasoning: str | None = None
    error: str | None = None
    finish: str | None = None
    tool_call: str | None = None
    refusal: str | None = None
    result: str | None = None
    stamp: str | None = None
    calls: CallsSpec | None = None
    usage: UsageSpec = UsageSpec()
    save: Save = Field(default_factory=dict)
    done: bool | Condition | Annotated[list[Condition], Field(min_length=1, max_length=16)] | None = None

    def on_top_of(self, whole: PartSpec) -> PartSpec:
        """The rules of a kind with those of every event below them. A kind that says where its text, reasoning or
        refusal is has no other text; any end mark of both ends an answer."""
        below = set(PATHS) - ({"text", "delta"} if any(getattr(self, field) for field in CONTENT) else set())
        rules: dict[str, Any] = {field: getattr(whole, field) for field in below if getattr(self, field) is None}
        rules["save"] = whole.save | self.save
        rules["calls"] = self.calls or whole.calls
        if self.usage == UsageSpec():
            rules["usage"] = whole.usage
        if self.done is not True:
            rules["done"] = [*whole.ends, *self.ends] or self.done
        return self.model_copy(update=rules)

    @property
    def calls_at(self) -> str | None:
        """The path to its tool calls; None: they are not read."""
        return None if self.calls is None else self.calls.at or self.tool_call

    @property
    def ends(self) -> list[Condition]:
        """The conditions that end an answer, each of them alone."""
        if isinstance(self.done, Condition):
            return [self.done]
        return self.done if isinstance(self.done, list) else []

    def paths(self) -> Iterator[tuple[str, str]]:
        """Each field that is a path and is given, by its name."""
        for field in PATHS:
            if (path := getattr(self, field)) is not None:
                yield field, path
        for field in ("input", "output", "reasoning"):
            if (path := getattr(self.usage, field)) is not None:
                yield f"usage.{field}", path
        if self.calls is not None and self.calls.at is not None:
            yield "calls.at", self.calls.at
        for name, at in self.save.items():
            if isinstance(at, str):
                yield f"save.{name}", at

    @property
    def sources(self) -> dict[str, Source]:
        """What is saved from other places than paths."""
        return {name: at for name, at in self.save.items() if isinstance(at, Source)}


class ResponseSpec(PartSpec):
    """How answers are read. `format`: what they are, whole or in frames; of a "text" the path is `@`, and neither
    `text` nor `delta` need be given. Every event is read by the rules here; with `kinds`, an event of a `kind` (a
    path) that is listed there is read by that kind's rules on top of them. An event for which a condition of `ignore`
    is true is passed over. The kind "@event" is the name that a server-sent event has beside its data.

    `line` is a regular expression that takes a frame apart, such as `^(?P<kind>\\w):(?P<data>.*)`: the frame becomes an
    object of its groups, of which `data` is of `format`, and `kind` is the default of `kind`.

    `cumulative`: a `delta` holds the whole text so far. `done` ends a streamed answer; without it the end of the
    transport does or, where that goes on from turn to turn, the first event with text. A stream that ends after a
    `finish` is whole without its `done`. `quiet_ms`: an answer may have several messages; it ends when no text and no
    end mark came for so long, and its end is the time of the last one.

    `expect_text`: which answers are good (`connectors.content.answers`); every other one fails. `known_errors`: events
    and answers without text are also searched for the well-known ways to say an error
    (`connectors.content.said_errors`).
    """

    format: Format = "json"
    line: Annotated[str, AfterValidator(_check_line)] | None = None
    expect_text: list[Expectation] = Field(default_factory=lambda: list(DEFAULT_EXPECT), min_length=1)
    known_errors: bool = True
    ignore: list[Condition] = Field(default_factory=list)
    cumulative: bool = False
    quiet_ms: float | None = Field(None, gt=0)
    kind: str | None = None
    kinds: dict[str, PartSpec] = Field(default_factory=dict)

    def with_usual_paths(self) -> ResponseSpec:
        """With the paths that need not be given."""
        usual: dict[str, Any] = {"kind": "kind"} if self.line is not None and self.kind is None else {}
        if not self.kinds and self.text is None and self.delta is None and self.pieces == "text":
            usual["delta"] = WHOLE_TEXT if self.line is None else DATA
        return self.model_copy(update=usual) if usual else self

    @property
    def pieces(self) -> Format:
        """What its frames are, before a pattern takes them apart."""
        return self.format if self.line is None else "text"

    @model_validator(mode="after")
    def _kinds(self) -> Self:
        if self.kinds and self.kind is None and self.line is None:
            raise ValueError("`kinds` needs `kind`: the path to what tells them apart")
        if self.kind is not None and not self.kinds:
            raise ValueError("`kind` has no effect: list the kinds in `kinds`, or remove it")
        for name, part in self.kinds.items():
            if any(end.data is not None for end in part.ends):
                raise ValueError(f"kinds.{name}.done: `data` has no effect in a kind: give it in `done` of every event")
        if self.cumulative and self.quiet_ms is not None:
            raise ValueError("`quiet_ms` joins messages, `cumulative` replaces them: use one of the two")
        return self

    @model_validator(mode="after")
    def _of_calls(self) -> Self:
        parts: list[tuple[str, PartSpec]] = [("", self), *((f"kinds.{name}.", p) for name, p in self.kinds.items())]
        for where, part in parts:
            if part.calls is not None and not (part.calls_at or self.tool_call):
                raise ValueError(f"{where}calls.at: say where the calls are, or give `tool_call`")
        return self

    @model_validator(mode="after")
    def _of_sources(self) -> Self:
        for kind, part in self.kinds.items():
            for name, source in part.sources.items():
                what = f"kinds.{kind}.save.{name}: {source.place}"
                raise ValueError(f"{what} belongs to the whole answer: put it into `save` beside `kinds`")
        return self

    @model_validator(mode="after")
    def _of_texts(self) -> Self:
        """A text has no keys."""
        if self.line is not None:
            return self
        told = next((name for name, part in self.kinds.items() if part.format is not None), None)
        if told is not None and self.kind != EVENT_NAME:
            raise ValueError(
                f"kinds.{told}.format has no effect: only the name of an event tells its kind before it is read, "
                f"with `kind` {EVENT_NAME}"
            )
        parts: list[tuple[str, PartSpec]] = [("", self), *((f"kinds.{name}.", p) for name, p in self.kinds.items())]
        for where, part in parts:
            if (part.format or self.format) == "text":
                for field, path in part.paths():
                    if WHOLE_TEXT not in path:
                        raise ValueError(
                            f"{where}{field}: {path!r} has no effect: with format text the answer has no keys; "
                            f"its path is {WHOLE_TEXT}"
                        )
        return self


class GreetingSpec(Frozen):
    """A message of the target on a new connection, which is awaited and is not an answer.

    `count`: so many whole messages with text (default 1), or `until`: all messages up to the first one for which the
    condition is true. Not come within `within_s` seconds, the connection fails, unless `required` is false.
    """

    count: int | None = Field(None, ge=1)
    until: Condition | None = None
    within_s: float = Field(10.0, gt=0)
    required: bool = True

    @model_validator(mode="after")
    def _one(self) -> Self:
        if self.count is not None and self.until is not None:
            raise ValueError("give either `count` or `until`")
        return self


class ReplyToSpec(Frozen):
    """How a message says which question it answers: the value at the path `response` of the message equals the one at
    the path `request` of the request's own body, or at the path `ack` of the answer to the POST that asked.

    A message with another value belongs to another turn. One with none belongs to no turn ("skip"), or to the turn in
    flight ("take").
    """

    response: str
    request: str | None = None
    ack: str | None = None
    missing: Literal["skip", "take"] = "skip"

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.request is None) == (self.ack is None):
            raise ValueError("give either `request` or `ack`: the path to the id that `response` repeats")
        return self
