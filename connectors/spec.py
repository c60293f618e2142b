"""TargetSpec: everything a lane needs to know about a chatbot, frozen. Presets are such specs as data files."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, field_validator, model_validator

from connectors.answers import DEFAULT_EXPECT, Expectation

SCHEMES = {"http": 80, "https": 443, "ws": 80, "wss": 443, "grpc": 80, "grpcs": 443}
"""What a target's URL may begin with, and the port if it names none."""
TLS_SCHEMES = frozenset({"https", "wss", "grpcs"})
ONE_ANSWER = frozenset({"http", "sse", "ndjson"})
"""Protocols in which an answer comes on the request that asked for it."""
POSTED = frozenset({"split", "split-websocket"})
PRESET_DIR = Path(__file__).parent / "presets"


class SpecError(ValueError):
    """A target, scenario or load that cannot be used; the message says what is wrong and what to do."""


class Frozen(BaseModel):
    # Built at its first use, within what holds it: else each is built on its own as well, by whoever imports it.
    model_config = ConfigDict(frozen=True, extra="forbid", defer_build=True)


class RequestSpec(Frozen):
    """How one turn is sent. Strings hold `{{ }}` templates; `body` is JSON (see `connectors.templates`).

    What the parts are to a protocol that has no HTTP request in each turn: websocket's `path` and `headers` are those
    of the upgrade; socketio emits `event` with `body` as its argument (a list: as several); grpc's `headers` are
    metadata. `idempotent`: the target may get it twice without harm. Where a kept connection is closed at the moment
    of sending, the request is then sent again on a new one, as browsers do; otherwise that is an error.
    """

    method: str = "POST"
    path: str = ""
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    event: str = ""
    idempotent: bool = False


class Condition(Frozen):
    """True of an event: it is literally `data`, or `path` is there, or the value at `path` equals `equals`."""

    data: str | None = None
    path: str | None = None
    equals: Any = None

    @model_validator(mode="after")
    def _one(self) -> Self:
        if (self.data is None) == (self.path is None):
            raise ValueError("give either `data` or `path`")
        return self


class UsageSpec(Frozen):
    """Paths to the target's own token counts. `reasoning` are those of the output that the model thought with; without
    it they are looked for where servers put them. `reasoning_apart`: the count of `output` leaves them out."""

    input: str | None = None
    output: str | None = None
    reasoning: str | None = None
    reasoning_apart: bool = False


class PartSpec(Frozen):
    """Where the parts of one kind of event are. Each value is a path: plain (`choices[0].delta.content`) or JMESPath.

    `delta` is a piece of the answer, `text` a whole one: in a stream it counts if no piece came before it. `error` is
    what the target says went wrong, if it is there and not empty. `save` keeps values for the requests that follow.
    `finish` is the reason why the answer ended, as a word; `tool_call` and `refusal` say, if they are there and not
    empty, that the answer asks for a tool, or that the target refused (and its words).
    """

    text: str | None = None
    delta: str | None = None
    reasoning: str | None = None
    error: str | None = None
    finish: str | None = None
    tool_call: str | None = None
    refusal: str | None = None
    stamp: str | None = None
    usage: UsageSpec = UsageSpec()
    save: dict[str, str] = Field(default_factory=dict)
    done: bool | Condition | None = None


class ResponseSpec(PartSpec):
    """How answers are read. With `kinds` each event is read as the part that is listed for its `kind` (a path); an
    event of another kind is passed over, as is one for which a condition of `ignore` is true. The kind "@event" is the
    name that a server-sent event has beside its data.

    `cumulative`: a `delta` holds the whole text so far. `done` ends a streamed answer; without it the end of the
    transport does or, where that goes on from turn to turn, the first event with text. A stream that ends after a
    `finish` is whole without its `done`. `quiet_ms`: an answer may have several messages; it ends when no text and no
    end mark came for so long, and its end is the time of the last one.

    `expect_text`: which answers are good (`connectors.answers`); every other one fails. `known_errors`: events and
    answers without text are also searched for the well-known ways to say an error (`connectors.said_errors`).
    """

    expect_text: list[Expectation] = Field(default_factory=lambda: list(DEFAULT_EXPECT), min_length=1)
    known_errors: bool = True
    ignore: list[Condition] = Field(default_factory=list)
    cumulative: bool = False
    quiet_ms: float | None = Field(None, gt=0)
    kind: str | None = None
    kinds: dict[str, PartSpec] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _kinds(self) -> Self:
        if self.kinds and self.kind is None:
            raise ValueError("`kinds` needs `kind`: the path to what tells them apart")
        if self.cumulative and self.quiet_ms is not None:
            raise ValueError("`quiet_ms` joins messages, `cumulative` replaces them: use one of the two")
        return self


class GreetingSpec(Frozen):
    """What a target says on a new connection before it is asked: it is waited for, and is no answer.

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


class StepSpec(Frozen):
    """One HTTP request before a conversation. `url` is absolute or a path on the target's own origin.

    `when`: a template; the step is left out if what it names is not there, or empty. `expect`: statuses that are fine
    (none: any 2xx). `save`: variable and path in the answer; templates have it as
    `saved.<variable>`. `per` "run": once in each engine process. What was saved is renewed `expires_s` seconds later,
    or before the answer's own lifetime is over: at its path `expires`, seconds as a number or a text or, from
    1,000,000,000 on, a point in time (seconds, or milliseconds, since 1970).
    """

    name: str = Field(pattern=r"^[a-z][a-z0-9_]{0,31}$")
    method: str = "POST"
    url: str
    when: str | None = None
    headers: dict[str, str] = Field(default_factory=dict)
    body: Any = None
    expect: list[int] = Field(default_factory=list)
    save: dict[str, str] = Field(default_factory=dict)
    per: Literal["session", "run"] = "session"
    expires_s: float | None = Field(None, gt=0)
    expires: str | None = None


class HandshakeSpec(Frozen):
    """Steps in their order; done anew after a turn was refused with a status of `refresh_on`."""

    steps: list[StepSpec] = Field(default_factory=list, max_length=16)
    refresh_on: list[int] = Field(default_factory=lambda: [401])

    @model_validator(mode="after")
    def _order(self) -> Self:
        names = [step.name for step in self.steps]
        taken = {"resolve", "connect", "tls", "upgrade", "socketio", "standing", "greeting"}
        taken |= {"run_wait", "body_wait", "resend", "proxy", "descriptors"}
        if len(set(names)) < len(names) or taken & set(names):
            raise ValueError(f"each step needs a name of its own, other than {', '.join(sorted(taken))}")
        if sorted(self.steps, key=lambda step: step.per) != self.steps:
            raise ValueError("steps that are done once a run come before those of each session")
        return self


class CodecStep(Frozen):
    """A codec by its name (`connectors.codecs`). Strings of `options` are templates."""

    name: str
    options: dict[str, Any] = Field(default_factory=dict)


class CodecSpec(Frozen):
    """What is done to a rendered body before it is sent, and to each event or answer before it is read, in order."""

    request: list[CodecStep] = Field(default_factory=list)
    response: list[CodecStep] = Field(default_factory=list)


Reconnect = Literal["fail", "resume"]
"""A connection that the target ended between two turns: the next turn fails, or dials anew and goes on."""


class WebSocketSpec(Frozen):
    subprotocols: list[str] = Field(default_factory=list)
    compression: bool = True
    binary: bool = False
    reconnect: Reconnect = "fail"


class SocketIoSpec(Frozen):
    """`auth`: payload of CONNECT, a template. `hello`: an event that is emitted (`event`, `body`) once the namespace is
    connected. `ready_event`: to be waited for after that; the mapping may save values of it. `ack`: the answer is the
    acknowledgement of the turn's event."""

    path: str = "/socket.io/"
    namespace: str = "/"
    auth: Any = None
    hello: RequestSpec | None = None
    ack: bool = False
    ready_event: str | None = None
    reconnect: Reconnect = "fail"


class GrpcSpec(Frozen):
    """`method` is `package.Service/Method`. `proto`: text of the .proto file; without it the server is asked.
    `reconnect` is of bidirectional methods, whose one stream carries a conversation."""

    method: str = Field("", pattern=r"^(/?[A-Za-z_][\w.]*/[A-Za-z_]\w*)?$")
    proto: str | None = None
    reconnect: Reconnect = "fail"


class ModelsSpec(Frozen):
    """Where the target lists its models: a GET of `path`, a template, below its URL, with `headers` (without them:
    those of `request`). `pick` is the path to their names in the answer; each loses the beginning `strip`."""

    path: str
    pick: str
    headers: dict[str, str] | None = None
    strip: str = ""


class Timeouts(Frozen):
    """Seconds. `first_byte` and `total` count from the request's first byte, `idle` from the last byte received."""

    connect: float = Field(10.0, gt=0)
    first_byte: float = Field(60.0, gt=0)
    idle: float = Field(60.0, gt=0)
    total: float = Field(300.0, gt=0)


class Limits(Frozen):
    """Bytes a target may send: headers of one answer, its decoded body (all messages of a turn together), a body that
    is one JSON document, one event or message of a stream. The last two are held in memory, where JSON can take twenty
    times its size."""

    header_bytes: int = Field(64 * 1024, gt=0)
    body_bytes: int = Field(32 * 1024 * 1024, gt=0)
    answer_bytes: int = Field(2 * 1024 * 1024, gt=0)
    event_bytes: int = Field(1024 * 1024, gt=0)


class TlsSpec(Frozen):
    """Paths of PEM files. `cert_file` and `key_file` are our own, for targets that ask for one (mTLS)."""

    verify: bool = True
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class ProxySpec(Frozen):
    """An HTTP proxy that all connections to the target go through. `no_proxy`: hosts that are reached directly: names,
    domains that they are in, addresses, networks, "*". User and password are the secrets proxy_user and
    proxy_password."""

    url: str
    no_proxy: list[str] = Field(default_factory=list)

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            port_ok = parts.port != 0
        except ValueError as exc:
            raise ValueError(f"it is not a URL: {exc}") from exc
        if parts.username or parts.password:
            raise ValueError("it holds a user or password: put them into the secrets proxy_user and proxy_password")
        if parts.scheme != "http" or not parts.hostname or not port_ok:
            raise ValueError("give http://host:port: other kinds of proxies (https, socks) are not spoken to")
        return value.rstrip("/")


class TargetSpec(Frozen):
    """One chatbot endpoint. `secrets` never leave the process but over the engine's stdin. `cookies`: who shares those
    that the target sets: a conversation with its handshake ("session"), all of an engine process ("run"), or nobody
    keeps any ("none")."""

    name: str
    protocol: str
    url: str
    request: RequestSpec = RequestSpec()
    standing: RequestSpec | None = None
    response: ResponseSpec = ResponseSpec()
    greeting: GreetingSpec | None = None
    reply_to: ReplyToSpec | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    tls: TlsSpec = TlsSpec()
    proxy: ProxySpec | None = None
    handshake: HandshakeSpec = HandshakeSpec()
    codec: CodecSpec = CodecSpec()
    websocket: WebSocketSpec = WebSocketSpec()
    socketio: SocketIoSpec = SocketIoSpec()
    grpc: GrpcSpec = GrpcSpec()
    models: ModelsSpec | None = None
    reuse_connections: bool = True
    cookies: Literal["session", "run", "none"] = "session"
    follow_redirects: bool = False
    secrets: dict[str, SecretStr] = Field(default_factory=dict, repr=False)

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        try:
            parts = urlsplit(value)
            port_ok = parts.port != 0
        except ValueError as exc:
            raise ValueError(f"{value!r} is not a URL: {exc}") from exc
        if parts.scheme not in SCHEMES or not parts.hostname or not port_ok:
            raise ValueError(f"{value!r} is not a URL of the form http(s)://host[:port]/path (or ws, wss, grpc, grpcs)")
        if parts.username or parts.password:
            raise ValueError("the URL holds a user or password: put it into the target's secrets instead")
        return value.rstrip("/")

    @model_validator(mode="after")
    def _of_grpc(self) -> Self:
        if self.protocol != "grpc":
            return self
        if not self.grpc.method:
            raise ValueError("grpc.method: name the method to call, as package.Service/Method")
        if self.proxy is not None:
            raise ValueError("proxy: gRPC connections go straight to the target: remove it")
        if not self.tls.verify:
            raise ValueError("tls.verify: gRPC always checks a certificate: give it, or its CA's, as tls.ca_file")
        return self

    @model_validator(mode="after")
    def _has_standing(self) -> Self:
        if self.protocol in POSTED and self.standing is None:
            raise ValueError(f"protocol {self.protocol} needs `standing`: the request of the stream that answers")
        return self

    @model_validator(mode="after")
    def _of_lasting_connections(self) -> Self:
        if self.protocol in ONE_ANSWER:
            told = {"greeting": self.greeting, "reply_to": self.reply_to, "response.quiet_ms": self.response.quiet_ms}
            for name in (name for name, value in told.items() if value is not None):
                what = f"of protocol {self.protocol} each request has its own answer"
                raise ValueError(f"{name} has no effect: {what}; it is for connections that last for a conversation")
        if self.reply_to is not None and self.reply_to.ack is not None and self.protocol not in POSTED:
            raise ValueError(f"reply_to.ack: protocol {self.protocol} answers no POST; give reply_to.request")
        return self

    def frozen_dict(self) -> dict[str, Any]:
        """The spec as JSON data without its secrets: what a Run stores."""
        data: dict[str, Any] = self.model_dump(mode="json", exclude={"secrets"})
        return data

    def wire_dict(self) -> dict[str, Any]:
        """The spec as JSON data with its secrets in clear: only for the engine's stdin."""
        return self.frozen_dict() | {"secrets": {k: v.get_secret_value() for k, v in self.secrets.items()}}


def preset_names() -> list[str]:
    """Names of all presets, sorted."""
    return sorted(path.stem for path in PRESET_DIR.glob("*.json"))


@cache
def _preset_text(name: str) -> str:
    path = PRESET_DIR / f"{name}.json"
    if path.parent != PRESET_DIR or not path.is_file():
        raise SpecError(f"unknown preset {name!r}: choose one of {', '.join(preset_names())}")
    return path.read_text(encoding="utf-8")


def load_preset(name: str) -> dict[str, Any]:
    """The preset's data, a fresh copy, laid over the one that it `extends`. Raises SpecError with the known names if
    there is none of this name."""
    data: dict[str, Any] = json.loads(_preset_text(name))
    base = data.pop("extends", None)
    return data if base is None else merge(load_preset(base), data)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`base` with `over` laid on it, objects merged key by key, everything else replaced; null takes a key away."""
    merged = dict(base)
    for key, value in over.items():
        if value is None and key in merged:
            del merged[key]
            continue
        old = merged.get(key)
        merged[key] = merge(old, value) if isinstance(old, Mapping) and isinstance(value, Mapping) else value
    return merged


def build_target_spec(
    *,
    name: str,
    url: str,
    preset: str,
    stream: bool = False,
    params: Mapping[str, Any] | None = None,
    overrides: Mapping[str, Any] | None = None,
    secrets: Mapping[str, str] | None = None,
    stamp: str | None = None,
) -> TargetSpec:
    """Lay a target's own settings over its preset.

    A preset is a TargetSpec's data plus `title`, `doc`, and `stream`: what differs when answers are streamed.
    Raises SpecError naming the field that is wrong.
    """
    data = load_preset(preset)
    for about in ("title", "doc"):
        data.pop(about, None)
    streamed: Literal[None] | dict[str, Any] = data.pop("stream", None)
    if stream:
        if streamed is None:
            raise SpecError(f"preset {preset!r} has no streamed form: leave --stream out")
        data = merge(data, streamed)
    data = merge(data, overrides or {})
    data = merge(data, {"name": name, "url": url, "params": dict(params or {}), "secrets": dict(secrets or {})})
    if stamp:
        data = merge(data, {"response": {"stamp": stamp}})
    return parse_target_spec(data)


def parse_target_spec(data: Mapping[str, Any]) -> TargetSpec:
    """Validate a spec's data. Raises SpecError naming each wrong field."""
    try:
        return TargetSpec.model_validate(data)
    except ValueError as exc:
        raise SpecError(f"target: {spec_problems(exc)}") from exc


def spec_problems(exc: ValueError) -> str:
    """Pydantic's findings on one line, without input values: a value may be a secret."""
    errors = getattr(exc, "errors", None)
    if errors is None:
        return str(exc)
    found = [(".".join(str(part) for part in e["loc"]), str(e["msg"]).removeprefix("Value error, ")) for e in errors()]
    return "; ".join(f"{where}: {what}" if where else what for where, what in found)
