"""Shared by both lanes' connectors for Socket.IO: requests, and events as the mapping sees them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final
from urllib.parse import quote

import orjson

from connectors.content.decoding import loads
from connectors.errors import BadRequest, BrokenTransport, TurnError
from connectors.lasting.connector import LastingConnector
from connectors.mapping.request import RenderedRequest
from connectors.opaque.tokens import in_json
from connectors.security.guard import AllowPrivate
from connectors.socketio.opening import Opened
from connectors.socketio.packets import MOST_REPLIES, arguments, document, protocol_error, unreadable
from connectors.target import CompiledTarget

FIND_OUT_S: Final = 0.2
"""How long a target that may be of Socket.IO 2 has to say so, on the first connection to it."""


class SocketIoBase(LastingConnector):
    """One namespace over one connection for a whole conversation."""

    persistent = True
    opens_secrets = True

    def __init__(self, target: CompiledTarget, *, allow_private: AllowPrivate = True) -> None:
        super().__init__(target, allow_private=allow_private)
        self.namespace = f"/{target.spec.socketio.namespace.lstrip('/')}"
        self._resumes = target.spec.socketio.reconnect == "resume"
        self._packs = bool(target.spec.codec.request)
        self._replies = 0
        self._polled: tuple[str, str, tuple[tuple[str, str], ...]] = ("", "", ())

    @property
    def context(self) -> Mapping[str, Any]:
        """What templates see while connecting."""
        return {"session": self.session, "saved": self.saved}

    def address(self) -> tuple[str, str, tuple[tuple[str, str], ...]]:
        """Path, query and headers of the upgrade: the path is the target's own, then `socketio.path`; a query of the
        target's URL or of `request.path` is kept. Raises BadRequest."""
        request = self.target.render_connection(self.context)
        base, _, query = request.path.partition("?")
        path = f"{base.rstrip('/')}/{self.target.spec.socketio.path.strip('/')}/"
        self._polled = (path, query, request.headers)
        self.upgraded_by = self._with_cookies(request._replace(path=path)).headers
        return path, query, self.upgraded_by

    @property
    def eio(self) -> int | None:
        """The version of Engine.IO; None: not known yet."""
        return self.target.spec.socketio.eio or self.target.original.found_eio

    def found(self, eio: int) -> None:
        """A connection shows the version of Engine.IO. Raises BadRequest for an `auth` that it does not have."""
        self.target.original.found_eio = eio
        if eio == 3:
            self.auth()

    def upgrade(self) -> RenderedRequest:
        """The upgrade as requested by python-socketio's client. Raises BadRequest."""
        path, query, headers = self.address()
        whole = f"{path}?{query}{'&' if query else ''}transport=websocket&EIO={self.eio or 4}"
        return RenderedRequest("GET", whole, headers, b"")

    def polled(self, method: str, sid: str = "", body: bytes = b"") -> RenderedRequest:
        """A request of long polling, after `address`."""
        path, query, headers = self._polled
        named = [query, f"EIO={self.eio or 4}", "transport=polling"]
        named += ["" if self.eio == 4 else "b64=1", sid and f"sid={quote(sid, safe='')}"]
        if method == "POST" and not any(name.lower() == "content-type" for name, _ in headers):
            headers = (*headers, ("Content-Type", "text/plain;charset=UTF-8"))
        return RenderedRequest(method, f"{path}?{'&'.join(filter(None, named))}", headers, body)

    def auth(self) -> Any:
        """What CONNECT carries. Raises BadRequest."""
        auth = self.target.render_auth(self.context)
        if self.eio == 3 and auth:
            what = "socketio.auth has no effect: the target is of Socket.IO 2"
            raise BadRequest("request_invalid", what, "put it into the query of request.path")
        try:
            orjson.dumps(auth)
        except TypeError as exc:
            raise BadRequest("request_invalid", f"socketio.auth is not JSON: {exc}") from exc
        return {} if auth is None else auth

    def hello(self) -> list[Any] | None:
        """Name and arguments of the event that follows CONNECT, if there is one. Raises BadRequest."""
        request = self.target.render_hello(self.context)
        return None if request is None else [request.event, *arguments(request, packed=False)]

    def arguments(self, request: RenderedRequest) -> list[Any]:
        """Those of a turn's event. Raises BadRequest."""
        return arguments(request, packed=self._packs)

    def released(self, packet: bytes) -> bytes:
        """A packet, whose texts are JSON, with its secrets in clear. Raises BadRequest (secret_withheld)."""
        return self.target.endpoint.release(in_json(packet), self.upgraded_by)

    def before_ready(self, seen: bytes, ns: int) -> None:
        """An event before `socketio.ready_event` belongs to connecting, so its text is not unsolicited."""
        counted = self.unsolicited
        self.idle_event(seen, ns)
        self.unsolicited = counted

    def count_reply(self) -> None:
        """Before an answer to a ping, or an acknowledgement. Raises BrokenTransport when they are too many."""
        self._replies += 1
        if self._replies > MOST_REPLIES:
            raise protocol_error(f"over {MOST_REPLIES} pings, or events to acknowledge, in one turn")

    def _decode(self, data: bytes) -> bytes:
        """The target's codecs decode an event's first argument; the rest is Socket.IO's own."""
        codecs = self.codecs
        if codecs is None or not self.target.spec.codec.response:
            return data
        message = loads(data)
        packed = message["data"]
        if type(packed) is not str:
            return data
        plain = codecs.decode(packed.encode())
        try:
            value = loads(plain)
        except orjson.JSONDecodeError as exc:
            raise unreadable(plain, exc) from exc
        return document(message["event"], [value, *message["args"][1:]])


def silent(opened: Opened) -> BrokenTransport:
    """The target let the time pass in which it was to ping."""
    seconds = opened.silence_ns / 1e9
    return BrokenTransport("connection_closed", f"no data for {seconds:g} s, although a ping was due")


def lost_between_turns(error: TurnError) -> TurnError:
    """The target ended a connection between two turns."""
    advice = 'if the target goes on with a session over a new connection, set socketio.reconnect to "resume"'
    return BrokenTransport("connection_closed", f"between two turns: {error.detail or error.code}", advice)


def disconnected(what: str) -> BrokenTransport:
    return BrokenTransport("connection_closed", f"the target {what}")
