"""Messages of ours beside the turns' own, compiled. No I/O."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, NamedTuple

import orjson

from connectors.content.decoding import loads, mended_value
from connectors.content.wording import shape
from connectors.errors import BadAnswer, TooLarge
from connectors.mapping.answers.paths import compile_path, condition_test
from connectors.mapping.expressions import Context
from connectors.mapping.request import RenderedRequest, RequestTemplate
from connectors.spec import AutoReplySpec, Condition, GreetingSpec, MessageSpec, RequestSpec, WaitingSpec

QUICK_CHARS: Final = 64


class Saves:
    """Variables and their paths in one message of the target. Raises SpecError when built."""

    def __init__(self, save: Mapping[str, str], where: str) -> None:
        self._where = where
        self._paths = [(name, compile_path(path, f"{where}.save.{name}")) for name, path in save.items()]

    def read(self, plain: bytes) -> dict[str, Any]:
        """Raises BadAnswer if a value is not there."""
        if not self._paths:
            return {}
        try:
            message = loads(plain)
        except (orjson.JSONDecodeError, TooLarge):
            message = None
        saved = {}
        for name, get in self._paths:
            if (value := get(message)) is None:
                what = f"{self._where}.save.{name}: the message has nothing there; it has {shape(message)}"
                raise BadAnswer("answer_unmatched", what, "compare the path with the shape shown")
            saved[name] = mended_value(value)
        return saved


class Message:
    """A MessageSpec that sends something. Raises SpecError when built."""

    def __init__(self, spec: MessageSpec, where: str, fold: Context) -> None:
        self._request = RequestTemplate(RequestSpec(event=spec.event, body=spec.body), where, fold)

    def render(self, context: Context) -> RenderedRequest:
        """Its body and event. Raises BadRequest."""
        return self._request.render(context)


class Awaited(NamedTuple):
    """What is waited for, compiled: `is_last` is true of the message that ends the wait (None: count them), in which
    `saves` are found."""

    where: str
    spec: GreetingSpec
    is_last: Callable[[bytes], bool] | None
    saves: Saves


class Step(NamedTuple):
    """A message, or what is waited for, or one after the other. `name`: of the step of connecting that it is part
    of."""

    name: str
    message: Message | None
    awaited: Awaited | None


def greeting_step(spec: GreetingSpec) -> Step:
    """Raises SpecError."""
    is_last = None if spec.until is None else condition_test(spec.until, "greeting.until")
    return Step("greeting", None, Awaited("greeting", spec, is_last, Saves({}, "greeting")))


def step_of(spec: WaitingSpec, name: str, where: str, fold: Context) -> Step:
    """Raises SpecError."""
    message = Message(spec, where, fold) if spec.sends else None
    if spec.until is None:
        return Step(name, message, None)
    waits = GreetingSpec(until=spec.until, within_s=spec.within_s)
    is_last = condition_test(spec.until, f"{where}.until")
    return Step(name, message, Awaited(where, waits, is_last, Saves(spec.save, where)))


class AutoReply:
    """An AutoReplySpec, compiled. Raises SpecError."""

    def __init__(self, spec: AutoReplySpec, where: str, fold: Context) -> None:
        self.message = Message(spec, where, fold)
        self.saved = Saves(spec.save, where).read
        self._test = condition_test(spec.when, f"{where}.when")
        self._mark = _mark(spec.when)

    def wanted(self, data: bytes) -> bool:
        """Whether an undecoded message of the target meets the condition. Most do not hold the word that it must."""
        return self._mark in data and self._test(data)


def _mark(condition: Condition) -> bytes:
    """What every message that meets the condition has in it."""
    word: Any = condition.equals if condition.data is None else condition.data
    if type(word) is str and len(word) <= QUICK_CHARS and word.isascii() and word.isalnum():
        return word.encode()
    return b""
