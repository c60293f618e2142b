"""A target's codecs with their templated options: compiled once, instantiated once per conversation."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from connectors.errors import BadRequest
from connectors.mapping.expressions import MISSING, Context
from connectors.mapping.templates import Template, compile_value, value_of
from connectors.spec import CodecSpec, CodecStep, SpecError

if TYPE_CHECKING:
    from connectors.codecs import Codec


class Codecs:
    """`encode` encodes a rendered body, `decode` decodes an event or answer. Raise TurnError."""

    def __init__(self, request: Sequence[Codec], response: Sequence[Codec]) -> None:
        self._request = request
        self._response = response

    def encode(self, data: bytes) -> bytes:
        for codec in self._request:
            data = codec.encode(data)
        return data

    def decode(self, data: bytes) -> bytes:
        for codec in self._response:
            data = codec.decode(data)
        return data


class CodecTemplate:
    """A CodecSpec, compiled. What depends on nothing but the target is made here: raises SpecError."""

    def __init__(self, spec: CodecSpec, fold: Context) -> None:
        self._request = [_compiled(step, f"codec.request[{i}]", fold) for i, step in enumerate(spec.request)]
        self._response = [_compiled(step, f"codec.response[{i}]", fold) for i, step in enumerate(spec.response)]
        steps = [*self._request, *self._response]
        self._none = not steps
        varies = any(template.render for _, template in steps)
        self._constant = None if varies or self._none else self._make(fold)

    def render(self, context: Context) -> Codecs | None:
        """Codecs of a conversation; None if the target has none. Raises BadRequest."""
        if self._none or self._constant is not None:
            return self._constant
        try:
            return self._make(context)
        except SpecError as exc:
            raise BadRequest("request_invalid", str(exc)) from exc

    def _make(self, context: Context) -> Codecs:
        return Codecs(_made(self._request, context), _made(self._response, context))


def _compiled(step: CodecStep, where: str, fold: Context) -> tuple[CodecStep, Template]:
    return step, compile_value(step.options, f"{where}.options", fold)


def _made(steps: Sequence[tuple[CodecStep, Template]], context: Context) -> list[Codec]:
    from connectors.codecs import make_codec  # loaded only for the few targets that need it

    made = []
    for step, template in steps:
        options: Any = value_of(template, context)
        made.append(make_codec(step.name, {} if options is MISSING else options))
    return made
