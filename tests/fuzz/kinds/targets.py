"""Specs of targets, what they render, and how they read answers."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, Final

from hypothesis import strategies as st

from attachments.generated import generated
from connectors.content.styles import WHOLE
from connectors.errors import TurnError
from connectors.http.signing import ready
from connectors.mapping.answers.paths import compile_path
from connectors.mapping.answers.response import ResponseMapping
from connectors.mapping.templates import compile_string
from connectors.spec import SpecError, build_target_spec, load_preset, preset_names
from connectors.target import CompiledTarget
from connectors.timeline import Timeline
from targets.learning.learn import learn
from targets.learning.recorded.errors import LearnError
from tests.fuzz.kinds import Kind
from tests.fuzz.mutations import Seeds, as_json, damaged
from tests.support.attacks.expressions import expressions, jmespaths
from tests.support.attacks.planted import SECRETS, planted
from tests.support.foreign.chats import foreign_chats
from tests.support.recorded_chats import curl, har, preset_chats, unknown_chats
from tests.support.recordings import SESSION, event_data, recorded_cases

_ASIDE: Final = ("title", "doc", "about", "stream", "extends", "protocol")
SIGNING: Final = {"access_key_id": "AKID", "secret_access_key": "s", "service_account": '{"private_key": "no"}'}
IMAGES: Final = (generated("png", 200, "a"),)
TURN: Final[dict[str, Any]] = {
    "message": "Hello",
    "messages": [{"role": "user", "content": "Hello"}],
    "history": [],
    "session": SESSION,
    "saved": {"token": "t", "list": [1, {"a": "b"}]},
    "turn": 0,
    "vars": {"name": "Ada"},
}
CASES: Final = recorded_cases()
_PATHS: Final[dict[str, Any]] = {
    "/chat": {"post": {
        "security": [{"key": []}],
        "requestBody": {"content": {"application/json": {"schema": {"$ref": "#/components/schemas/Ask"}}}},
        "responses": {"200": {"content": {"application/json": {"example": {"reply": "In Graz, I think."}}}}},
    }},
    "/ask": {"get": {
        "parameters": [{"in": "query", "name": "q", "schema": {"type": "string"}}], "responses": {"200": {}},
    }},
}  # fmt: skip
DOCUMENTS: Final[list[dict[str, Any]]] = [
    {
        "openapi": "3.1.0", "servers": [{"url": "https://bot.example.com/v1"}], "paths": _PATHS,
        "components": {
            "securitySchemes": {"key": {"type": "apiKey", "in": "header", "name": "X-Key"}},
            "schemas": {"Ask": {"type": "object", "properties": {
                "message": {"type": "string"}, "tone": {"allOf": [{"enum": ["kind"]}]},
                "again": {"$ref": "#/components/schemas/Ask"},
            }}},
        },
    },
    {"swagger": "2.0", "host": "bot.example.com", "schemes": ["https"], "basePath": "/v1", "paths": _PATHS},
]  # fmt: skip


def target_seeds() -> list[dict[str, Any]]:
    """As the API takes them: presets with their own parts as overrides, and targets that use secrets in every place."""
    found = []
    for name in preset_names():
        data = load_preset(name)
        scheme = "ws" if "socket" in data.get("protocol", "") else "grpc" if name == "generic-grpc" else "http"
        parts = {key: value for key, value in data.items() if key not in _ASIDE}
        found.append(_seed(name, f"{scheme}://127.0.0.1:9/v1", parts, stream="stream" in data))
    for case in CASES[::5]:
        found.append(_seed(case.preset, "http://127.0.0.1:9/v1", {}) | {"params": case.data.get("params") or {}})
    for one in planted("http://127.0.0.1:9", "ws://127.0.0.1:9", "grpc://127.0.0.1:9").values():
        found.append(_seed(one.preset, one.url, one.overrides, stream=one.stream))
    tls = {"tls": {"verify": True, "ca_file": "/dev/zero", "cert_file": None}, "timeouts": {"total": 3.0}}
    proxy = {"proxy": {"url": "http://127.0.0.1:9", "no_proxy": ["*.local"]}, "limits": {"body_bytes": 1000}}
    models = {"models": {"path": "/models", "pick": "data[].id"}, "response": {"save": {"a": "b.c[0]"}}}
    return [*found, *(_seed("openai-chat", "https://127.0.0.1:9", parts) for parts in (tls, proxy, models))]


def _seed(preset: str, url: str, overrides: dict[str, Any], *, stream: bool = False) -> dict[str, Any]:
    return {"name": "T", "preset": preset, "url": url, "stream": stream, "params": {"model": "m", "region": "r"},
            "overrides": overrides, "secrets": {"api_key": "sk-1", **SIGNING, **SECRETS}}  # fmt: skip


def take_spec(data: Any) -> str:
    """Built, compiled and rendered as a probe would do it; whatever else it holds, texts are what the API checks."""
    if not isinstance(data, dict) or not _shaped(data):
        return "of another shape"
    fields = {name: data[name] for name in ("preset", "stream", "params", "overrides", "secrets") if name in data}
    try:
        spec = build_target_spec(name=data["name"], url=data["url"], **fields)
        compiled = CompiledTarget(spec)
    except SpecError as exc:
        str(exc).encode("utf-8", "backslashreplace")
        return "refused"
    try:
        compiled.render(dict(TURN))
        if not spec.attachments_problem({"image": ""}):
            seen = {**TURN, "messages": [{"role": "user", "content": "Hello", "attachments": IMAGES}]}
            compiled.attach(seen, IMAGES)
            compiled.render(seen)
        compiled.render_connection(TURN)
        compiled.render_auth(TURN)
        compiled.render_hello(TURN)
        compiled.codecs(TURN)
        for message in compiled.messages():
            compiled.render_message(message, TURN)
        for step in () if compiled.handshake is None else compiled.handshake.of_run + compiled.handshake.of_session:
            asked = step.request(TURN)
            ready(asked.request, asked.endpoint, WHOLE)
        ready(compiled.render(dict(TURN)), compiled.endpoint, WHOLE)
    except TurnError:
        return "accepted, not rendered"
    return "accepted"


def _shaped(data: dict[str, Any]) -> bool:
    """What a serializer lets through: a wrong type of a whole field is refused before."""
    texts = all(isinstance(data.get(name), str) for name in ("name", "url", "preset"))
    objects = all(isinstance(data.get(name, {}), dict) for name in ("params", "overrides", "secrets"))
    secrets = data.get("secrets", {})
    return (
        texts
        and objects
        and isinstance(data.get("stream", False), bool)
        and all(isinstance(value, str) for value in secrets.values())
    )


def take_expression(expression: str) -> str:
    fold = {"params": {"model": "m", "n": 3}, "secret": {"api_key": "sk-1"}}
    try:
        compiled = compile_string(f"{{{{ {expression} }}}}", "request.body", fold)
    except SpecError:
        return "refused"
    try:
        if compiled.render is not None:
            compiled.render({**TURN, **fold, "message": "ab " * 20_000})
    except TurnError:
        return "accepted, not rendered"
    return "accepted"


def _expressions() -> st.SearchStrategy[str]:
    from connectors.mapping.sandbox import ENV

    names = ["message", "messages", "turn", "saved.list", "params.n", "secret.api_key", "vars.name", "session.id"]
    filters = [name for name in sorted(ENV.filters) if not name.startswith("_")]
    return expressions(names, filters, sorted(ENV.tests))


def _documents() -> st.SearchStrategy[Any]:
    found = [case.answer["json"] for case in CASES if "json" in case.answer]
    return Seeds([*found, {"a": [{"b": 1, "c": "x"}] * 3, "b": {"c": [1, 2]}, "c": "9" * 50}]).mutated()


def take_path(given: tuple[str, Any]) -> str:
    path, data = given
    try:
        get = compile_path(path, "response.text")
    except SpecError:
        return "refused"
    try:
        return "nothing" if get(data) is None else "found"
    except TurnError:
        return "too much work"


def _paths() -> st.SearchStrategy[tuple[str, Any]]:
    real = {path for name in preset_names() for path in _paths_of(load_preset(name).get("response", {}))}
    texts = st.one_of(jmespaths("abc"), Seeds([[path] for path in sorted(real)]).mutated().map(_first_text))
    return st.tuples(texts, _documents())


def _paths_of(data: Any) -> list[str]:
    if isinstance(data, dict):
        return [path for value in data.values() for path in _paths_of(value)]
    return [data] if isinstance(data, str) else []


def _first_text(value: Any) -> str:
    while isinstance(value, list | dict) and value:
        value = next(iter(value)) if isinstance(value, dict) else value[0]
    return str(value)


@cache
def _mapping(number: int) -> ResponseMapping:
    return CompiledTarget(CASES[number].spec()).response


def take_answer(given: tuple[int, list[bytes], int]) -> str:
    """Read as the answer of a recorded turn, whole or as a stream."""
    number, pieces, status = given
    case = CASES[number]
    timeline = Timeline(_mapping(number), 0)
    timeline.sent(0, 10)
    try:
        if status != 200:
            timeline.refused(status, pieces[0] if pieces else b"")
        if "json" in case.answer:
            timeline.answer(1, pieces[0] if pieces else b"")
        else:
            for at, piece in enumerate(pieces, 1):
                timeline.event(at, piece)
        timeline.end(len(pieces) + 2)
        timeline.settle()
    except TurnError as exc:
        return exc.code.partition("_")[0]
    return "answered"


def _answers() -> st.SearchStrategy[tuple[int, list[bytes], int]]:
    whole = [damaged(Seeds([case.answer.get("json")]).mutated().map(as_json)) for case in CASES]
    return _answered(whole, [event_data(case.answer) for case in CASES])


@st.composite
def _answered(
    draw: st.DrawFn, whole: list[st.SearchStrategy[bytes]], streams: list[list[bytes]]
) -> tuple[int, list[bytes], int]:
    number = draw(st.integers(0, len(CASES) - 1))
    status = draw(st.sampled_from([200, 200, 200, 200, 400, 429, 500]))
    if "json" in CASES[number].answer:
        return number, [draw(whole[number])], status
    events = list(streams[number])
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(events)))
        events[at : at + draw(st.integers(0, 2))] = [draw(damaged(st.sampled_from([*events, b"", b"{}"])))]
    return number, events, status


def take_recording(given: tuple[bytes, str]) -> str:
    """What `probe --learn` makes of it."""
    try:
        made = learn([given[0]], message=given[1])
    except LearnError as exc:
        str(exc).encode()
        return "refused"
    as_json(made.as_dict())
    return "accepted" if not made.untold else "accepted, not all told"


def _recordings() -> st.SearchStrategy[tuple[bytes, str]]:
    chats = [*unknown_chats(), *preset_chats()[::4]]
    foreign = [json.loads(chat.text) for chat in foreign_chats() if chat.file.endswith(".har")]
    files = Seeds([*(json.loads(har(chat.data)) for chat in chats), *foreign, *DOCUMENTS]).mutated(4).map(as_json)
    lines = st.sampled_from([curl(chat.last).encode() for chat in chats if not chat.last.get("frames")])
    return st.tuples(damaged(st.one_of(files, lines)), st.sampled_from(["", "", "", "Hello"]))


KINDS: Final = [
    Kind("target specs", 14, lambda: Seeds(target_seeds()).mutated(4), take_spec),
    Kind("target templates", 10, _expressions, take_expression),
    Kind("response paths", 12, _paths, take_path),
    Kind("answers", 12, _answers, take_answer),
    Kind("recordings", 4, _recordings, take_recording),
]
