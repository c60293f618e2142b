"""How connections are made: protocols, time limits, sizes, certificates, a proxy."""

from __future__ import annotations

from typing import Annotated, Any, Final, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, Field, field_validator, model_validator

from connectors.origins import PROXY_SCHEMES, check_socket_path
from connectors.request_parts import (
    check_authority,
    check_fixed_path,
    check_namespace,
    check_subprotocol,
    check_url,
)
from connectors.spec.base import Frozen
from connectors.spec.request import RequestSpec

Reconnect = Literal["fail", "resume"]
"""After the target closed a connection between two turns, the next turn fails or reconnects."""


class WebSocketSpec(Frozen):
    """`separator` ends each record: a message may hold several of the target's, and one of ours."""

    subprotocols: list[Annotated[str, AfterValidator(check_subprotocol)]] = Field(default_factory=list)
    compression: bool = True
    binary: bool = False
    separator: str = Field("", max_length=8)
    reconnect: Reconnect = "fail"


class SocketIoSpec(Frozen):
    """`auth`: payload of CONNECT, a template. `hello`: an event that is emitted (`event`, `body`) once the namespace is
    connected. `ready_event`: to be waited for after that; the mapping may save values of it. `ack`: the answer is the
    acknowledgement of the turn's event. `eio`: the version of Engine.IO, as the addresses of requests have it: 3 for
    servers of Socket.IO 2, 4 for later ones; without it, it is found out."""

    path: Annotated[str, AfterValidator(check_fixed_path)] = "/socket.io/"
    namespace: Annotated[str, AfterValidator(check_namespace)] = "/"
    transport: Literal["websocket", "polling"] = "websocket"
    eio: Literal[3, 4] | None = None
    auth: Any = None
    hello: RequestSpec | None = None
    ack: bool = False
    ready_event: str | None = None
    reconnect: Reconnect = "fail"

    @model_validator(mode="after")
    def _has_auth(self) -> Self:
        if self.eio == 3 and self.auth is not None:
            raise ValueError("auth has no effect with eio 3: put it into the query of request.path")
        return self


class GrpcSpec(Frozen):
    """`method` is `package.Service/Method`. `proto`: text of the .proto file; without it the server is asked.
    `reconnect` is of bidirectional methods, whose one stream carries a conversation."""

    method: str = Field("", pattern=r"^(/?[A-Za-z_][\w.]*/[A-Za-z_]\w*)?$")
    proto: str | None = None
    reconnect: Reconnect = "fail"


STREAMS: Final = 100
"""On a connection, if the target says nothing else: what servers usually allow."""


class HttpSpec(Frozen):
    """`version` "2": by ALPN over TLS, and with prior knowledge without. `streams_per_connection`: how many requests
    are in flight on a connection before another one is made (100); 1: each conversation has one of its own.
    `unix_socket`: path of the socket that is connected to in the place of the URL's host."""

    version: Literal["1.1", "2"] = "1.1"
    streams_per_connection: int | None = Field(None, gt=0, le=100_000)
    unix_socket: Annotated[str, AfterValidator(check_socket_path)] | None = None

    @model_validator(mode="after")
    def _has_streams(self) -> Self:
        if self.streams_per_connection is not None and self.version != "2":
            raise ValueError('streams_per_connection has no effect over HTTP/1.1: set http.version to "2"')
        return self

    def streams(self, *, kept: bool) -> int:
        """A connection's, 0 over HTTP/1.1. `kept`: connections are, from one conversation to the next."""
        if self.version != "2":
            return 0
        return (self.streams_per_connection or STREAMS) if kept else 1


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
    """Paths of PEM files. `cert_file` and `key_file` are the client certificate, for targets that require one
    (mTLS)."""

    verify: bool = True
    ca_file: str | None = None
    cert_file: str | None = None
    key_file: str | None = None


class ProxySpec(Frozen):
    """A proxy that all connections to the target go through: of HTTP, of HTTP over TLS (https), or of SOCKS5, which
    gets the target's address (socks5) or its name (socks5h). `tls`: for the connection to an https proxy. `no_proxy`:
    hosts that are reached directly: names, domains that they are in, addresses, networks, "*". User and password are
    the secrets proxy_user and proxy_password."""

    url: str
    tls: TlsSpec = Field(default_factory=TlsSpec)
    no_proxy: list[str] = Field(default_factory=list)

    @field_validator("url")
    @classmethod
    def _url(cls, value: str) -> str:
        try:
            parts = urlsplit(check_url(value))
            port_ok = parts.port != 0
        except ValueError as exc:
            raise ValueError(f"it is not a URL: {exc}") from exc
        if "@" in parts.netloc:
            raise ValueError("it holds a user or password: put them into the secrets proxy_user and proxy_password")
        if parts.scheme not in PROXY_SCHEMES or not parts.hostname or not port_ok:
            raise ValueError(
                "give http://host:port, https://host:port, socks5://host:port or socks5h://host:port (names by the "
                "proxy)"
            )
        check_authority(parts.netloc)
        return value.rstrip("/")

    @model_validator(mode="after")
    def _tls_to_https(self) -> Self:
        if self.tls != TlsSpec() and not self.url.startswith("https://"):
            raise ValueError("tls: it is for proxies at https:// only: remove it")
        return self
