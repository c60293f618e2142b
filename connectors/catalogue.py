"""Reads the list of models that a target offers, with one request on the reference lane before a run."""

from __future__ import annotations

from typing import Any, Final

import orjson

from connectors.content.decoding import loads
from connectors.content.wording import shape
from connectors.errors import BadAnswer, TimedOut
from connectors.handshake.steps import HTTP_OF
from connectors.in_time import OutOfTimeError, in_time
from connectors.mapping.answers.paths import compile_path
from connectors.security.guard import AllowPrivate
from connectors.spec import CodecSpec, ModelsSpec, RequestSpec, ResponseSpec, SpecError, TargetSpec
from connectors.target import CompiledTarget
from connectors.timeline import Timeline

LIMIT_S: Final = 15.0
"""Time limit for everything including the handshake, because a user waits for the run to begin."""
STEP_S: Final = 10.0
MOST_MODELS: Final = 1000
NAME_CHARS: Final = 200


class _Raw(Timeline):
    """Keeps the answer unparsed."""

    __slots__ = ("body",)

    def answer(self, ns: int, data: bytes) -> None:
        self.body = data
        self.done_ns = ns


def fetch_models(spec: TargetSpec, *, allow_private: AllowPrivate = True) -> list[str]:
    """Names of the models, each once, sorted. Blocks for at most LIMIT_S. Raises SpecError if the target's mapping does
    not say where they are listed, TurnError if the request fails."""
    if spec.models is None:
        raise SpecError("the target does not say where its models are listed: name them, or set its `models`")
    names = _names(_in_time(_listing(spec, spec.models), allow_private), spec.models)
    if not names:
        raise BadAnswer("answer_unmatched", "the list of models is empty")
    return names


def _listing(spec: TargetSpec, models: ModelsSpec) -> CompiledTarget:
    """The target as a plain HTTP one whose request is that for the list; its handshake, TLS and limits stay."""
    scheme, _, rest = spec.url.partition("://")
    headers = spec.request.headers if models.headers is None else models.headers
    changes: dict[str, Any] = {
        "protocol": "http",
        "url": f"{HTTP_OF.get(scheme, scheme)}://{rest}",
        "request": RequestSpec(method="GET", path=models.path, headers=headers),
        "response": ResponseSpec(text="@", error=spec.response.error),
        "codec": CodecSpec(),
        "standing": None,
        "reply_to": None,
        "then": [],
        "tool_results": {},
    }
    return CompiledTarget(spec.within(STEP_S).model_copy(update=changes))


def _in_time(target: CompiledTarget, allow_private: AllowPrivate) -> bytes:
    """The target's answer, requested in a thread, because each step of a handshake has its own limits."""
    try:
        return in_time(lambda: _ask(target, allow_private), LIMIT_S, "models")
    except OutOfTimeError:
        raise TimedOut("total_timeout", f"the list of models did not come within {LIMIT_S:g} s") from None


def _ask(target: CompiledTarget, allow_private: AllowPrivate) -> bytes:
    from connectors.reference.http_connectors import HttpConnector  # what few runs need is loaded for them alone

    connector = HttpConnector(target, allow_private=allow_private)
    connector.begin({"id": "models", "number": 0, "user": -1})
    timeline = _Raw(target.response, 0)
    try:
        connector.connect()
        empty: dict[str, Any] = {"message": "", "messages": [], "history": [], "turn": 0, "vars": {}}
        connector.send_message(connector.render(empty), timeline)
    finally:
        connector.disconnect()
    return timeline.body


def _names(body: bytes, models: ModelsSpec) -> list[str]:
    try:
        message = loads(body)
    except orjson.JSONDecodeError as exc:
        raise BadAnswer("json_invalid", f"the list of models is not JSON: {exc}") from exc
    found = compile_path(models.pick, "models.pick")(message)
    if not isinstance(found, list) or not all(isinstance(name, str) for name in found):
        raise BadAnswer("answer_unmatched", f"no names at {models.pick!r}; the answer has {shape(message)}")
    names = sorted({name.removeprefix(models.strip) for name in found})
    if len(names) > MOST_MODELS:
        raise BadAnswer("answer_unmatched", f"{len(names)} models, and at most {MOST_MODELS} are possible")
    for name in names:
        if not name.strip() or len(name) > NAME_CHARS or not name.isprintable():
            raise BadAnswer("answer_unmatched", f"{name[:60]!r} is not a model name")
    return names
