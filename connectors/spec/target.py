"""TargetSpec: everything a lane needs to know about a chatbot, frozen. Presets are such specs as data files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, SecretStr, ValidationError, field_validator, model_validator

from connectors.origins import SCHEMES, UNIX, check_origin, origins_of
from connectors.request_parts import check_authority, check_metadata_name
from connectors.spec.attachments import AttachmentsSpec, attachments_problem
from connectors.spec.base import SpecError, problem_line, spec_problems
from connectors.spec.format_rules import check_formats, check_turn_encoding
from connectors.spec.handshake import AskSpec, HandshakeSpec
from connectors.spec.http_rules import check_http
from connectors.spec.lasting import LastingSpec
from connectors.spec.request import CodecSpec, ModelsSpec, RequestSpec
from connectors.spec.response import GreetingSpec, ReplyToSpec, ResponseSpec
from connectors.spec.secret_places import SecretPlaces
from connectors.spec.signing import AwsSignatureSpec, check_jwt, check_signature
from connectors.spec.then import ThenSpec, check_then
from connectors.spec.tools import LASTING, ToolsSpec
from connectors.spec.transport import (
    GrpcSpec,
    HttpSpec,
    Limits,
    ProxySpec,
    SocketIoSpec,
    Timeouts,
    TlsSpec,
    WebSocketSpec,
)

ONE_ANSWER = frozenset({"http", "sse", "ndjson", "text", "aws-eventstream"})
"""Protocols in which an answer arrives on the request that asked for it."""
OWN_FIELDS = frozenset({"name", "url", "params"})
WITH_TOOLS = ONE_ANSWER | {LASTING}
"""Protocols in which results of tool calls can be sent back."""
POSTED = frozenset({"split", "split-websocket"})
OF_TURNS: Final = {"request", "then", "before", "after", "tool_results", "tool_reply"}
"""Parts whose templates see the conversation."""
APART: Final = {"secrets", "secret_origins"}
"""What a stored run does not hold."""


class TargetSpec(LastingSpec, ToolsSpec):
    """One chatbot endpoint. `secrets` never leave the process but over the engine's stdin. `cookies`: who shares those
    that the target sets: a conversation with its handshake ("session"), all of an engine process ("run"), or nobody
    keeps any ("none"). `secret_origins`: where secrets may go; None: where the target itself leads (`own_origins`)."""

    name: str
    protocol: str
    url: str
    request: RequestSpec = RequestSpec()
    then: list[ThenSpec] = Field(default_factory=list, max_length=8)
    standing: RequestSpec | None = None
    attachments: AttachmentsSpec | None = None
    response: ResponseSpec = ResponseSpec()
    greeting: GreetingSpec | None = None
    reply_to: ReplyToSpec | None = None
    params: dict[str, Any] = Field(default_factory=dict)
    timeouts: Timeouts = Timeouts()
    limits: Limits = Limits()
    tls: TlsSpec = TlsSpec()
    proxy: ProxySpec | None = None
    http: HttpSpec = HttpSpec()
    aws_signature: AwsSignatureSpec | None = None
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
    secret_origins: tuple[Annotated[str, AfterValidator(check_origin)], ...] | None = None

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        if not value.isprintable() or " " in value:
            raise ValueError(f"{value!r} is not a URL: it holds a space, a line break or another invisible character")
        try:
            parts = urlsplit(value)
            port_ok = parts.port != 0
        except ValueError as exc:
            raise ValueError(f"{value!r} is not a URL: {exc}") from exc
        if parts.scheme not in SCHEMES or not parts.hostname or not port_ok:
            raise ValueError(f"{value!r} is not a URL of the form http(s)://host[:port]/path (or ws, wss, grpc, grpcs)")
        if "@" in parts.netloc:
            raise ValueError("the URL holds a user or password: put it into the target's secrets instead")
        try:
            check_authority(parts.netloc)
        except ValueError as exc:
            raise ValueError(f"{value!r}: {exc}") from exc
        return value.rstrip("/")

    @model_validator(mode="after")
    def _below_the_host(self) -> Self:
        """A path that continues the host's name would be one to another host."""
        if urlsplit(self.url).path:
            return self
        for part, request in (("request", self.request), ("standing", self.standing)):
            path = "" if request is None else request.path.strip()
            if not path.startswith(("/", "?", "{{")) and path:
                raise ValueError(f"{part}.path: {path!r} must begin with a slash")
        return self

    @model_validator(mode="after")
    def _of_grpc(self) -> Self:
        if self.protocol != "grpc":
            return self
        if not self.grpc.method:
            raise ValueError("grpc.method: name the method to call, as package.Service/Method")
        if self.proxy is not None:
            raise ValueError("proxy: gRPC connections go straight to the target: remove it")
        for name in self.request.headers:
            check_metadata_name(name)
        if not self.tls.verify:
            raise ValueError("tls.verify: gRPC always checks a certificate: give it, or its CA's, as tls.ca_file")
        return self

    @model_validator(mode="before")
    @classmethod
    def _text_is_text(cls, data: Any) -> Any:
        if isinstance(data, dict) and data.get("protocol") == "text":
            response = data.get("response", {})
            if isinstance(response, dict) and "format" not in response:
                return {**data, "response": {**response, "format": "text"}}
        return data

    @model_validator(mode="after")
    def _of_formats(self) -> Self:
        check_formats(self.response, self.protocol, self.reply_to)
        check_turn_encoding(self.request.encoding, self.protocol, self.reply_to)
        return self

    @model_validator(mode="after")
    def _of_http(self) -> Self:
        proxied = self.proxy is not None
        check_http(self.http, self.protocol, self.request.headers, spoken=ONE_ANSWER, has_proxy=proxied)
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
        self.check_lasting(self.protocol)
        if self.hello and any(step.name == "hello" for step in self.handshake.steps):
            raise ValueError("handshake: a step cannot be called hello beside `hello`, whose time has this name")
        return self

    @model_validator(mode="after")
    def _of_then(self) -> Self:
        check_then(self.then, self.protocol, ONE_ANSWER)
        self.check_tools(WITH_TOOLS, self.protocol, self.response, {"then": self.then})
        for name, source in self.response.sources.items() if self.protocol not in ONE_ANSWER else ():
            why = f"with protocol {self.protocol} an answer has no body and no head of its own"
            raise ValueError(f"response.save.{name}: {source.place} has no effect: {why}; give a path")
        requests = {"standing": self.standing, "socketio.hello": self.socketio.hello}
        if not self.then:
            requests["request"] = self.request
        for where in (where for where, request in requests.items() if request is not None and request.save):
            raise ValueError(f"{where}.save has no effect without `then`: response.save keeps values of the answer")
        return self

    @model_validator(mode="after")
    def _secrets_are_opaque(self) -> Self:
        places = SecretPlaces()
        bodies = {places.request(self.request, "request")}
        if self.standing is not None:
            places.request(self.standing, "standing")
        if self.socketio.hello is not None:
            places.request(self.socketio.hello, "socketio.hello")
        places.anywhere(self.socketio.auth, "socketio.auth")
        for step in self.handshake.steps:
            places.anywhere(step.when, f"handshake.{step.name}.when")
            if step.jwt is not None:
                check_jwt(step.jwt, f"handshake.{step.name}.jwt", places)
        for where, ask in self.asks():
            places.in_query(ask.url, f"{where}.url")
            places.headers(ask.headers, where)
            inside = places.body(ask, where)
            if where.startswith("then."):  # whose bodies are packed too
                bodies.add(inside)
        if self.aws_signature is not None:
            check_signature(self.aws_signature, self.protocol, ONE_ANSWER, places)
        if self.models is not None:
            places.in_query(self.models.path, "models.path")
            places.headers(self.models.headers or {}, "models")
        self.tool_secrets(places)
        for kind in sorted(bodies | self.lasting_secrets(places)):
            places.packed(self.codec.request, kind)
        for i, codec in enumerate(self.codec.response):
            places.codec(codec, f"codec.response[{i}]")
        return self

    def within(self, limit_s: float) -> TargetSpec:
        """The same without a time limit above `limit_s`: for somebody who waits for it."""
        limits = {name: min(value, limit_s) for name, value in self.timeouts.model_dump().items()}
        steps = [step.within(limit_s) for step in self.handshake.steps]
        return self.model_copy(
            update={
                "timeouts": self.timeouts.model_copy(update=limits),
                "handshake": self.handshake.model_copy(update={"steps": steps}),
            }
        )

    def asks(self) -> Iterator[tuple[str, AskSpec]]:
        """All requests beside the turns' own, with their places."""
        for step in self.handshake.steps:
            yield f"handshake.{step.name}", step
        for said in self.handshake.goodbye:
            yield f"handshake.goodbye.{said.name}", said
        for part in self.then:
            yield f"then.{part.name}", part

    def own_origins(self) -> tuple[str, ...]:
        """The origins that the target names itself: of its address, of steps elsewhere, of Host headers, of its
        proxy."""
        steps = [ask.url for _, ask in self.asks() if "://" in ask.url]
        hosts = [url for _, url in self.named_hosts()]
        return origins_of([self.connects_to, *steps, *hosts, *([self.proxy.url] if self.proxy else [])])

    @property
    def connects_to(self) -> str:
        """The URL, or the Unix socket in the place of its host."""
        return self.url if self.http.unix_socket is None else f"{UNIX}{self.http.unix_socket}"

    def named_hosts(self) -> list[tuple[str, str]]:
        """Where each Host header stands, and what it leads to: a server passes a request on by it."""
        asked = [("request", self.url, self.request.headers)]
        if self.standing is not None:
            asked.append(("standing", self.url, self.standing.headers))
        if self.models is not None:
            asked.append(("models", self.url, self.models.headers or {}))
        asked += [(where, ask.url if "://" in ask.url else self.url, ask.headers) for where, ask in self.asks()]
        return [
            (f"{where}.headers.{name}", f"{url.partition('://')[0]}://{host}")
            for where, url, headers in asked
            for name, host in headers.items()
            if name.lower() == "host"
        ]

    def allowed_origins(self) -> tuple[str, ...]:
        """Where the secrets may go."""
        return self.own_origins() if self.secret_origins is None else self.secret_origins

    def sent_in_turns(self) -> str:
        """All that is rendered with the conversation, as JSON."""
        return json.dumps(self.model_dump(mode="json", include=OF_TURNS))

    def attachments_problem(self, kinds: Mapping[str, str]) -> str:
        """Why attachments of `kinds` ("": any) cannot be sent, which stand at these places; empty: they can."""
        return attachments_problem(self.name, self.attachments, self.sent_in_turns(), kinds)

    def frozen_dict(self) -> dict[str, Any]:
        """The spec as JSON data without its secrets: the form that a Run stores."""
        data: dict[str, Any] = self.model_dump(mode="json", exclude=APART)
        return data

    def wire_dict(self) -> dict[str, Any]:
        """The spec as JSON data with its secrets in clear: only for the engine's stdin."""
        secrets = {name: value.get_secret_value() for name, value in self.secrets.items()}
        return self.frozen_dict() | {"secrets": secrets, "secret_origins": self.secret_origins}


def parse_target_spec(data: Mapping[str, Any]) -> TargetSpec:
    """Validate a spec's data. Raises SpecError naming each wrong field."""
    try:
        return TargetSpec.model_validate(data)
    except ValueError as exc:
        raise SpecError(f"target: {spec_problems(exc, TargetSpec)}", _by_field(exc)) from exc


def _by_field(exc: ValueError) -> dict[str, str]:
    """What is not a field of a stored target came from its overrides."""
    found: dict[str, list[str]] = {}
    for error in exc.errors() if isinstance(exc, ValidationError) else ():
        first, *inside = error["loc"] or ("",)
        own = first in OWN_FIELDS
        line = problem_line({**error, "loc": tuple(inside)} if own else error, None if own else TargetSpec)
        found.setdefault(str(first) if own else "overrides", []).append(line)
    return {field: "; ".join(lines) for field, lines in found.items()}
