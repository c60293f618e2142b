"""The table of hostile behaviours: a decorator puts a script into it with the code that it must cost."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from tests.hostile.server import Peer, Script

Protocol = Literal[
    "http", "sse", "ndjson", "text", "aws-eventstream", "split", "split-websocket", "grpc", "websocket", "socketio",
    "http2", "then", "polling", "signalr", "stomp",
]  # fmt: skip


class Behaviour(NamedTuple):
    """`code` None: the client must get through; the answer is then `text`."""

    name: str
    protocol: Protocol
    code: str | None
    script: Script
    text: str = ""

    @property
    def id(self) -> str:
        return f"{self.protocol}-{self.name}"


BEHAVIOURS: list[Behaviour] = []


def hostile(protocol: Protocol, code: str | None, text: str = "") -> Callable[[Script], Script]:
    """Register the decorated script; its name, without the protocol, is the behaviour's."""

    def register(script: Script) -> Script:
        name: str = getattr(script, "__name__", "").removeprefix(f"{protocol.replace('-', '_')}_")
        BEHAVIOURS.append(Behaviour(name, protocol, code, script, text))
        return script

    return register


def saying(protocol: Protocol, begin: Callable[[Peer], object]) -> Callable[..., Script]:
    """What registers a behaviour that begins so, says one thing more, and waits."""

    def says(name: str, code: str | None, said: bytes, text: str = "") -> Script:
        def script(peer: Peer) -> None:
            begin(peer)
            peer.send(said)
            peer.hold()

        script.__name__ = f"{protocol.replace('-', '_')}_{name}"
        return hostile(protocol, code, text)(script)

    return says


def head(*headers: str, status: str = "200 OK") -> bytes:
    """A response head; `headers` are whole lines."""
    return "\r\n".join([f"HTTP/1.1 {status}", *headers, "", ""]).encode("latin-1")


def chunk(data: bytes) -> bytes:
    """One chunk of a chunked body."""
    return b"%x\r\n%b\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"
JSON_TYPE = "Content-Type: application/json"
SSE_TYPE = "Content-Type: text/event-stream"
CHUNKED = "Transfer-Encoding: chunked"


def whole(body: bytes, *headers: str, status: str = "200 OK") -> bytes:
    """A complete answer with a content-length."""
    return head(f"Content-Length: {len(body)}", *(headers or (JSON_TYPE,)), status=status) + body
