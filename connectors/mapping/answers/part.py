"""How one kind of event of an answer is read."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from connectors.content.tool_calls import CallPaths
from connectors.content.usage import THOUGHT
from connectors.mapping.answers.paths import (
    PLAIN_PATH,
    Getter,
    compile_path,
    keys_of,
    null_test,
    optional_path,
    quick_path,
    test_of,
    walk,
)
from connectors.spec import PartSpec, Source, UsageSpec
from connectors.spec.response import CallsSpec

NOT_TOLD = None, None, False
_tells_of_no_thought = THOUGHT.isdisjoint  # bound once: of an imported name, each call would bind it anew
_NAMES = re.compile(r"[A-Za-z_]\w*")


class AnyOf:
    """Equal to each of some marks: nearly every mapping has one, and a comparison is all that an event pays for it."""

    __slots__ = ("_marks",)
    __hash__ = None  # type: ignore[assignment]  # it is in no set

    def __init__(self, marks: Sequence[bytes]) -> None:
        self._marks = frozenset(marks)

    def __eq__(self, other: object) -> bool:
        return other in self._marks


class Part:
    """A PartSpec with its paths compiled: how one kind of event, or every event, is read.

    `piece` finds the text of an event or of a whole answer; `quick_piece` does so too, or raises if there is none.
    `beside_keys` are the top-level keys below which what else an answer may say can stand: one without them need not
    be searched.
    """

    def __init__(self, spec: PartSpec, where: str, *, pieces: bool, tools: bool = False) -> None:
        """`pieces`: some part of the mapping has a `delta`, so that a `text` is the whole of what came in pieces.
        `tools`: the target is offered some, so that calls of them are looked for beside texts too."""
        self._compile_texts(spec, where, pieces=pieces)
        self.reasoning = optional_path(spec.reasoning, f"{where}.reasoning")
        self.reasoning_marks = _marks(spec.reasoning)
        self.error = optional_path(spec.error, f"{where}.error")
        self.finish = optional_path(spec.finish, f"{where}.finish")
        self.quick_finish = quick_path(spec.finish, self.finish) if spec.finish and self.finish else _nothing
        self.tool_call = optional_path(spec.tool_call, f"{where}.tool_call")
        self.refusal = optional_path(spec.refusal, f"{where}.refusal")
        self.result = optional_path(spec.result, f"{where}.result")
        self._compile_calls(spec, f"{where}.calls", tools=tools)
        beside = (spec.finish, spec.tool_call, spec.refusal, spec.result, spec.calls_at)
        marks = [mark for path in beside for mark in _marks(path)]
        self.tells = re.compile(b"|".join(map(re.escape, marks))).search if marks else None
        """Whether a document may hold a finish reason, a tool call or a refusal (see `_marks`)."""
        self.null_text = null_test(spec.delta, spec.text)
        self.reasoning_tokens = optional_path(spec.usage.reasoning, f"{where}.usage.reasoning")
        self.usage = _usage(spec.usage, f"{where}.usage")
        self.reasoning_apart = spec.usage.reasoning_apart
        self.stamp = optional_path(spec.stamp, f"{where}.stamp")
        self.save = [(name, compile_path(path, f"{where}.save.{name}")) for name, path in _paths_of(spec.save)]
        self._compile_ends(spec, where)
        paths = (
            spec.error,
            spec.usage.input,
            spec.usage.output,
            *(path for _, path in _paths_of(spec.save)),
            self.whole and spec.text,
            *(spec.calls.model_dump().values() if spec.calls is not None and tools else ()),
            self.calls_beside and spec.calls_at,
        )
        self.beside_keys = frozenset(key for path in paths if path for key in _NAMES.findall(path))

    def _compile_texts(self, spec: PartSpec, where: str, *, pieces: bool) -> None:
        if spec.delta is not None:
            self.piece: Getter | None = compile_path(spec.delta, f"{where}.delta")
            self.quick_piece = quick_path(spec.delta, self.piece)
            self.whole = optional_path(spec.text, f"{where}.text")
        elif pieces:
            self.piece, self.quick_piece = None, _nothing
            self.whole = optional_path(spec.text, f"{where}.text")
        else:
            self.piece = optional_path(spec.text, f"{where}.text")
            self.quick_piece = quick_path(spec.text, self.piece) if spec.text and self.piece else _nothing
            self.whole = None
        texts = [path for path in (spec.delta, spec.text) if path is not None]
        self.text_at = " or ".join(map(repr, texts or filter(None, [spec.result])))

    def _compile_calls(self, spec: PartSpec, where: str, *, tools: bool) -> None:
        self.calls = None if spec.calls is None or spec.calls_at is None else _calls(spec.calls, spec.calls_at, where)
        self.calls_beside = self.calls if tools and not (spec.calls_at or "").startswith("[") else None
        """Those that may stand beside a text in an object."""

    def _compile_ends(self, spec: PartSpec, where: str) -> None:
        marks = [done.data.encode() for done in spec.ends if done.data is not None]
        self.done_data = AnyOf(marks) if len(marks) > 1 else next(iter(marks), None)
        tests = [test_of(done, f"{where}.done") for done in spec.ends if done.data is None]
        self.done_test: Getter | None = _always if spec.done is True else _any(tests)

    @property
    def always_ends(self) -> bool:
        """Whether each of its events is an answer's last."""
        return self.done_test is _always

    @property
    def only_ends(self) -> bool:
        """Whether its events say nothing but that the answer is over."""
        return self.done_test is _always and not (
            self.piece or self.stamp or self.reasoning or self.beside_keys or self.tells
        )

    @property
    def ends(self) -> bool:
        """Whether an event of this part may be the answer's last."""
        return self.done_data is not None or self.done_test is not None


def _calls(calls: CallsSpec, at: str, where: str) -> CallPaths:
    paths = {name: getattr(calls, name) for name in ("id", "name", "arguments")}
    getters = {
        name: _nothing if path is None else compile_path(path, f"{where}.{name}") for name, path in paths.items()
    }
    return CallPaths(compile_path(at, f"{where}.at"), optional_path(calls.key, f"{where}.key"), **getters)


def _usage(spec: UsageSpec, where: str) -> Callable[[Any], tuple[Any, Any, bool]] | None:
    """Input and output tokens of an answer, and whether it is sure that nothing of reasoning is told beside them;
    mostly they stand side by side, and the way to them is gone once."""
    tokens_in, tokens_out = spec.input, spec.output
    if tokens_in is None and tokens_out is None:
        return None
    get_in = compile_path(tokens_in, f"{where}.input") if tokens_in is not None else _nothing
    get_out = compile_path(tokens_out, f"{where}.output") if tokens_out is not None else _nothing
    plain = [keys_of(path) for path in (tokens_in, tokens_out) if path is not None and PLAIN_PATH.match(path)]
    match plain:
        case [[*parent, str() as key_in], [*other, str() as key_out]] if (
            parent and parent == other and spec.reasoning is None
        ):
            if len(parent) == 1:
                return _plain_usage(parent[0], key_in, key_out)
            get_usage = walk(parent)

            def get(data: Any) -> tuple[Any, Any, bool]:
                usage = get_usage(data)
                if type(usage) is not dict:
                    return NOT_TOLD
                return usage.get(key_in), usage.get(key_out), THOUGHT.isdisjoint(usage)

            return get
    return lambda data: (get_in(data), get_out(data), False)


def _plain_usage(key: str | int, key_in: str, key_out: str) -> Callable[[Any], tuple[Any, Any, bool]]:
    """`usage.prompt_tokens` and its like: what nearly every target has, without a call on the way."""

    def get(data: Any) -> tuple[Any, Any, bool]:
        try:
            usage = data.get(key)
            if usage is None:
                return NOT_TOLD
            return usage.get(key_in), usage.get(key_out), _tells_of_no_thought(usage)
        except AttributeError:  # one of them is no object
            return NOT_TOLD

    return get


def _marks(path: str | None) -> tuple[bytes, ...]:
    """Names of which a document must hold one, as they stand in it, for anything to be at `path`: to search bytes for
    a name is far cheaper than to follow a path that leads nowhere. Of a path that is not plain, nothing is known."""
    if path is None:
        return ()
    names = {choice.strip().rpartition(".")[2] for choice in path.split("||")}
    if not all(map(_NAMES.fullmatch, names)):
        return (b"",)
    shortest = [name for name in names if not any(other in name for other in names - {name})]
    return tuple(name.encode() for name in sorted(shortest))


def _paths_of(save: Mapping[str, str | Source]) -> list[tuple[str, str]]:
    """Of values at paths; the others are found by `connectors.mapping.answers.saving`."""
    return [(name, at) for name, at in save.items() if isinstance(at, str)]


def _nothing(_data: Any) -> Any:
    return None


def _any(tests: Sequence[Getter]) -> Getter | None:
    if len(tests) < 2:
        return next(iter(tests), None)
    return lambda data: any(test(data) for test in tests)


def _always(_data: Any) -> Any:
    return True
