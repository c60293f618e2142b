"""The compiled `response` of a mapping, which reads answers."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from typing import Any

from connectors.content.answers import Reasons
from connectors.content.formats import Reader, reader_of
from connectors.content.said_errors import ShapeTest, no_shape
from connectors.content.tool_calls import ToolNames
from connectors.mapping.answers.part import Part
from connectors.mapping.answers.paths import (
    compile_path,
    test_of,
)
from connectors.spec import PartSpec, ResponseSpec, SpecError
from connectors.spec.response import EVENT_NAME

_NUMBER = re.compile(r"-?[0-9]{1,18}")


def _to_be_searched(_data: Any) -> Any:
    """What is looked for depends on the kind of the event."""
    raise KeyError


def _end_mark(part: PartSpec) -> str:
    """How a mapping would say what ends an answer, for an error message."""
    marks = [repr(next(filter(None, (done.data, done.path, done.matches)), "")) for done in part.ends]
    return f"done {' or '.join(marks)}" if marks else "done"


class ResponseMapping:
    """A ResponseSpec compiled. `Timeline` reads answers with it.

    `part` reads every event if the mapping is `plain`; else `part_of` says which part does.
    """

    def __init__(self, spec: ResponseSpec, *, tools: bool = False) -> None:
        """`tools`: the target is offered tools that it may call."""
        spec = self._spec = spec.with_usual_paths()
        self.read = reader_of(spec.format, known_errors=spec.known_errors, line=spec.line)
        """Makes JSON of what is not; None: it is."""
        self.reads = self.read is not None or any(part.format is not None for part in spec.kinds.values())
        pieces = self.streamed = any(part.delta is not None for part in (spec, *spec.kinds.values()))
        self.part = Part(spec, "response", pieces=pieces, tools=tools)
        self.by_name = bool(spec.kinds) and spec.kind == EVENT_NAME
        kind = spec.kind if spec.kinds and not self.by_name else None
        self._kind = compile_path(kind, "response.kind") if kind is not None else None
        self._compile_kinds(spec, pieces=pieces, tools=tools)
        says = bool(spec.ends) or any(field != "stamp" for field, _ in spec.paths())
        self.rest = self.part if says else None
        """How events are read whose kind is not listed; None: not at all."""
        if not any(part.piece or part.whole or part.result for part in (self.part, *self._parts.values())):
            raise SpecError("response: give `text` (a whole answer), `delta` (a piece of one) or `result` (no text)")
        self.cumulative = spec.cumulative
        self.expected_kinds: frozenset[str] = frozenset(spec.expect_text)
        self.known_errors = spec.known_errors
        self.is_harmless: ShapeTest = no_shape
        """Whether an answer has the last shape of which none can say of an error (`connectors.content.said_errors`)."""
        self.reasons = Reasons()
        self.tool_names = ToolNames()
        self.ignored_data = frozenset(c.data.encode() for c in spec.ignore if c.data is not None)
        self._ignored = [test_of(c, f"response.ignore[{i}]") for i, c in enumerate(spec.ignore) if c.data is None]
        self.plain = self._kind is None and not self.ignored_data and not self._ignored and not self.by_name
        self.quick_finish = self.part.quick_finish if self.plain else _to_be_searched
        self.reads_usage = any(part.usage for part in (self.part, *self._parts.values()))
        self.needs_done = any(part.ends for part in (self.part, *self._parts.values()))
        by_kind = kind is not None and not (self.part.piece or self.part.whole)
        self.text_kinds = frozenset(n for n, p in self._parts.items() if p.piece or p.whole) if by_kind else None
        """The kinds that have text; None: no kind tells."""

    def _compile_kinds(self, spec: ResponseSpec, *, pieces: bool, tools: bool) -> None:
        self._parts = {
            name: Part(part.on_top_of(spec), f"response.kinds.{name}", pieces=pieces, tools=tools)
            for name, part in spec.kinds.items()
        }
        self._by_number = {int(name): part for name, part in self._parts.items() if _NUMBER.fullmatch(name)}
        """Those whose kind is a number."""

    @cached_property
    def end_marks(self) -> str:
        """What ends an answer, for error messages."""
        ends = [_end_mark(self._spec)] if self.part.ends else []
        kinds = [(name, part) for name, part in self._spec.kinds.items() if part.done is True or part.ends]
        return " or ".join(ends + [f"{_end_mark(part)} of kind {name!r}" for name, part in kinds])

    def part_of(self, message: Any) -> Part | None:
        """How a decoded event is read; None: not at all."""
        if self.ignores(message):
            return None
        if self._kind is None:
            return self.part
        kind = self._kind(message)
        if type(kind) is str:
            return self._parts.get(kind, self.rest)
        return self._by_number.get(kind, self.rest) if type(kind) is int else self.rest

    def unlisted(self, message: Any) -> str | None:
        """The kind of an event that `kinds` does not list; None: it is listed, or the mapping has no kinds."""
        kind = self._kind(message) if self._kind is not None else None
        if type(kind) is int and kind not in self._by_number:
            return str(kind)[:40]
        return kind[:40] if type(kind) is str and kind not in self._parts else None

    def unlisted_names(self, names: Sequence[str]) -> str:
        """What to say of events by these names that were passed over."""
        listed = ", ".join(repr(name) for name in self._parts)
        return f"events named {', '.join(map(repr, names))} came, and response.kinds lists {listed}"

    def reader_for(self, name: str) -> Reader | None:
        """What reads the events of that name."""
        part = self._spec.kinds.get(name)
        if part is None or part.format is None:
            return self.read
        return reader_of(part.format, known_errors=self.known_errors)

    def ignores(self, message: Any) -> bool:
        return any(test(message) for test in self._ignored)

    def named(self, name: str) -> Part | None:
        """How the events of a name are read, with kinds by name."""
        return self._parts.get(name)

    def expected(self, message: Any) -> str:
        """Why no text was found in `message`, in the mapping's words."""
        if self._kind is not None:
            kind = self._kind(message)
            part = self.part_of(message)
            if part is None or not part.text_at:
                known = ", ".join(repr(name) for name, part in self._parts.items() if part.text_at)
                said = repr(kind[:40]) if type(kind) is str else type(kind).__name__
                return f"the kind at {self._spec.kind!r} is {said}, and text is in {known or 'none'}"
        else:
            part = self.part
        return f"no text at {part.text_at}"
