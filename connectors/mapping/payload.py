"""A target's codecs with their templated options: compiled once, instantiated once per conversation."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any

from connectors.errors import BadRequest
from connectors.mapping.expressions import MISSING, Context
from connectors.mapping.templates import Template, compile_value, value_of
from connectors.opaque.tokens import MARK
from connectors.spec import CodecSpec, CodecStep, SpecError

if TYPE_CHECKING:
    from connectors.codecs import Codec


class Codecs:
    """`encode` encodes a rendered body, `decode` decodes an event or answer. Raise TurnError."""

    def __init__(self, request: Sequence[Codec], response: Sequence[Codec], *, keys: str = "") -> None:
        """`keys`: tokens of the secrets that are their keys."""
        self._request = request
        self._response = response
        self.keys = keys

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

    def __init__(self, spec: CodecSpec, fold: Context, opened: Callable[[str], str]) -> None:
        """`opened`: a text with its secrets in clear, if the target may have them. Raises BadRequest."""
        self._opened = opened
        self._request = [_compiled(step, f"codec.request[{i}]", fold) for i, step in enumerate(spec.request)]
        self._response = [_compiled(step, f"codec.response[{i}]", fold) for i, step in enumerate(spec.response)]
        steps = [*self._request, *self._response]
        self._none = not steps
        varies = any(template.render for _, template in steps)
        self._constant: Codecs | None = None
        if not (varies or self._none):
            with suppress(BadRequest):  # the secret is withheld, which each turn says
                self._constant = self._make(fold)

    def render(self, context: Context) -> Codecs | None:
        """Codecs of a conversation; None if the target has none. Raises BadRequest."""
        if self._none or self._constant is not None:
            return self._constant
        try:
            return self._make(context)
        except SpecError as exc:
            raise BadRequest("request_invalid", str(exc)) from exc

    def _make(self, context: Context) -> Codecs:
        request, response = (
            [self._codec(*step, context) for step in steps] for steps in (self._request, self._response)
        )
        keys = "".join(key for _, key in (*request, *response))
        return Codecs([codec for codec, _ in request], [codec for codec, _ in response], keys=keys)

    def _codec(self, step: CodecStep, template: Template, context: Context) -> tuple[Codec, str]:
        """A codec, and the tokens in its options."""
        from connectors.codecs import make_codec  # loaded only for the few targets that need it

        value = value_of(template, context)
        options: dict[str, Any] = {} if value is MISSING else value
        sealed = {name: text for name, text in options.items() if isinstance(text, str) and MARK in text}
        opened = {name: self._opened(text) for name, text in sealed.items()}
        return make_codec(step.name, {**options, **opened}), "".join(sealed.values())


def _compiled(step: CodecStep, where: str, fold: Context) -> tuple[CodecStep, Template]:
    return step, compile_value(step.options, f"{where}.options", fold)
