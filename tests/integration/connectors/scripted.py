"""A web server on loopback whose answers are a function of the request; it records the requests."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, NamedTuple

from tests.hostile.server import HostileServer, Peer
from tests.hostile.table import JSON_TYPE, whole


class Asked(NamedTuple):
    """A request. Header names are in lower case."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


Answer = Callable[[Asked], bytes]


def asked(request: bytes) -> Asked:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    method, path, *_ = [*first.split(" "), ""]  # a client of another protocol says something else
    pairs = (line.partition(":") for line in lines)
    return Asked(method, path, {name.lower(): value.strip() for name, _, value in pairs}, body)


class Scripted(NamedTuple):
    server: HostileServer

    @property
    def url(self) -> str:
        return self.server.url

    @property
    def requests(self) -> list[Asked]:
        return [asked(request) for request in self.server.requests]

    @property
    def paths(self) -> list[str]:
        return [f"{request.method} {request.path}" for request in self.requests]


@contextmanager
def scripted(answer: Answer, host: str = "127.0.0.1") -> Iterator[Scripted]:
    def serve(peer: Peer) -> None:
        while True:
            peer.read_request()
            peer.send(answer(asked(peer.last)))

    with HostileServer(serve, host=host) as server:
        yield Scripted(server)


def says(value: Any, status: str = "200 OK", *headers: str) -> bytes:
    """A whole JSON answer."""
    return whole(json.dumps(value).encode(), JSON_TYPE, *headers, status=status)
